"""What a provider tells of a chat, and the brake."""

from shared.storage.migrate import run_sql

revision = "router_0005"
down_revision = "router_0004"


def upgrade() -> None:
    run_sql(__file__)
