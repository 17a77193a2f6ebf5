"""What is to change of a message that stands at the provider: refused early, ordered behind the message itself, told when it is so."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter

from services.router.fold.events import emit, preview_of, tell_apart
from services.router.fold.facts import Conversation, Facts, Known
from services.router.fold.handovers import responder_after
from services.router.fold.orders import basics, encoded, give
from services.router.fold.responders import note_responder
from services.router.fold.statuses import ENDS
from services.router.fold.windows import able_in
from shared.bus.cloudevents import In
from shared.contract.channel import Capabilities
from shared.contract.codes import Failure
from shared.contract.deliveries import Amend, Amended, Change, HandOver
from shared.contract.envelope import Edit, Envelope, Many, Part, Party, derive, utc
from shared.contract.errors import Refusal
from shared.contract.fit import Bundle, Sendable, fit
from shared.contract.records import INBOUND_LIMIT
from shared.contract.requests import DeleteMessage, EditMessage, OfMessage, ReactMessage, SeenMessage
from shared.runtime.observe import REFUSED

ORDER_LIMIT: Final = INBOUND_LIMIT - 16 * 1024  # bytes: what is told of its end carries it along
OF_OURS: Final[frozenset[Change]] = frozenset({"edit", "delete"})
CHANGES: Final[dict[type[OfMessage], Change]] = {
    EditMessage: "edit",
    DeleteMessage: "delete",
    ReactMessage: "react",
    SeenMessage: "seen",
}
_PARTS: Final[TypeAdapter[tuple[Part, ...]]] = TypeAdapter(Many[Part])


def change(facts: Facts, record: In, asked: OfMessage) -> None:
    """Ordered as whatever is sent there is: in the conversation's lane, so it does not overtake its message."""
    what = CHANGES[type(asked)]
    known, conversation = named_in(facts, asked)
    able = able_in(facts, conversation).shown(conversation.surface, "private" if known.private else "free_text")
    check_change(facts, what, known, able)
    names = names_of(facts, asked.message, known, what)
    if isinstance(asked, EditMessage):
        check_same_shape(asked.parts, known, able)
    emoji = emoji_of(asked, able) if isinstance(asked, ReactMessage) else None
    order = compose(facts, record, conversation, asked, known=known, names=names, emoji=emoji)
    value = encoded(order)
    if len(value) > ORDER_LIMIT:
        raise Refusal("too_long", f"{len(value)} bytes; {ORDER_LIMIT} fit on the bus")
    give(facts, record, conversation, order, value, asked.message)


def named_in(facts: Facts, asked: OfMessage) -> tuple[Known, Conversation]:
    """The message and its conversation. Raises Refusal where this tenant has none of that id, or has removed it."""
    known = facts.known.get(asked.message)
    conversation = facts.conversations.get(known.conversation_id) if known else None
    if known is None or known.at is None or conversation is None or conversation.tenant != asked.tenant:
        raise Refusal("malformed", f"there is no message {asked.message}")
    return known, conversation


def check_change(facts: Facts, what: Change, known: Known, able: Capabilities) -> None:
    if what not in able.changes:
        raise Refusal("unsupported", f"{what}: not on this channel, or its adapter has not said so yet")
    if what in OF_OURS and not known.ours:
        raise Refusal("refused", f"{what}: the message is not ours")
    if what == "seen" and known.ours:
        raise Refusal("refused", "seen: the message is ours")
    within = able.changes[what]
    if within is not None and known.at is not None and known.at + within <= facts.now:
        raise Refusal("expired", f"{what}: the channel took it until {utc(known.at + within)}")


def names_of(facts: Facts, message: uuid.UUID, known: Known, what: Change) -> tuple[tuple[str, ...], ...]:
    """What the provider calls it, by piece; nothing while the adapter alone knows. Of one that failed there may be pieces to delete."""
    sending = facts.sendings.get(message)
    if sending is None:
        if not known.external_ids:
            raise Refusal("unsupported", "the channel has no name for this message")
        return (known.external_ids,)
    found = [tuple(sending.progress.get(str(number), {}).get("ids", ())) for number in range(sending.pieces)]
    if sending.status in ENDS:
        if what != "delete" or not any(found):
            raise Refusal("refused", f"the message was not sent: it is {sending.status}")
        return tuple(filter(None, found))
    return tuple(found) if all(found) else ()


def check_same_shape(parts: Sequence[Part], known: Known, able: Capabilities) -> None:
    """A provider changes what stands in a message, not how many there are, nor which file: what is else is sent anew."""
    wanted, stands = (fit(these, able).pieces for these in (parts, _PARTS.validate_python(known.parts)))
    if list(map(_shape, wanted)) != list(map(_shape, stands)):
        raise Refusal(
            "unsupported",
            "an edit has as many pieces as the message, of the same kinds and with the same files: delete it and send anew",
        )


