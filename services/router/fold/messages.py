"""A message goes to its conversation, or opens one."""

from __future__ import annotations

from typing import Literal

import orjson

from services.router.fold import addresses, fallback, identity, silence
from services.router.fold.blocks import lift
from services.router.fold.brake import note_heard
from services.router.fold.consents import hear
from services.router.fold.events import emit, inbound_trail, preview_of
from services.router.fold.facts import Conversation, Facts, Known
from services.router.fold.mails import is_mail
from services.router.fold.openings import open_conversation
from services.router.fold.pending import release
from services.router.fold.responders import note_responder
from services.router.fold.routes import note_route
from services.router.fold.threads import choose, is_strangers, named, ref_key
from services.router.fold.windows import note_window
from services.router.fold.work import go_on, is_automatic, note_answer, note_question
from shared.bus.cloudevents import In, encode
from shared.contract.envelope import Envelope, Party
from shared.contract.whereabouts import is_zone


def receive(facts: Facts, record: In, found: Envelope) -> None:
    """By the rules of threading; a stranger with a valid token is heard, but changes nothing (EMAIL rule 19)."""
    customer = identity.customer(facts, identity.of_envelope(found))
    if is_mail(found):
        note_heard(facts, found)
    if not is_automatic(found):
        fallback.answered(facts, record, customer, found.id)
    if conversation := choose(facts, found, customer):
        take_in(facts, record, found, conversation)
        return
    linked = named(facts, found, customer)
    if linked and is_strangers(facts, found, linked, customer):
        announce(facts, record, found, linked, flagged="stranger")
    else:
        take_in(facts, record, found, open_conversation(facts, record, found, linked))


def take_in(facts: Facts, record: In, found: Envelope, conversation: Conversation) -> None:
    """The next message of this conversation."""
    go_on(facts, record, conversation, found)
    note_message(facts, conversation, found)
    if found.direction == "inbound":
        note_responder(facts, record, conversation, found.responder, found.occurred_at)
        lift(facts, record, conversation, found)
        addresses.lift(facts, record, conversation, found)
        hear(facts, record, found)
    announce(facts, record, found, conversation)
    silence.note_moved(facts, conversation)


def announce(
    facts: Facts, record: In, found: Envelope, conversation: Conversation, flagged: Literal["stranger"] | None = None
) -> None:
    """The event; what was pending for it follows."""
    ours = found.direction == "outbound"
    answers = note_answer(facts, conversation, found.occurred_at) if ours else {}
    event = emit(
        facts,
        conversation,
        record,
        "message.received",
        {"message": orjson.Fragment(shown(record, found)), **({"flagged": flagged} if flagged else {}), **answers},
        id_=found.id,
        message_id=found.id,
        trail=inbound_trail(record, found),
        home=identity.home(facts, identity.of_envelope(found)),
    )
    if not ours and not flagged:
        note_question(conversation, found, event.sequence)
        silence.note_question(facts, record, conversation, found)
    author = frozenset((found.sender.address, *found.sender.aliases))
    facts.known[found.id] = Known(
        conversation.id,
        found.external_id,
        author,
        ours=ours,
        at=found.occurred_at,
        parts=found.parts,
        external_ids=found.all_external_ids,
        read_mark=found.read_mark,
    )
    for name in found.all_external_ids:
        ref = facts.ref(ref_key(found, "message", name))
        if ref.pending:
            release(facts, record, ref)


def shown(record: In, found: Envelope) -> bytes:
    """As it came, without its route; where somebody else is to answer it, no program of ours may."""
    if found.responder is None or not found.assessment.may_auto_answer:
        return record.value
    reasons = (*found.assessment.reasons, f"somebody else has the thread: {found.responder}")
    judged = found.assessment.model_copy(update={"may_auto_answer": False, "reasons": reasons})
    return encode(found.model_copy(update={"assessment": judged, "route": None}))


def note_name(conversation: Conversation, sender: Party) -> None:
    """What its customer is called from now on, and whether that is more than the customer's own word."""
    if not sender.name:
        return
    conversation.name, signed = sender.name, sender.name if sender.name_verified else None
    if conversation.signed_name != signed:
        conversation.signed_name, conversation.moved = signed, True


def note_message(facts: Facts, conversation: Conversation, found: Envelope) -> None:
    """What the conversation shows of its newest message."""
    conversation.last_at = max(conversation.last_at, found.received_at)
    conversation.preview = preview_of(found.parts)
    if found.external_id:
        conversation.link(found.external_id)
    if found.direction == "inbound":
        conversation.last_external_id = found.external_id or conversation.last_external_id
        note_route(facts, conversation, found)
        note_zone(facts, found)
        if found.container is None or is_beginner(facts, conversation, found):
            note_name(conversation, found.sender)
        if found.container is None and found.answer_to is None and found.peer != conversation.peer:
            facts.move(conversation, found.peer)
        if is_mail(found) and found.thread.subject:
            conversation.subject, conversation.moved = found.thread.subject, True
        said = conversation.last_inbound_at
        if found.window is not None and (said is None or found.occurred_at >= said):
            conversation.last_inbound_at = found.occurred_at
            note_window(conversation, found.window)


def note_zone(facts: Facts, found: Envelope) -> None:
    """Where whoever wrote is now."""
    if found.sender.time_zone and is_zone(found.sender.time_zone):
        facts.zones[identity.here(found, found.sender.address)] = found.sender.time_zone


def is_beginner(facts: Facts, conversation: Conversation, found: Envelope) -> bool:
    """Whether it is by whoever began the conversation: under a post and in a group, others write too."""
    return identity.customer(facts, identity.of_envelope(found)) == facts.person_of(conversation)
