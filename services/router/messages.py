"""A message goes to its conversation, or opens one."""

from __future__ import annotations

import uuid
from typing import Literal

import orjson

from services.router import identity
from services.router.events import announce_opening, emit, inbound_trail, preview_of
from services.router.facts import Conversation, Facts, Known
from services.router.parked import release
from services.router.participants import introduce
from services.router.threads import choose, is_strangers, named, ref_key, thread_ref
from services.router.windows import able_in, note_window, opening_window
from shared.bus import In
from shared.envelope import Envelope, derive


def receive(facts: Facts, record: In, found: Envelope) -> None:
    """By the rules of threading; a stranger with a valid token is heard, but changes nothing (EMAIL rule 19)."""
    customer = identity.customer(facts, identity.of_envelope(found))
    if conversation := choose(facts, found, customer):
        take_in(facts, record, found, conversation)
        return
    linked = named(facts, found)
    if linked and is_strangers(facts, found, linked, customer):
        announce(facts, record, found, linked, flagged="stranger")
    else:
        take_in(facts, record, found, open_conversation(facts, record, found, customer, linked))


def take_in(facts: Facts, record: In, found: Envelope, conversation: Conversation) -> None:
    """The next message of this conversation."""
    note_message(facts, conversation, found)
    announce(facts, record, found, conversation)


def announce(
    facts: Facts, record: In, found: Envelope, conversation: Conversation, flagged: Literal["stranger"] | None = None
) -> None:
    """The event; what was parked for the message follows it."""
    emit(
        facts,
        conversation,
        record,
        "message.received",
        {"message": orjson.Fragment(record.value), **({"flagged": flagged} if flagged else {})},
        id_=found.id,
        message_id=found.id,
        trail=inbound_trail(record, found),
    )
    facts.known[found.id] = Known(conversation.id, found.external_id)
    for name in found.all_external_ids:
        ref = facts.ref(ref_key(found, "message", name))
        if ref.parked:
            release(facts, record, ref)


def note_message(facts: Facts, conversation: Conversation, found: Envelope) -> None:
    """What the conversation shows of its newest message."""
    conversation.last_at = max(conversation.last_at, found.received_at)
    conversation.preview = preview_of(found.parts)
    if found.external_id:
        conversation.link(found.external_id)
    if found.direction == "inbound":
        conversation.last_external_id = found.external_id or conversation.last_external_id
        if found.container is None or is_beginner(facts, conversation, found):
            conversation.name = found.sender.name or conversation.name
        if found.container is None and found.peer != conversation.peer:
            facts.move(conversation, found.peer)
        if found.window is not None:
            conversation.last_inbound_at = found.occurred_at
            note_window(conversation, found.window)


def is_beginner(facts: Facts, conversation: Conversation, found: Envelope) -> bool:
    """Whether it is by whoever began the conversation: under a post and in a group, others write too."""
    return identity.customer(facts, identity.of_envelope(found)) == conversation.customer_id


def open_conversation(
    facts: Facts, record: In, found: Envelope, customer: uuid.UUID | None, linked: Conversation | None
) -> Conversation:
    """Rule 6: its id follows from its first message. `linked`: the one that the message names but may not enter."""
    conversation = facts.add(
        Conversation(
            id=derive("conversation", found.id),
            tenant=found.tenant,
            customer_id=customer or derive("customer", found.tenant, found.channel, found.account, found.peer),
            channel=found.channel,
            account=found.account,
            peer=found.peer,
            container=found.container,
            thread_key=found.thread.thread_key,
            opened_at=facts.now,
            last_at=found.received_at,
            surface=found.surface,
            subject=found.thread.subject,
            name=found.sender.name,
        )
    )
    if thread := thread_ref(found):
        ref = facts.ref(thread)
        ref.conversation_id, ref.changed = conversation.id, True
    window = found.window or opening_window(able_in(facts, conversation))
    note_window(conversation, window)
    announce_opening(facts, record, conversation, window, linked.id if linked else None)
    introduce(facts, record, conversation, identity.of_envelope(found))
    return conversation
