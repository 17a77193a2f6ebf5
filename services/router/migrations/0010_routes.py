"""What a conversation may be answered by for a while."""

from shared.storage.migrate import run_sql

revision = "router_0010"
down_revision = "router_0009"


def upgrade() -> None:
    run_sql(__file__)
