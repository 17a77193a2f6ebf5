"""What became of the files of messages."""

from __future__ import annotations

import base64
import uuid
from typing import Final

import orjson

from services.router.fold.events import emit, tell_apart
from services.router.fold.facts import Facts, Ref, RefKey
from shared.bus.cloudevents import In
from shared.contract.deliveries import MediaUpdate
from shared.contract.envelope import Envelope, derive
from shared.runtime.observe import UNTOLD

WAITS: Final = {"waits": True}  # pending at the name of an echo that waits, before its files


def media_ref(tenant: str, channel: str, account: str, message: uuid.UUID) -> RefKey:
    """Where the files of an echo wait until it is known what the echo is."""
    return RefKey(tenant, channel, account, "media", str(message))


def has_files(found: Envelope) -> bool:
    return any(part.kind == "media" for part in found.parts)


def media(facts: Facts, record: In) -> None:
    """Told in the conversation of its message, or of the message that it came to in an edit. An echo that waits has none yet,
    and an echo of our own send needs none; a file of anything else that is not known is told without a conversation.
    """
    found: MediaUpdate = record.model
    once = derive("media", found.message_id, found.part, found.state)
    if once not in facts.fresh:
        return
    facts.fresh.discard(once)
    ref = facts.ref(media_ref(found.tenant, found.channel, found.account, found.message_id))
    known = facts.known.get(found.message_id) or (
        facts.known.get(ref.message_id) if ref.message_id and ref.edited_at else None
    )
    conversation = facts.conversations.get(known.conversation_id) if known else None
    data = {"media": orjson.Fragment(record.value)}
    trail = [{"place": "inbound", "at": record.at}]
    if conversation is not None:
        emit(facts, conversation, record, "message.media", data, message_id=found.message_id, trail=trail)
        return
    if ref.message_id is not None:
        UNTOLD.labels("file_of_our_own").inc()
    elif WAITS in ref.pending:
        ref.pending.append({"media": base64.b64encode(record.value).decode()})
        ref.changed = True
    else:
        tell_apart(facts, record, "message.media", data, trail=trail)


def wait_for_echo(facts: Facts, found: Envelope) -> None:
    """Its files are kept until the echo is taken in: so many as it has parts, each once in each state."""
    if has_files(found):
        ref = facts.ref(media_ref(found.tenant, found.channel, found.account, found.id))
        ref.pending, ref.changed = [WAITS], True


def come_by_edit(facts: Facts, edit: Envelope, message: uuid.UUID) -> None:
    """The files of this edit are told where the message stands that it changed."""
    if ref := belong(facts, edit, message):
        ref.edited_at = edit.occurred_at


def belong(facts: Facts, found: Envelope, message: uuid.UUID) -> Ref | None:
    """The files of this echo or edit are those of `message` from now on."""
    if not has_files(found):
        return None
    ref = facts.ref(media_ref(found.tenant, found.channel, found.account, found.id))
    ref.message_id, ref.changed = message, True
    return ref
