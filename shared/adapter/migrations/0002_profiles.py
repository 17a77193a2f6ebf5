"""People to ask a provider about."""

from shared.storage.migrate import run_sql

revision = "adapter_0002"
down_revision = "adapter_0001"


def upgrade() -> None:
    run_sql(__file__)
