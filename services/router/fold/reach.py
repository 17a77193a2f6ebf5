"""A private answer to a public comment: its conversation is the post's, what its reader has received and read is told of the person."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime

from services.router.fold.facts import Facts, Ref, RefKey, Sending
from services.router.fold.pending import PENDING_LIMIT
from services.router.fold.progress import measure
from services.router.fold.threads import ref_key
from shared.bus.cloudevents import In
from shared.contract.codes import Status
from shared.contract.deliveries import Delivery
from shared.contract.envelope import Envelope

# Both are pending at the row of a person: {"sent": message, "piece"} until it is read, and the newest mark of each {"status", "at"}.


def reached(found: Envelope) -> RefKey | None:
    """The person whom an echo among public comments names as its recipient."""
    if found.surface != "comment" or not found.recipients:
        return None
    return ref_key(found, "person", found.recipients[0].address)


def told_of(found: Delivery) -> RefKey:
    """The person of a watermark."""
    return RefKey(found.tenant, found.channel, found.account, "person", found.peer)


def sent_to(ref: Ref) -> Iterator[tuple[uuid.UUID, int]]:
    """The messages that reached the person privately and are not read yet, with the piece."""
    for item in ref.pending:
        if "sent" in item:
            yield uuid.UUID(item["sent"]), item["piece"]


def note(facts: Facts, record: In, found: Envelope, sending: Sending, piece: int) -> None:
    """Whom the echo reached will tell of it; what was told before the echo came counts too."""
    if key := reached(found):
        sending.progress[str(piece)]["reader"], sending.changed = key.external_id, True
        ref = facts.ref(key)
        _keep(ref, {*sent_to(ref), (sending.message_id, piece)}, _marks(ref))
        _apply(facts, record, ref)


def mark(facts: Facts, record: In, found: Delivery, until: datetime) -> None:
    """The person has received or read everything sent until then."""
    ref = facts.ref(told_of(found))
    marks = _marks(ref)
    if until > marks.get(found.status, datetime.min.replace(tzinfo=until.tzinfo)):
        _keep(ref, set(sent_to(ref)), {**marks, found.status: until})
        _apply(facts, record, ref)


def _marks(ref: Ref) -> dict[Status, datetime]:
    return {item["status"]: datetime.fromisoformat(item["at"]) for item in ref.pending if "status" in item}


def _keep(ref: Ref, sends: set[tuple[uuid.UUID, int]], marks: Mapping[Status, datetime]) -> None:
    told = [{"status": status, "at": at.isoformat()} for status, at in sorted(marks.items())]
    waiting = [{"sent": str(message), "piece": piece} for message, piece in sorted(sends)[:PENDING_LIMIT]]
    ref.pending, ref.changed = [*told, *waiting], True


def _apply(facts: Facts, record: In, ref: Ref) -> None:
    """Forget those that are read: nothing comes after that."""
    marks, unread = _marks(ref), set(sent_to(ref))
    for message, piece in sorted(unread):
        sending = facts.sendings.get(message)
        if sending is not None:
            measure(facts, record, sending, [piece], marks)
            if sending.progress[str(piece)]["status"] not in {"sent", "delivered"}:
                unread.discard((message, piece))
    _keep(ref, unread, marks)
