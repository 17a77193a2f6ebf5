"""What the desk works with."""

from shared.storage.migrate import run_sql

revision = "router_0013"
down_revision = "router_0012"


def upgrade() -> None:
    run_sql(__file__)
