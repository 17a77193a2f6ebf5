"""Transcripts are kept for a time."""

from shared.storage.migrate import run_sql

revision = "webchat_0002"
down_revision = "webchat_0001"


def upgrade() -> None:
    run_sql(__file__)
