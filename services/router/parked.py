"""What came ahead of its message waits at the name of that message, and is applied right after it."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any, Final

from services.router.amendments import apply_amendment
from services.router.facts import Facts, Ref
from services.router.progress import apply_receipt
from shared.bus import In
from shared.envelope import Envelope

PARKED_LIMIT: Final = 100  # what may wait for one message that never came
PARKED_BYTES: Final = 2 * 1024 * 1024  # of it altogether


def park(ref: Ref, record: In, found: Envelope) -> None:
    waiting = sum(len(item.get("envelope", "")) for item in ref.parked)
    if len(ref.parked) < PARKED_LIMIT and waiting + len(record.value) <= PARKED_BYTES:
        ref.parked.append({"envelope": base64.b64encode(record.value).decode(), "id": record.id})
        ref.changed = True


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
