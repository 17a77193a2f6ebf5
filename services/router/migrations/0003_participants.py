"""What is known of those who take part."""

from shared.storage.migrate import run_sql

revision = "router_0003"
down_revision = "router_0002"


def upgrade() -> None:
    run_sql(__file__)
