"""How far a message of ours is: each piece moves forward, and the message with its slowest one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from services.router import statuses
from services.router.events import emit
from services.router.facts import Conversation, Facts, Ref, Sending
from shared.bus import In
from shared.records import Failure, Status

MARKED: Final[tuple[Status, ...]] = ("delivered", "read")  # what a watermark can say, in the order in which it happens


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
        note_sent(sending, piece=piece, at=at)
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


def note_sent(sending: Sending, *, piece: int, at: datetime) -> None:
    """The earliest time that anybody tells: the provider's, in an echo, is the one that its watermarks are measured by, and
    our own report is always behind it.
    """
    row = sending.progress[str(piece)]
    if "sent_at" not in row or at < datetime.fromisoformat(row["sent_at"]):
        row["sent_at"] = at.isoformat()
        sending.changed = True


def note_key(sending: Sending, *, piece: int, key: str) -> None:
    """By what its echo will be known, as long as the piece has no name."""
    sending.progress[str(piece)]["join"] = key
    sending.changed = True


def sent_by(piece: dict[str, Any], moment: datetime) -> bool:
    return "sent_at" in piece and datetime.fromisoformat(piece["sent_at"]) <= moment


def catch_up(facts: Facts, record: In, conversation: Conversation, sending: Sending) -> None:
    """Apply the conversation's watermarks to each piece that was sent before them."""
    marks: dict[Status, datetime | None] = {"delivered": conversation.delivered_to, "read": conversation.read_to}
    for number in tuple(sending.progress):
        measure(facts, record, sending, int(number), marks)


def measure(facts: Facts, record: In, sending: Sending, number: int, marks: Mapping[Status, datetime | None]) -> None:
    """What watermarks say of one piece."""
    piece = sending.progress[str(number)]
    for status in MARKED:
        until = marks.get(status)
        if until and piece["status"] in {"sent", "delivered"} and sent_by(piece, until):
            advance(facts, record, sending, piece=number, status=status, at=until)


def apply_receipt(
    facts: Facts, record: In, ref: Ref, status: Status, at: datetime, failure: dict[str, Any] | None
) -> None:
    sending = facts.sendings.get(ref.message_id) if ref.message_id else None
    if sending is not None:
        why = Failure.model_validate(failure) if failure else None
        advance(facts, record, sending, piece=ref.piece, status=status, at=at, failure=why)
