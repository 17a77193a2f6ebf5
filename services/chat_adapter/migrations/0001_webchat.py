"""The transcripts of web chat."""

from shared.storage.migrate import run_sql

revision = "webchat_0001"
down_revision = None


def upgrade() -> None:
    run_sql(__file__)
