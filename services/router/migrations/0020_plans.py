"""What waits until it is due."""

from shared.storage.migrate import run_sql

revision = "router_0020"
down_revision = "router_0019"


def upgrade() -> None:
    run_sql(__file__)
