"""Addresses at which nobody is any more."""

from shared.storage.migrate import run_sql

revision = "router_0022"
down_revision = "router_0021"


def upgrade() -> None:
    run_sql(__file__)
