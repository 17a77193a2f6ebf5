"""Access tokens that are refreshed."""

from shared.storage.migrate import run_sql

revision = "adapter_0006"
down_revision = "adapter_0005"


def upgrade() -> None:
    run_sql(__file__)
