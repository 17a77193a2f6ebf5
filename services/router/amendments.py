"""What is about an earlier message: an edit, a deletion, a reaction, a change of who may see it."""

from __future__ import annotations

import orjson

from services.router.events import emit, inbound_trail, preview_of
from services.router.facts import Conversation, Facts, Known, PeerKey, Ref
from shared.bus import In
from shared.envelope import Deletion, Edit, Envelope, Reaction, Visibility


def apply_amendment(facts: Facts, record: In, found: Envelope, ref: Ref, known: Known) -> None:
    conversation = facts.conversations.get(known.conversation_id)
    if conversation is None or conversation.peer_key != PeerKey(found.tenant, found.channel, found.account, found.peer):
        return
    trail = inbound_trail(record, found)
    about = {"message_id": str(ref.message_id), "external_id": ref.key.external_id}
    part = found.parts[0]
    match part:
        case Edit():
            if ref.edited_at is not None and found.occurred_at < ref.edited_at:
                return
            ref.edited_at, ref.changed = found.occurred_at, True
            show_change(conversation, ref, preview_of(found.parts[1:]))
            data = about | {"message": orjson.Fragment(record.value)}
            emit(facts, conversation, record, "message.edited", data, message_id=ref.message_id, trail=trail)
        case Deletion():
            show_change(conversation, ref, "")
            emit(facts, conversation, record, "message.deleted", about, message_id=ref.message_id, trail=trail)
        case Visibility():
            change = about | {"hidden": part.hidden}
            emit(facts, conversation, record, "message.visibility", change, message_id=ref.message_id, trail=trail)
        case Reaction():
            said = part.model_dump(include={"emoji", "removed", "replaces"})
            said["sender"] = found.sender.model_dump(mode="json", exclude_none=True)
            emit(facts, conversation, record, "message.reaction", about | said, message_id=ref.message_id, trail=trail)


def show_change(conversation: Conversation, ref: Ref, text: str) -> None:
    """The conversation's newest message now reads so."""
    if ref.key.external_id == conversation.last_external_id:
        conversation.preview = text
