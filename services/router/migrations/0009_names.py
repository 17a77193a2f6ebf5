"""Whose word a name is."""

from shared.storage.migrate import run_sql

revision = "router_0009"
down_revision = "router_0008"


def upgrade() -> None:
    run_sql(__file__)
