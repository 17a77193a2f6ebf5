"""Who has the thread at the provider, where it may be somebody else: a fact of the conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.router.fold.events import emit
from services.router.fold.facts import Conversation, Facts
from shared.bus.cloudevents import In


def note_responder(
    facts: Facts,
    record: In,
    conversation: Conversation,
    responder: str | None,
    moment: datetime,
    *,
    request_id: str | None = None,
    trail: Sequence[Mapping[str, object]] = (),
) -> bool:
    """Kept and told when it changes; whether it did. A message that nobody else is to answer says that we have the thread.

    What is older than what is known says nothing: it was true before. Whoever asked for it (`request_id`) is told in any case,
    and who has the thread now.
    """
    is_older = conversation.responder_at is not None and moment < conversation.responder_at
    is_new = not is_older and responder != conversation.responder
    if is_new:
        conversation.responder, conversation.responder_at = responder, moment
        conversation.changed = conversation.moved = True
    if is_new or request_id:
        about = {"request_id": request_id} if request_id else {}
        said = {"responder": conversation.responder, **about}
        emit(facts, conversation, record, "conversation.responder", said, trail=trail)
    return is_new
