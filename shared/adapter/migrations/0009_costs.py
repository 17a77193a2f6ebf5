"""What a piece that was sent is billed as."""

from shared.storage.migrate import run_sql

revision = "adapter_0009"
down_revision = "adapter_0008"


def upgrade() -> None:
    run_sql(__file__)
