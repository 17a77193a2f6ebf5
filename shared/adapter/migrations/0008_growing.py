"""What shows an answer that is still written."""

from shared.storage.migrate import run_sql

revision = "adapter_0008"
down_revision = "adapter_0007"


def upgrade() -> None:
    run_sql(__file__)
