"""What is about an earlier message: an edit, a deletion, a reaction, a change of who may see it."""

from __future__ import annotations

import uuid
from typing import Any

import orjson

from services.router.fold import files, identity
from services.router.fold.events import emit, inbound_trail, preview_of, tell_apart
from services.router.fold.facts import Conversation, Facts, Known, Ref, RefKey
from services.router.fold.openings import open_conversation
from services.router.fold.threads import choose, is_in_container
from shared.bus.cloudevents import In
from shared.contract.envelope import Deletion, Edit, Envelope, Reaction, Visibility, derive
from shared.runtime.observe import UNTOLD


def may_amend(facts: Facts, found: Envelope, ref: Ref, known: Known) -> bool:
    """The guard: whoever is in the conversation, by whichever of their names; the author; who reads a private answer."""
    conversation = facts.conversations.get(known.conversation_id)
    here = (found.tenant, found.channel, found.account)
    if conversation is None or here != (conversation.tenant, conversation.channel, conversation.account):
        return False
    customer = identity.customer(facts, identity.of_envelope(found))
    names = {found.sender.address, *found.sender.aliases}
    return (
        found.peer == conversation.peer
        or is_in_container(facts, found, conversation)
        or (customer is not None and customer == facts.person_of(conversation))
        or not names.isdisjoint(known.author)
        or reader_of(facts, ref) in names
    )


def reader_of(facts: Facts, ref: Ref) -> str | None:
    """The person whom the piece of this name reached in private, as its echo said."""
    sending = facts.sendings.get(ref.message_id) if ref.message_id else None
    return sending.progress.get(str(ref.piece), {}).get("reader") if sending else None


def may_become_known(facts: Facts, ref: Ref, known: Known) -> bool:
    """Whether an echo is still to say who reads this private answer of ours."""
    return known.private and reader_of(facts, ref) is None


def apply_amendment(facts: Facts, record: In, found: Envelope, ref: Ref, known: Known) -> None:
    """To a message that is known, by someone who may."""
    conversation = facts.conversations[known.conversation_id]
    match found.parts[0]:
        case Edit():
            if ref.edited_at is not None and found.occurred_at < ref.edited_at:
                UNTOLD.labels("older_edit").inc()  # a newer text is shown already
                return
            ref.edited_at, ref.changed = found.occurred_at, True
            if ref.message_id is not None:
                files.come_by_edit(facts, found, ref.message_id)
            show_change(conversation, ref.key, preview_of(found.parts[1:]))
        case Deletion():
            show_change(conversation, ref.key, "")
    name, data = said(found, record, ref.message_id)
    trail = inbound_trail(record, found)
    emit(facts, conversation, record, name, data, message_id=ref.message_id, trail=trail)


def tell_unknown(facts: Facts, record: In, found: Envelope) -> None:
    """Of a message that is not known here, or is not theirs: told where the person is, without its id.

    The words of an edit are shown wherever they belong, and open a conversation where there is none.
    """
    customer = identity.customer(facts, identity.of_envelope(found))
    conversation = choose(facts, found, customer)
    is_edit = isinstance(found.parts[0], Edit)
    if conversation is None and is_edit and found.direction == "inbound":
        conversation = open_conversation(facts, record, found)
    name, data = said(found, record, None)
    trail = inbound_trail(record, found)
    if conversation is None:
        tell_apart(facts, record, name, data, customer=customer, trail=trail)
        return
    if is_edit:
        conversation.last_at = max(conversation.last_at, found.received_at)
        conversation.preview = preview_of(found.parts[1:])
    once = derive("event", record.tenant, record.id, name, "unknown")  # it may be told again, of its message
    emit(facts, conversation, record, name, data, id_=once, trail=trail)


def said(found: Envelope, record: In, message: uuid.UUID | None) -> tuple[str, dict[str, Any]]:
    """The event's name and what it says."""
    part = found.parts[0]
    about: dict[str, Any] = {
        "message_id": str(message) if message else None,
        "external_id": getattr(part, "target", None),
    }
    match part:
        case Edit():
            return "message.edited", about | {"message": orjson.Fragment(record.value)}
        case Deletion():
            return "message.deleted", about
        case Visibility():
            return "message.visibility", about | {"hidden": part.hidden}
        case Reaction():
            sender = found.sender.model_dump(mode="json", exclude_none=True)
            return "message.reaction", about | part.model_dump(exclude={"kind", "target"}) | {"sender": sender}
    raise AssertionError(part.kind)


def show_change(conversation: Conversation, name: RefKey, text: str) -> None:
    """The conversation's newest message now reads so."""
    if name.external_id == conversation.last_external_id:
        conversation.preview = text
