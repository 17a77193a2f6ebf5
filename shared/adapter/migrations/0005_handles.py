"""Media at a provider are not remembered for ever."""

from shared.storage.migrate import run_sql

revision = "adapter_0005"
down_revision = "adapter_0004"


def upgrade() -> None:
    run_sql(__file__)
