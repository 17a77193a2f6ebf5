"""A position belongs to a log."""

from shared.storage.migrate import run_sql

revision = "router_0004"
down_revision = "router_0003"


def upgrade() -> None:
    run_sql(__file__)
