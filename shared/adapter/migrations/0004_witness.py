"""How far this database had come, for Kafka to know."""

from shared.storage.migrate import run_sql

revision = "adapter_0004"
down_revision = "adapter_0003"


def upgrade() -> None:
    run_sql(__file__)
