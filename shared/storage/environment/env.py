"""Alembic's way into PostgreSQL: one schema and one version table per service, one migration at a time."""

import time

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

schema = context.config.attributes["schema"]
engine = create_engine(context.config.attributes["url"], poolclass=NullPool)

with engine.connect() as connection:
    while not connection.scalar(text("SELECT pg_try_advisory_lock(hashtext('parley migrations'))")):
        connection.rollback()  # whoever builds an index beside the traffic waits for every statement that is under way
        time.sleep(0.2)
    connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
    connection.execute(text(f'SET search_path TO "{schema}"'))
    connection.execute(text("SET lock_timeout = '1s'"))  # shared.storage.migrate.upgrade tries again
    connection.commit()
    connection.dialect.default_schema_name = schema
    context.configure(connection=connection, version_table_schema=schema, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
