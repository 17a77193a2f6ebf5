"""What customers want to be sent without having asked."""

from shared.storage.migrate import run_sql

revision = "router_0018"
down_revision = "router_0017"


def upgrade() -> None:
    run_sql(__file__)
