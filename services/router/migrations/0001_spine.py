"""The router's tables."""

from shared.storage.migrate import run_sql

revision = "router_0001"
down_revision = None


def upgrade() -> None:
    run_sql(__file__)
