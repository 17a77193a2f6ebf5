"""One person across addresses: bonds between them, and who is whose oldest."""

from shared.storage.migrate import run_sql

revision = "router_0016"
down_revision = "router_0015"


def upgrade() -> None:
    run_sql(__file__)
