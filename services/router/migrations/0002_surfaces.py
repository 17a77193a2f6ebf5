"""Surfaces and mail's references."""

from shared.storage.migrate import run_sql

revision = "router_0002"
down_revision = "router_0001"


def upgrade() -> None:
    run_sql(__file__)
