"""The fold: what a record means, given the facts. Pure: no I/O, no clock; it changes the facts and adds emissions to them."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from services.router import identity, outbound, statuses
from services.router.events import announce_opening, emit, inbound_trail, pass_by, preview_of
from services.router.facts import Conversation, Facts, Known, PeerKey, Ref, RefKey, Sending
from services.router.threads import choose, ref_key, thread_ref
from shared.bus import In
from shared.envelope import Deletion, Edit, Envelope, Reaction, derive
from shared.records import EVENTS, Delivery, Failure, MediaUpdate, Status, Typing

PARKED_LIMIT: Final = 100  # what may wait for one message that never came
PARKED_BYTES: Final = 2 * 1024 * 1024  # of it altogether


def decide(facts: Facts, record: In) -> None:
    """Apply one record. What it says twice is applied once."""
    rule = RULES.get(type(record.model))
    if rule is not None:
        rule(facts, record)
    elif record.name.startswith("request."):
        outbound.request(facts, record)


# messages -----------------------------------------------------------------------------------------------------------


def envelope(facts: Facts, record: In) -> None:
    """A message, an echo, or something about an earlier message; each id once, for ever."""
    found: Envelope = record.model
    if found.id not in facts.fresh:
        return
    facts.fresh.discard(found.id)
    if isinstance(found.parts[0], Edit | Deletion | Reaction):
        amend(facts, record, found)
    elif found.direction == "outbound":
        echo(facts, record, found)
    else:
        receive(facts, record, found)


def receive(facts: Facts, record: In, found: Envelope) -> None:
    """A message goes to its conversation, or opens one."""
    customer = identity.customer(facts, identity.of_envelope(found))
    take_in(facts, record, found, choose(facts, found, customer) or open_conversation(facts, record, found, customer))


def take_in(facts: Facts, record: In, found: Envelope, conversation: Conversation) -> None:
    """The next message of this conversation; what was parked for it follows."""
    note_message(conversation, found)
    emit(
        facts,
        conversation,
        record,
        "message.received",
        {"message": orjson.Fragment(record.value)},
        id_=found.id,
        message_id=found.id,
        trail=inbound_trail(record, found),
    )
    facts.known[found.id] = Known(conversation.id, found.external_id)
    for name in found.all_external_ids:
        ref = facts.ref(ref_key(found, "message", name))
        if ref.parked:
            release(facts, record, ref)


def note_message(conversation: Conversation, found: Envelope) -> None:
    """What the conversation shows of its newest message."""
    conversation.last_at = max(conversation.last_at, found.received_at)
    conversation.preview = preview_of(found.parts)
    if found.direction == "inbound":
        conversation.last_inbound_at = found.occurred_at
        conversation.last_external_id = found.external_id or conversation.last_external_id
        conversation.name = found.sender.name or conversation.name
        if found.window.until or conversation.window:
            conversation.window = found.window.model_dump(mode="json", exclude_none=True)
            conversation.moved = True


def open_conversation(facts: Facts, record: In, found: Envelope, customer: uuid.UUID | None) -> Conversation:
    """Rule 6: its id follows from its first message."""
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
            subject=found.thread.subject,
            name=found.sender.name,
        )
    )
    if thread := thread_ref(found):
        ref = facts.ref(thread)
        ref.conversation_id, ref.changed = conversation.id, True
    announce_opening(facts, record, conversation, found.window.model_dump(mode="json", exclude_none=True))
    return conversation


# what is about an earlier message -----------------------------------------------------------------------------------


def amend(facts: Facts, record: In, found: Envelope) -> None:
    """An edit, a deletion or a reaction: applied to its message, or parked until that one comes."""
    target = getattr(found.parts[0], "target", "")
    ref = facts.ref(ref_key(found, "message", target))
    known = facts.known.get(ref.message_id) if ref.message_id else None
    if known is None:
        park(ref, record, found)
    else:
        apply_amendment(facts, record, found, ref, known)


def park(ref: Ref, record: In, found: Envelope) -> None:
    waiting = sum(len(item.get("envelope", "")) for item in ref.parked)
    if len(ref.parked) < PARKED_LIMIT and waiting + len(record.value) <= PARKED_BYTES:
        ref.parked.append({"envelope": base64.b64encode(record.value).decode(), "id": record.id})
        ref.changed = True


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
        case Reaction():
            said = {"sender": found.sender.model_dump(mode="json", exclude_none=True), "emoji": part.emoji}
            emit(facts, conversation, record, "message.reaction", about | said, message_id=ref.message_id, trail=trail)


def show_change(conversation: Conversation, ref: Ref, text: str) -> None:
    """The conversation's newest message now reads so."""
    if ref.key.external_id == conversation.last_external_id:
        conversation.preview = text


