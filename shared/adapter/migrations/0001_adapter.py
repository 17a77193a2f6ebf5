"""The tables that every adapter has."""

from shared.storage.migrate import run_sql

revision = "adapter_0001"
down_revision = None


def upgrade() -> None:
    run_sql(__file__)
