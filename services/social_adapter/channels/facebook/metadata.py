"""What a send carries in `metadata` and its echo brings back: whose it is, and where it belongs.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/message-echoes
"""

from __future__ import annotations

from pydantic import ValidationError

from services.social_adapter.channels.facebook.tables import METADATA
from shared.contract.channel import Piece
from shared.contract.envelope import ExternalId, Model


class Origin(Model):
    """`parley`: the piece. `post` and `thread`: of a private reply, which is sent to a person's inbox but belongs to a comment."""

    parley: ExternalId
    post: ExternalId | None = None
    thread: ExternalId | None = None


def write(piece: Piece) -> str:
    origin = Origin(parley=piece.id)
    if piece.way == "private":
        origin = Origin(parley=piece.id, post=piece.to, thread=piece.thread_key)
    text = origin.model_dump_json(exclude_none=True)
    return text if len(text) < METADATA else Origin(parley=piece.id).model_dump_json(exclude_none=True)


def read(text: object) -> Origin | None:
    """None for what another app wrote there."""
    if not isinstance(text, str):
        return None
    try:
        return Origin.model_validate_json(text)
    except ValidationError:
        return None
