"""Which messages use a file."""

from shared.storage.migrate import change_indexes

revision = "router_0008"
down_revision = "router_0007"


def upgrade() -> None:
    change_indexes(__file__)
