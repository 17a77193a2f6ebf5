"""How far a message of ours is: pieces to one status, forward only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from services.router.fold.facts import Sending
from shared.contract.codes import Failure, Status, advances
from shared.contract.deliveries import Cost

RANK: Final[tuple[Status, ...]] = ("queued", "unknown", "sent", "delivered", "read")
ENDS: Final[tuple[Status, ...]] = ("failed", "expired", "cancelled")


def overall(pieces: int, progress: Mapping[str, Mapping[str, Any]]) -> Status:
    """A message is as far as its slowest piece; a piece that failed, expired or was cancelled decides for all."""
    found = [piece["status"] for piece in progress.values()]
    for end in ENDS:
        if end in found:
            return end
    ranks = [RANK.index(status) for status in found] + [0] * (pieces - len(found))
    return RANK[min(ranks, default=0)]


def progress(
    sending: Sending,
    *,
    piece: int,
    status: Status,
    at: datetime,
    external_ids: Iterable[str] = (),
    failure: Failure | None = None,
    cost: Cost | None = None,
) -> bool:
    """Take in what is known of one piece; whether that is to be told: the message's own status moved, or after it had, another of
    its pieces did, or its cost became known.
    """
    row = sending.progress.setdefault(str(piece), {"status": "queued", "ids": []})
    new_ids = [name for name in external_ids if name not in row["ids"]]
    if new_ids:
        row["ids"] += new_ids
        sending.changed = True
    before = cost_of(sending)
    if cost is not None:
        row["cost"], sending.changed = cost.model_dump(exclude_none=True), True
    priced = cost_of(sending) != before and sending.status != "queued"
    if not advances(row["status"], status):
        return priced
    row["status"], row["at"] = status, at.isoformat()
    if failure:
        row["failure"] = failure.model_dump(mode="json")
    sending.changed = True
    whole = overall(sending.pieces, sending.progress)
    if not advances(sending.status, whole):
        return priced or (sending.pieces > 1 and sending.status != "queued")
    sending.status = whole
    return True


def pieces_of(sending: Sending) -> list[dict[str, Any]]:
    """How far each piece is, by its number, of a message that went in several: {"status", "external_ids"?, "failure"?}."""
    if sending.pieces == 1:
        return []
    rows = (sending.progress.get(str(number), {}) for number in range(sending.pieces))
    return [
        {
            "status": row.get("status", "queued"),
            **({"external_ids": row["ids"]} if row.get("ids") else {}),
            **({"failure": row["failure"]} if "failure" in row else {}),
        }
        for row in rows
    ]


def failure_of(sending: Sending) -> Failure | None:
    """The failure of the first piece that has one."""
    for number in sorted(sending.progress, key=int):
        if found := sending.progress[number].get("failure"):
            return Failure.model_validate(found)
    return None


def cost_of(sending: Sending) -> Cost | None:
    """The cost of the first piece whose cost is known."""
    for number in sorted(sending.progress, key=int):
        if found := sending.progress[number].get("cost"):
            return Cost.model_validate(found)
    return None
