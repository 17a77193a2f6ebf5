"""What a send carries in `metadata` and its echo brings back: whose it is, and where it belongs.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/message-echoes
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from services.social_adapter.channels.facebook.tables import METADATA
from shared.contract.channel import Incoming, Message, Piece
from shared.contract.envelope import ExternalId, Model, Party, Thread
from shared.dialects.messenger import events
from shared.dialects.messenger.entry import Entry


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


def read_event(event: dict[str, Any], entry: Entry) -> Iterator[Incoming]:
    """An event of Messenger as records; an echo of ours is brought home."""
    for record in events.read(event, entry):
        yield _home(record, event["message"], entry) if isinstance(record, Message) and "message" in event else record


def _home(echo: Message, message: dict[str, Any], entry: Entry) -> Message:
    """Our own echo, by the app that sent it, brings back the piece's name and the post it belongs to.

    Whom a private reply reached is its recipient: what that person receives and reads is told without the post.
    """
    ours = message.get("is_echo") and str(message.get("app_id")) == entry.app_id
    origin = read(message.get("metadata")) if ours else None
    if origin is None:
        return echo
    echo = replace(echo, join_key=origin.parley)
    if origin.post is None:
        return echo
    thread = Thread(thread_key=origin.thread)
    reached = (Party(address=echo.peer),)
    return replace(echo, peer=origin.post, container=origin.post, surface="comment", thread=thread, recipients=reached)
