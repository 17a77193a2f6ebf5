"""The fold: what a record means, given the facts. Pure: no I/O, no clock; it changes the facts and adds emissions to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import orjson

from services.router import outbound, participants
from services.router.amendments import apply_amendment
from services.router.echoes import echo
from services.router.events import emit, pass_by
from services.router.facts import Facts, PeerKey
from services.router.messages import receive
from services.router.parked import park
from services.router.receipts import delivery
from services.router.threads import ref_key
from shared.bus import In
from shared.envelope import AMENDS, Envelope, derive
from shared.records import EVENTS, Delivery, MediaUpdate, ProfileUpdate, Typing


def decide(facts: Facts, record: In) -> None:
    """Apply one record. What it says twice is applied once."""
    rule = RULES.get(type(record.model))
    if rule is not None:
        rule(facts, record)
    elif record.name.startswith("request."):
        outbound.request(facts, record)


def envelope(facts: Facts, record: In) -> None:
    """A message, an echo, or something about an earlier message; each id once, for ever."""
    found: Envelope = record.model
    if found.id not in facts.fresh:
        return
    facts.fresh.discard(found.id)
    if isinstance(found.parts[0], AMENDS):
        amend(facts, record, found)
    elif found.direction == "outbound":
        echo(facts, record, found)
    else:
        receive(facts, record, found)


def amend(facts: Facts, record: In, found: Envelope) -> None:
    """What is about an earlier message is applied to it, or parked until that one comes."""
    target = getattr(found.parts[0], "target", "")
    ref = facts.ref(ref_key(found, "message", target))
    known = facts.known.get(ref.message_id) if ref.message_id else None
    if known is None:
        park(ref, record, found)
    else:
        apply_amendment(facts, record, found, ref, known)


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
    ProfileUpdate: participants.learn,
    Typing: typing,
}
