"""Where people are, and what they were sent without having asked."""

from shared.storage.migrate import run_sql

revision = "router_0024"
down_revision = "router_0023"


def upgrade() -> None:
    run_sql(__file__)