def release(facts: Facts, record: In, ref: Ref) -> None:
    """Apply what came ahead of the message that this name now belongs to."""
    waiting, ref.parked, ref.changed = ref.parked, [], True
    for item in waiting:
        if "envelope" in item:
            early = reread(record, item)
            known = facts.known.get(ref.message_id) if ref.message_id else None
            if known:
                apply_amendment(facts, early, early.model, ref, known)
        else:
            apply_receipt(facts, record, ref, item["status"], datetime.fromisoformat(item["at"]), item.get("failure"))


def reread(record: In, item: dict[str, Any]) -> In:
    """A parked record as if it came now."""
    value = base64.b64decode(item["envelope"])
    return In(
        name="inbound",
        id=item["id"],
        tenant=record.tenant,
        traceparent=record.traceparent,
        model=Envelope.model_validate_json(value),
        value=value,
        key=record.key,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at=record.at,
    )


# echoes -------------------------------------------------------------------------------------------------------------


def echo(facts: Facts, record: In, found: Envelope) -> None:
    """Our own send is joined by its external id or join key; while a send to that peer is open, it waits; else it is a message."""
    own = sending_of_echo(facts, found)
    if own is not None:
        join(facts, record, found, own)
        return
    customer = identity.customer(facts, identity.of_envelope(found))
    conversation = choose(facts, found, customer)
    if conversation is not None and is_sending(facts, conversation):
        names = [list(name) for name in names_of_echo(found)]
        conversation.parked.append(
            {"envelope": base64.b64encode(record.value).decode(), "id": record.id, "names": names}
        )
        conversation.changed = conversation.moved = True
        return
    receive(facts, record, found)
    claim_names(facts, found)


def is_sending(facts: Facts, conversation: Conversation) -> bool:
    return any(sending.status == "queued" for sending in facts.sent_in(conversation.id))


def names_of_echo(found: Envelope) -> list[RefKey]:
    """What it may be joined by."""
    names = [ref_key(found, "message", name) for name in found.all_external_ids]
    return [*names, ref_key(found, "join", found.join_key)] if found.join_key else names


def sending_of_echo(facts: Facts, found: Envelope) -> tuple[Sending, int] | None:
    for name in names_of_echo(found):
        ref = facts.ref(name)
        if ref.message_id and (sending := facts.sendings.get(ref.message_id)):
            return sending, ref.piece
    return None


def join(facts: Facts, record: In, found: Envelope, own: tuple[Sending, int]) -> None:
    """The echo proves that the piece was sent, and may tell what the provider calls it."""
    sending, piece = own
    for name in found.all_external_ids:
        bind(facts, ref_key(found, "message", name), sending, piece)
    advance(facts, record, sending, piece=piece, status="sent", at=found.occurred_at, ids=found.all_external_ids)
    for name in found.all_external_ids:
        ref = facts.ref(ref_key(found, "message", name))
        if ref.parked:
            release(facts, record, ref)


