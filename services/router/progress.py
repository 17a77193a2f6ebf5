"""How far a message of ours is: each piece moves forward, and the message with its slowest one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.router import statuses
from services.router.events import emit
from services.router.facts import Facts, Ref, Sending
from shared.bus import In
from shared.records import Failure, Status


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


def apply_receipt(
    facts: Facts, record: In, ref: Ref, status: Status, at: datetime, failure: dict[str, Any] | None
) -> None:
    sending = facts.sendings.get(ref.message_id) if ref.message_id else None
    if sending is not None:
        why = Failure.model_validate(failure) if failure else None
        advance(facts, record, sending, piece=ref.piece, status=status, at=at, failure=why)
