"""Who has the thread at the provider, where it may be somebody else: a fact of the conversation."""

from __future__ import annotations

from datetime import datetime

from services.router.fold.events import emit
from services.router.fold.facts import Conversation, Facts
from shared.bus.cloudevents import In


def note_responder(
    facts: Facts, record: In, conversation: Conversation, responder: str | None, moment: datetime
) -> bool:
    """Kept and told when it changes; whether it did. A message that nobody else is to answer says that we have the thread.

    What is older than what is known says nothing: it was true before.
    """
    is_older = conversation.responder_at is not None and moment < conversation.responder_at
    if is_older or responder == conversation.responder:
        return False
    conversation.responder, conversation.responder_at = responder, moment
    conversation.changed = conversation.moved = True
    emit(facts, conversation, record, "conversation.responder", {"responder": responder})
    return True