def claim_names(facts: Facts, found: Envelope) -> None:
    """Written at the account by someone else: an outbound message of the conversation, so that the thread is whole."""
    for name in found.all_external_ids:
        ref = facts.ref(ref_key(found, "message", name))
        if ref.message_id is None:
            ref.message_id, ref.changed = found.id, True


def settle_echoes(facts: Facts, record: In, conversation: Conversation) -> None:
    """After a send has got its names: join the echoes that are its own; when no send is open, the others are messages."""
    if not conversation.parked:
        return
    waiting, conversation.parked = conversation.parked, []
    conversation.changed = conversation.moved = True
    still_sending = is_sending(facts, conversation)
    for item in waiting:
        early = reread(record, item)
        own = sending_of_echo(facts, early.model)
        if own is not None:
            join(facts, early, early.model, own)
        elif still_sending:
            conversation.parked.append(item)
        else:
            take_in(facts, early, early.model, conversation)
            claim_names(facts, early.model)


# deliveries ---------------------------------------------------------------------------------------------------------


def delivery(facts: Facts, record: In) -> None:
    """What an adapter says of our own send, what a provider says by external id, or a watermark."""
    found: Delivery = record.model
    if found.message_id is not None:
        report(facts, record, found)
    elif found.watermark is not None:
        watermark(facts, record, found)
    else:
        for key in delivery_refs(found):
            receipt(facts, record, facts.ref(key), found)


def delivery_refs(found: Delivery) -> list[RefKey]:
    keys = [RefKey(found.tenant, found.channel, found.account, "message", name) for name in found.external_ids]
    if found.join_key:
        keys.append(RefKey(found.tenant, found.channel, found.account, "join", found.join_key))
    return keys


def report(facts: Facts, record: In, found: Delivery) -> None:
    """The adapter's own word on one piece of one attempt."""
    sending = facts.sendings.get(found.message_id) if found.message_id else None
    if sending is None or found.attempt != sending.attempt:
        return
    sending.pieces = max(sending.pieces, found.pieces)
    for key in delivery_refs(found):
        bind(facts, key, sending, found.piece)
    advance(
        facts,
        record,
        sending,
        piece=found.piece,
        status=found.status,
        at=found.occurred_at,
        ids=found.external_ids,
        failure=found.failure,
        taken_at=found.taken_at,
    )
    for key in delivery_refs(found):
        ref = facts.ref(key)
        if ref.parked:
            release(facts, record, ref)
    conversation = facts.conversations.get(sending.conversation_id)
    if conversation is not None:
        catch_up(facts, record, conversation, sending)
        settle_echoes(facts, record, conversation)


def bind(facts: Facts, key: RefKey, sending: Sending, piece: int) -> None:
    """This name is this piece from now on, even if an echo of it was taken for a message before."""
    ref = facts.ref(key)
    if ref.message_id not in facts.sendings:
        ref.message_id, ref.piece, ref.changed = sending.message_id, piece, True


def receipt(facts: Facts, record: In, ref: Ref, found: Delivery) -> None:
    """A receipt binds to its attempt by external id; one that overtakes its own send is parked, not dropped."""
    failure = found.failure.model_dump(mode="json") if found.failure else None
    if ref.message_id is not None:
        apply_receipt(facts, record, ref, found.status, found.occurred_at, failure)
    elif len(ref.parked) < PARKED_LIMIT:
        ref.parked.append({"status": found.status, "at": found.occurred_at.isoformat(), "failure": failure})
        ref.changed = True


def apply_receipt(
    facts: Facts, record: In, ref: Ref, status: Status, at: datetime, failure: dict[str, Any] | None
) -> None:
    sending = facts.sendings.get(ref.message_id) if ref.message_id else None
    if sending is not None:
        why = Failure.model_validate(failure) if failure else None
        advance(facts, record, sending, piece=ref.piece, status=status, at=at, failure=why)


