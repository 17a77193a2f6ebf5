"""Events: the next one of a conversation, numbered and timed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from services.router.fold.facts import Atom, Conversation, Emission, Facts
from shared.bus.cloudevents import In
from shared.contract.envelope import Envelope, Part, Window, derive
from shared.contract.errors import TooLarge
from shared.contract.records import EVENTS, RECORD_LIMIT

EVENT_LIMIT: Final = RECORD_LIMIT - 64 * 1024  # bytes of a value; the rest is for key and headers


def emit(
    facts: Facts,
    conversation: Conversation,
    record: In,
    name: str,
    data: dict[str, Any],
    *,
    id_: uuid.UUID | None = None,
    message_id: uuid.UUID | None = None,
    trail: Sequence[Mapping[str, object]] = (),
    home: uuid.UUID | None = None,
) -> Emission:
    """The next event of a conversation. `home`: whose the message is that it announces. Its id follows from its cause, so that a replay makes the same one.

    Raises TooLarge before it has a sequence: a row of the outbox that Kafka refuses would hold up all that follow.
    """
    content = {
        "tenant": conversation.tenant,
        "conversation": conversation.id,
        "customer": facts.person_of(conversation),
        "home": conversation.customer_id,
        "sequence": conversation.last_sequence + 1,
        "occurred_at": facts.now,
        "cause": record.id,
        "trail": [*trail, {"place": "router", "at": facts.now}],
        **data,
    }
    value = dump(content)
    if len(value) > EVENT_LIMIT:
        raise TooLarge(f"{name}: {len(value)} bytes")
    conversation.last_sequence += 1
    conversation.changed = True
    emission = Emission(
        topic=EVENTS,
        conversation_id=conversation.id,
        sequence=conversation.last_sequence,
        name=name,
        id=id_ or derive("event", record.tenant, record.id, name, facts.index(record.id, name)),
        tenant=conversation.tenant,
        at=facts.now,
        value=value,
        traceparent=record.traceparent,
        message_id=message_id,
        home=home if home != conversation.customer_id else None,
    )
    facts.emissions.append(emission)
    return emission


def tell_customer(facts: Facts, record: In, atom: Atom, name: str, data: Mapping[str, Any]) -> None:
    """The next event of a customer, whose id is its key and whose sequence it counts."""
    atom.last_sequence += 1
    atom.changed = True
    content = {
        "tenant": atom.tenant,
        "customer": atom.id,
        "sequence": atom.last_sequence,
        "occurred_at": facts.now,
        "cause": record.id,
        "trail": [{"place": "router", "at": facts.now}],
        **data,
    }
    facts.emissions.append(
        Emission(
            topic=EVENTS,
            conversation_id=atom.id,
            sequence=atom.last_sequence,
            name=name,
            id=derive("event", record.tenant, record.id, name, facts.index(record.id, name)),
            tenant=atom.tenant,
            at=facts.now,
            value=dump(content),
            traceparent=record.traceparent,
        )
    )


def tell_apart(
    facts: Facts,
    record: In,
    name: str,
    data: Mapping[str, Any],
    *,
    customer: uuid.UUID | None = None,
    once: uuid.UUID | None = None,
    trail: Sequence[Mapping[str, object]] = (),
) -> None:
    """An event that belongs to no conversation: without a sequence, keyed and told apart by its `ce_id`, which is `once`."""
    once = once or derive("apart", record.tenant, record.id, name, facts.index(record.id, name))
    content = {
        "tenant": record.tenant,
        **({"customer": customer} if customer else {}),
        "occurred_at": facts.now,
        "cause": record.id,
        "trail": [*trail, {"place": "router", "at": facts.now}],
        **data,
    }
    value = dump(content)
    if len(value) > EVENT_LIMIT:
        raise TooLarge(f"{name}: {len(value)} bytes")
    facts.emissions.append(
        Emission(
            topic=EVENTS,
            conversation_id=once,
            sequence=0,
            name=name,
            id=once,
            tenant=record.tenant,
            at=facts.now,
            value=value,
            traceparent=record.traceparent,
            stored=False,
        )
    )


def pass_by(
    facts: Facts, conversation: Conversation, record: In, name: str, *, topic: str, value: Mapping[str, object]
) -> None:
    """Something fleeting: no sequence, not stored, sent once."""
    facts.fleeting.append(
        Emission(
            topic=topic,
            conversation_id=conversation.id,
            sequence=0,
            name=name,
            id=derive("fleeting", name, record.id, conversation.id),
            tenant=conversation.tenant,
            at=facts.now,
            value=dump(
                {"tenant": conversation.tenant, "conversation": conversation.id, "occurred_at": facts.now, **value}
            ),
            traceparent=record.traceparent,
        )
    )


def dump(content: object) -> bytes:
    """JSON with times in UTC as RFC 3339 writes them; ids come from PostgreSQL in a class of asyncpg's."""
    return orjson.dumps(content, default=str, option=orjson.OPT_UTC_Z)


def announce_opening(
    facts: Facts, record: In, conversation: Conversation, window: Window, linked: uuid.UUID | None = None
) -> None:
    about = {"subject": conversation.subject, "container": conversation.container, "linked": linked}
    emit(
        facts,
        conversation,
        record,
        "conversation.opened",
        {
            "channel": conversation.channel,
            "account": conversation.account,
            "peer": conversation.peer,
            "surface": conversation.surface,
            "window": window.model_dump(mode="json", exclude_none=True),
            **{name: value for name, value in about.items() if value},
        },
        id_=conversation.id,
    )


def inbound_trail(record: In, envelope: Envelope) -> Sequence[Mapping[str, object]]:
    """The log knows whole milliseconds only, so that by its time a record may seem older than what it was made from."""
    received_at = envelope.received_at
    door = "smtp" if envelope.surface == "email" else "webhook"
    return ({"place": door, "at": received_at}, {"place": "inbound", "at": max(record.at, received_at)})


def preview_of(parts: Iterable[Part]) -> str:
    """The beginning of its text, or the word for what it is."""
    kind = ""
    for part in parts:
        kind = kind or part.kind
        if text := getattr(part, "text", None) or getattr(part, "caption", None):
            return str(text)[:160]
    return kind
