"""What came ahead of its message waits at the name of that message, and is applied right after it."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any, Final

import orjson

from services.router.fold.amendments import apply_amendment, may_amend, may_become_known, tell_unknown
from services.router.fold.events import emit
from services.router.fold.facts import Facts, Known, Ref
from services.router.fold.progress import apply_receipt
from shared.bus.cloudevents import In
from shared.contract.deliveries import MediaUpdate
from shared.contract.envelope import Envelope
from shared.runtime.observe import UNTOLD

PENDING_LIMIT: Final = 100  # what may wait for one message that never came
PENDING_BYTES: Final = 2 * 1024 * 1024  # of it altogether


def amend(facts: Facts, record: In, found: Envelope, ref: Ref) -> None:
    """Applied to its message. Where that one is not known yet it waits for it, and is told at once unless it stands behind
    it in the same batch; so nothing is lost by what waits in vain, or is more than may wait.
    """
    known = facts.known.get(ref.message_id) if ref.message_id else None
    if known is None:
        comes = ref.message_id in facts.fresh
        if not comes:
            tell_unknown(facts, record, found)
        keep(ref, record, told=not comes)
    elif may_amend(facts, found, ref, known):
        apply_amendment(facts, record, found, ref, known)
    else:
        tell_unknown(facts, record, found)
        if may_become_known(facts, ref, known):
            keep(ref, record, told=True)


def keep(ref: Ref, record: In, *, told: bool) -> None:
    waiting = sum(len(item.get("envelope", "")) for item in ref.pending)
    if len(ref.pending) < PENDING_LIMIT and waiting + len(record.value) <= PENDING_BYTES:
        ref.pending.append({"envelope": base64.b64encode(record.value).decode(), "id": record.id, "told": told})
        ref.changed = True
    else:
        UNTOLD.labels("full").inc()


def keep_receipt(ref: Ref, status: dict[str, Any]) -> None:
    """One of each status is all that it can say of its message."""
    ref.pending = [item for item in ref.pending if item.get("status") != status["status"]] + [status]
    ref.changed = True
    UNTOLD.labels("receipt_waits").inc()


def release(facts: Facts, record: In, ref: Ref) -> None:
    """Apply what came ahead of the message that this name now belongs to."""
    waiting, ref.pending, ref.changed = ref.pending, [], True
    known = facts.known.get(ref.message_id) if ref.message_id else None
    for item in waiting:
        if "envelope" in item and known:
            settle(facts, record, ref, known, item)
        elif "media" in item and known:
            settle_media(facts, record, known, item)
        elif "status" in item:
            apply_receipt(facts, record, ref, item, datetime.fromisoformat(item["at"]))


def settle(facts: Facts, record: In, ref: Ref, known: Known, item: dict[str, Any]) -> None:
    early = reread(record, item)
    if may_amend(facts, early.model, ref, known):
        apply_amendment(facts, early, early.model, ref, known)
    elif may_become_known(facts, ref, known):
        ref.pending.append(item)
    elif not item.get("told"):
        tell_unknown(facts, early, early.model)


def settle_media(facts: Facts, record: In, known: Known, item: dict[str, Any]) -> None:
    """A file that was stored while its message waited."""
    value = base64.b64decode(item["media"])
    media = MediaUpdate.model_validate_json(value)
    if conversation := facts.conversations.get(known.conversation_id):
        data = {"media": orjson.Fragment(value)}
        emit(facts, conversation, record, "message.media", data, message_id=media.message_id)


def reread(record: In, item: dict[str, Any]) -> In:
    """A pending record as if it came now."""
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
