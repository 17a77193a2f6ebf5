"""What is to be told as it is now."""

from shared.storage.migrate import run_sql

revision = "router_0015"
down_revision = "router_0014"


def upgrade() -> None:
    run_sql(__file__)
