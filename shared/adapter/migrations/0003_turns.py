"""Indexes by whose turn it is."""

from shared.storage.migrate import change_indexes

revision = "adapter_0003"
down_revision = "adapter_0002"


def upgrade() -> None:
    change_indexes(__file__)
