"""Whose sends are emptied once they have ended."""

from shared.storage.migrate import run_sql

revision = "adapter_0011"
down_revision = "adapter_0010"


def upgrade() -> None:
    run_sql(__file__)
