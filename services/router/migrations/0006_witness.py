"""How far this database had come, for Kafka to know; where sequences begin after a restore."""

from shared.storage.migrate import run_sql

revision = "router_0006"
down_revision = "router_0005"


def upgrade() -> None:
    run_sql(__file__)
