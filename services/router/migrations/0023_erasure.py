"""Who is erased, and what is left to do of it."""

from shared.storage.migrate import run_sql

revision = "router_0023"
down_revision = "router_0022"


def upgrade() -> None:
    run_sql(__file__)
