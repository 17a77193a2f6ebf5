"""How far a message of ours is: each piece moves forward, and the message with its slowest one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, cast

from services.router.fold import addresses, statuses
from services.router.fold.alarms import arm
from services.router.fold.events import emit
from services.router.fold.facts import Conversation, Facts, Ref, Sending
from services.router.fold.fallback import WAY
from services.router.fold.work import note_status
from shared.bus.cloudevents import In
from shared.contract.codes import Failure, Status, advances
from shared.contract.deliveries import Cost
from shared.runtime.observe import UNTOLD

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
    cost: Cost | None = None,
    taken_at: datetime | None = None,
) -> None:
    """Note how far a piece is; an event when that is news of the message (statuses.py:progress)."""
    moved = statuses.progress(
        sending,
        piece=piece,
        status=status,
        at=at,
        external_ids=ids,
        failure=failure,
        cost=cost,
    )
    if status == "sent":
        note_sent(sending, piece=piece, at=at)
    if not moved:
        return
    tell(facts, record, sending, at=at, taken_at=taken_at)
    if failure and (conversation := facts.conversations.get(sending.conversation_id)):
        addresses.note_failure(facts, record, conversation, failure, at)


def tell(facts: Facts, record: In, sending: Sending, *, at: datetime, taken_at: datetime | None = None) -> None:
    """The message and its pieces as they are now."""
    conversation = facts.conversations.get(sending.conversation_id)
    if conversation is None:
        return
    if sending.plan is not None and sending.status != "sent":
        arm(facts, sending.plan, WAY, facts.now)
    trail: list[Mapping[str, object]] = [
        {"place": "provider", "at": at},
        {"place": "delivery", "at": max(record.at, at)},
    ]
    if taken_at:
        trail.insert(0, {"place": "outbound", "at": taken_at})
    note_status(facts, conversation, sending)
    about = {"failure": statuses.failure_of(sending), "cost": statuses.cost_of(sending)}
    pieces = statuses.pieces_of(sending)
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
            **({"pieces": pieces} if pieces else {}),
            **{name: known.model_dump(mode="json", exclude_none=True) for name, known in about.items() if known},
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
    measure(facts, record, sending, tuple(map(int, sending.progress)), marks)


def measure(
    facts: Facts, record: In, sending: Sending, numbers: Iterable[int], marks: Mapping[Status, datetime | None]
) -> None:
    """What watermarks say of these pieces, told once of all that one mark has reached."""
    pieces = [(number, sending.progress[str(number)]) for number in numbers]
    for status in MARKED:
        until = marks.get(status)
        if until is None:
            continue
        reached = [
            number for number, piece in pieces if piece["status"] in {"sent", "delivered"} and sent_by(piece, until)
        ]
        moved = [statuses.progress(sending, piece=number, status=status, at=until) for number in reached]
        if any(moved):
            tell(facts, record, sending, at=until)


def apply_receipt(facts: Facts, record: In, ref: Ref, said: Mapping[str, Any], at: datetime) -> None:
    """`said`: {"status", "failure"?, "cost"?}, of our own send, or of what somebody else sent from the account."""
    sending = facts.sendings.get(ref.message_id) if ref.message_id else None
    why = Failure.model_validate(said["failure"]) if said.get("failure") else None
    cost = Cost.model_validate(said["cost"]) if said.get("cost") else None
    if sending is not None:
        advance(facts, record, sending, piece=ref.piece, status=said["status"], at=at, failure=why, cost=cost)
    else:
        tell_of_others(facts, record, ref, said, at)


def tell_of_others(facts: Facts, record: In, ref: Ref, said: Mapping[str, Any], at: datetime) -> None:
    """An outbound message that did not begin here has no progress of its own: how far it is stands at its name."""
    known = facts.known.get(ref.message_id) if ref.message_id else None
    conversation = facts.conversations.get(known.conversation_id) if known and known.ours else None
    before = next((item["far"] for item in ref.pending if "far" in item), "sent")
    if conversation is None or not advances(cast("Status", before), said["status"]):
        UNTOLD.labels("receipt_of_nothing_sent" if conversation is None else "older_receipt").inc()
        return
    ref.pending = [item for item in ref.pending if "far" not in item] + [{"far": said["status"]}]
    ref.changed = True
    data = {"message_id": str(ref.message_id), "external_ids": [ref.key.external_id]}
    data |= {name: value for name, value in said.items() if name in {"status", "failure", "cost"} and value}
    trail = [{"place": "provider", "at": at}, {"place": "delivery", "at": max(record.at, at)}]
    emit(facts, conversation, record, "message.status", data, message_id=ref.message_id, trail=trail)
