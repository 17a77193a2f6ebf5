"""An order to an adapter that changes something at the provider: what each says, and how it goes out."""

from __future__ import annotations

import uuid
from typing import Any

from services.router.fold.events import emit
from services.router.fold.facts import Conversation, Emission, Facts
from shared.bus.cloudevents import In
from shared.contract.codes import CHANNELS
from shared.contract.deliveries import Amend, HandOver, Withdraw
from shared.contract.envelope import Thread, requested_id
from shared.contract.records import BY_MODEL, outbound_topic
from shared.contract.requests import Request


def basics(record: In, conversation: Conversation, asked: Request) -> dict[str, Any]:
    """What every order says: its id follows from the request's, and it has the next place of its conversation."""
    return {
        "id": requested_id(asked.tenant, record.id),
        "tenant": conversation.tenant,
        "channel": conversation.channel,
        "account": conversation.account,
        "peer": conversation.peer,
        "conversation": conversation.id,
        "sequence": conversation.last_sequence + 1,
        "request_id": record.id,
        "thread": Thread(thread_key=conversation.thread_key),
        "surface": conversation.surface,
        "not_after": asked.expires_at,
        "requested_at": record.at,
    }


def encoded(order: Amend | HandOver | Withdraw) -> bytes:
    return order.model_dump_json(exclude_none=True).encode()


def give(
    facts: Facts,
    record: In,
    conversation: Conversation,
    order: Amend | HandOver | Withdraw,
    value: bytes,
    message_id: uuid.UUID | None = None,
) -> None:
    """`request.accepted` gives it its place, and the adapter gets it in the conversation's lane."""
    about = {"message_id": str(message_id)} if message_id else {}
    accepted = emit(
        facts,
        conversation,
        record,
        "request.accepted",
        {"request_id": record.id, "request_type": record.name, **about},
        message_id=message_id,
        trail=({"place": "requests", "at": record.at},),
    )
    hand_over(facts, record, conversation, order, value, accepted.sequence)


def withdraw(facts: Facts, record: In, conversation: Conversation, about: dict[str, Any], message: uuid.UUID) -> None:
    """What the router does not want to be sent any more of itself; `about`: what `plan.withdrawn` says, which gives it its place."""
    order = Withdraw(**basics(record, conversation, Request(tenant=conversation.tenant)), message=message)
    told = emit(facts, conversation, record, "plan.withdrawn", about | {"message_id": str(message)}, message_id=message)
    hand_over(facts, record, conversation, order, encoded(order), told.sequence)


def hand_over(
    facts: Facts,
    record: In,
    conversation: Conversation,
    order: Amend | HandOver | Withdraw,
    value: bytes,
    sequence: int,
) -> None:
    """Into the conversation's lane, at this place."""
    facts.emissions.append(
        Emission(
            topic=outbound_topic(CHANNELS[conversation.channel]),
            conversation_id=conversation.id,
            sequence=sequence,
            name=BY_MODEL[type(order)],
            id=order.id,
            tenant=conversation.tenant,
            at=facts.now,
            value=value,
            traceparent=record.traceparent,
            stored=False,
        )
    )
