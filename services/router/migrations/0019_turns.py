"""The messages of a turn that is not over."""

from shared.storage.migrate import run_sql

revision = "router_0019"
down_revision = "router_0018"


def upgrade() -> None:
    run_sql(__file__)
