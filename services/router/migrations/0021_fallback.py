"""What falls back to another way."""

from shared.storage.migrate import run_sql

revision = "router_0021"
down_revision = "router_0020"


def upgrade() -> None:
    run_sql(__file__)
