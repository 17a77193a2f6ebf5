"""What is kept for a time."""

from shared.storage.migrate import run_sql

revision = "router_0007"
down_revision = "router_0006"


def upgrade() -> None:
    run_sql(__file__)
