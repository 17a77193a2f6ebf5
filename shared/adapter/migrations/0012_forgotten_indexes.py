"""By what it is found what an adapter has of whoever is forgotten."""

from shared.storage.migrate import change_indexes

revision = "adapter_0012"
down_revision = "adapter_0011"


def upgrade() -> None:
    change_indexes(__file__)