def _shape(piece: Sendable) -> object:
    match piece:
        case Bundle(part=part, files=files):
            return _shape(part), [file.blob for file in files]
        case _ if piece.kind == "media":
            return "media", piece.blob
        case _:
            return "words" if piece.kind in {"text", "choices"} else piece.kind


def emoji_of(asked: ReactMessage, able: Capabilities) -> str | None:
    """As the channel writes it."""
    if asked.removed and not asked.emoji:
        raise Refusal("malformed", "removed: name the emoji, or leave both out to take back all")
    shown = able.reaction(asked.emoji) if asked.emoji else None
    if asked.emoji and not shown:
        raise Refusal("unsupported", f"the channel shows as a reaction only {' '.join(able.reactions)}")
    return shown


def compose(
    facts: Facts,
    record: In,
    conversation: Conversation,
    asked: OfMessage,
    *,
    known: Known,
    names: tuple[tuple[str, ...], ...],
    emoji: str | None,
) -> Amend:
    return Amend(
        **basics(record, conversation, asked),
        way="private" if known.private else "free_text",
        change=CHANGES[type(asked)],
        message=asked.message,
        written_at=known.at or facts.now,
        ours=known.ours,
        names=names,
        content=asked.parts if isinstance(asked, EditMessage) else (),
        emoji=emoji,
        removed=isinstance(asked, ReactMessage) and asked.removed,
        read_mark=known.read_mark,
    )


def amended(facts: Facts, record: In) -> None:
    """What became of it, once: the adapter tells it until Kafka has acknowledged it."""
    found: Amended = record.model
    once = told_of(found)
    if once not in facts.fresh:
        return
    facts.fresh.discard(once)
    order = found.order
    name, data = refused(order, found.failure) if found.failure else outcome_of(facts, found)
    data |= {"request_id": order.request_id}
    conversation = facts.conversations.get(order.conversation)
    at = found.occurred_at
    trail: list[dict[str, object]] = [
        {"place": "provider", "at": at},
        {"place": "delivery", "at": max(record.at, at)},
    ]
    if found.taken_at:
        trail.insert(0, {"place": "outbound", "at": found.taken_at})
    if conversation is None:
        tell_apart(facts, record, name, data, trail=trail)
        return
    if isinstance(order, HandOver) and found.failure is None:
        responder = responder_after(order)
        note_responder(facts, record, conversation, responder, at, request_id=order.request_id, trail=trail)
        return
    if isinstance(order, Amend) and order.change in OF_OURS and found.failure is None:
        show_change(facts, conversation, order)
    message_id = order.message if isinstance(order, Amend) else None
    emit(facts, conversation, record, name, data, message_id=message_id, trail=trail)


def told_of(found: Amended) -> uuid.UUID:
    """By which an outcome is known to have been told."""
    return derive("delivery", found.order.id)


def outcome_of(facts: Facts, found: Amended) -> tuple[str, dict[str, Any]]:
    """The event's name and what it says: as if the change had been seen at the provider, by the account."""
    order = found.order
    if isinstance(order, HandOver):
        return "conversation.responder", {"responder": responder_after(order)}
    name = found.external_id or str(order.message)
    about: dict[str, Any] = {"message_id": str(order.message), "external_id": name}
    match order.change:
        case "edit":
            message = as_envelope(order, name, found.occurred_at)
            return "message.edited", about | {"message": message.model_dump(exclude_none=True)}
        case "delete":
            return "message.deleted", about
        case "seen":
            return "message.seen", about
        case "react":
            able = facts.capabilities.get((order.tenant, order.channel, order.account))
            replaces = bool(order.emoji) and not order.removed and (able is None or able.one_reaction)
            said = {"emoji": order.emoji, "removed": order.removed, "replaces": replaces}
            return "message.reaction", about | said | {"sender": {"address": order.account}}


def refused(order: Amend | HandOver, failure: Failure) -> tuple[str, dict[str, Any]]:
    """The event's name and what it says of a provider's no."""
    REFUSED.labels(failure.code).inc()
    about = {"request_type": f"request.{order.change}", "failure": failure.model_dump(mode="json")}
    return "request.refused", about


def as_envelope(order: Amend, name: str, at: datetime) -> Envelope:
    return Envelope(
        id=order.id,
        tenant=order.tenant,
        channel=order.channel,
        account=order.account,
        direction="outbound",
        peer=order.peer,
        external_id=name,
        sender=Party(address=order.account),
        surface=order.surface,
        thread=order.thread,
        parts=(Edit(target=name), *order.content),
        occurred_at=at,
        received_at=at,
    )


def show_change(facts: Facts, conversation: Conversation, order: Amend) -> None:
    """Where the conversation's newest words are this message's, they read so now."""
    known = facts.known.get(order.message)
    if known and known.parts and conversation.preview == preview_of(_PARTS.validate_python(known.parts)):
        conversation.preview, conversation.changed = preview_of(order.content), True
