"""What happens later."""

from shared.storage.migrate import run_sql

revision = "router_0011"
down_revision = "router_0010"


def upgrade() -> None:
    run_sql(__file__)
