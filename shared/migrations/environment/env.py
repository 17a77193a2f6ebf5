"""Alembic's way into PostgreSQL: one schema and one version table per service, one migration at a time."""

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

schema = context.config.attributes["schema"]
engine = create_engine(context.config.attributes["url"], poolclass=NullPool)

with engine.connect() as connection:
    connection.execute(text("SELECT pg_advisory_lock(hashtext('parley migrations'))"))
    connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
    connection.execute(text(f'SET search_path TO "{schema}"'))
    connection.commit()
    connection.dialect.default_schema_name = schema
    context.configure(connection=connection, version_table_schema=schema, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
