"""What is taken back before it has begun."""

from shared.storage.migrate import run_sql

revision = "adapter_0010"
down_revision = "adapter_0009"


def upgrade() -> None:
    run_sql(__file__)