def watermark(facts: Facts, record: In, found: Delivery) -> None:
    """Everything sent until then has this status; it is kept, for sends that are recorded later."""
    until = found.watermark or found.occurred_at
    for conversation in facts.with_peer(PeerKey(found.tenant, found.channel, found.account, found.peer)):
        if found.status == "read":
            conversation.read_to = max(conversation.read_to or until, until)
        else:
            conversation.delivered_to = max(conversation.delivered_to or until, until)
        conversation.changed = conversation.moved = True
        for sending in facts.sent_in(conversation.id):
            catch_up(facts, record, conversation, sending)


def sent_by(piece: dict[str, Any], moment: datetime) -> bool:
    return "sent_at" in piece and datetime.fromisoformat(piece["sent_at"]) <= moment


def catch_up(facts: Facts, record: In, conversation: Conversation, sending: Sending) -> None:
    """Apply the conversation's watermarks to each piece that was sent before them."""
    marks: tuple[tuple[Status, datetime | None], ...] = (
        ("delivered", conversation.delivered_to),
        ("read", conversation.read_to),
    )
    for status, until in marks:
        for number, piece in tuple(sending.progress.items()):
            if until and piece["status"] in {"sent", "delivered"} and sent_by(piece, until):
                advance(facts, record, sending, piece=int(number), status=status, at=until)


def advance(
    facts: Facts,
    record: In,
    sending: Sending,
    *,
    piece: int,
    status: Status,
    at: datetime,
    ids: tuple[str, ...] = (),
    failure: Failure | None = None,
    taken_at: datetime | None = None,
) -> None:
    """Note how far a piece is; an event when the whole message has moved."""
    moved = statuses.progress(
        sending,
        piece=piece,
        status=status,
        at=at,
        external_ids=ids,
        failure=failure,
    )
    if status == "sent":
        sending.progress[str(piece)].setdefault("sent_at", at.isoformat())
    conversation = facts.conversations.get(sending.conversation_id)
    if not moved or conversation is None:
        return
    trail: list[Mapping[str, object]] = [
        {"place": "provider", "at": at},
        {"place": "delivery", "at": max(record.at, at)},
    ]
    if taken_at:
        trail.insert(0, {"place": "outbound", "at": taken_at})
    first_failure = statuses.failure_of(sending)
    emit(
        facts,
        conversation,
        record,
        "message.status",
        {
            "message_id": str(sending.message_id),
            "status": sending.status,
            "external_ids": sending.external_ids,
            "attempt": sending.attempt,
            "request_id": sending.request_id,
            **({"failure": first_failure.model_dump(mode="json")} if first_failure else {}),
        },
        message_id=sending.message_id,
        trail=trail,
    )


# the rest -----------------------------------------------------------------------------------------------------------


def media(facts: Facts, record: In) -> None:
    """What became of a file of a message."""
    found: MediaUpdate = record.model
    known = facts.known.get(found.message_id)
    conversation = facts.conversations.get(known.conversation_id) if known else None
    once = derive("media", found.message_id, found.part, found.state)
    if conversation is None or once not in facts.fresh:
        return
    facts.fresh.discard(once)
    data = {"media": orjson.Fragment(record.value)}
    emit(facts, conversation, record, "message.media", data, message_id=found.message_id,
         trail=[{"place": "inbound", "at": record.at}])  # fmt: skip


def typing(facts: Facts, record: In) -> None:
    """Whoever has the conversation before them may see it for a moment."""
    found: Typing = record.model
    for conversation in facts.with_peer(PeerKey(found.tenant, found.channel, found.account, found.peer)):
        if conversation.status == "open":
            value = {"customer": conversation.customer_id, "peer": found.peer}
            pass_by(facts, conversation, record, "conversation.typing", topic=EVENTS, value=value)


RULES: Final[dict[type[object], Callable[[Facts, In], None]]] = {
    Envelope: envelope,
    Delivery: delivery,
    MediaUpdate: media,
    Typing: typing,
}
