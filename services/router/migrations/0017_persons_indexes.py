"""Who is one person with whom, what they stopped, their conversations and what they wrote in others'."""

from shared.storage.migrate import change_indexes

revision = "router_0017"
down_revision = "router_0016"


def upgrade() -> None:
    change_indexes(__file__)
