"""What of a day's quota is used up."""

from shared.storage.migrate import run_sql

revision = "adapter_0007"
down_revision = "adapter_0006"


def upgrade() -> None:
    run_sql(__file__)
