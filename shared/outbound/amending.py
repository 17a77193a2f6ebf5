"""What is to be otherwise at the provider: which pieces of a message a change is of, and who is to have the thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.contract.channel import Amendment, Capabilities, DeletePiece, EditPiece, MarkSeen, React, ThreadControl
from shared.contract.deliveries import Amend, HandOver
from shared.contract.envelope import Media, derive
from shared.contract.errors import Refusal
from shared.contract.fit import Bundle, fit

Names = Sequence[Sequence[str]]


def amendments(order: Amend, able: Capabilities, names: Names) -> list[Amendment]:
    """One for each piece that changes. `able`: what can be shown there; `names`: what the provider calls each. Raises Refusal where it cannot be."""
    if order.change not in able.changes:
        raise Refusal("unsupported", f"{order.change}: this account cannot")
    if order.change == "delete":  # of one that failed half-way there are pieces to take back
        names = [one for one in names if one]
    if not names or not all(names):
        raise Refusal("refused", "the provider has no name for the message: it was not sent, or long ago")
    return list(_each(order, able, names))


def thread_control(order: HandOver, able: Capabilities) -> ThreadControl:
    """Raises Refusal where the account cannot."""
    if order.action not in able.handovers:
        raise Refusal("unsupported", f"{order.action}: this account cannot")
    name = str(derive("piece", order.id, 0))
    return ThreadControl(id=name, to=order.peer, action=order.action, target=order.target, note=order.note)


def _each(order: Amend, able: Capabilities, names: Names) -> Iterator[Amendment]:
    where = {"to": order.peer, "surface": order.surface, "way": order.way, "thread_key": order.thread.thread_key}
    pieces: list[dict[str, object]] = [
        {**where, "id": str(derive("piece", order.id, n)), "external_id": one[0], "external_ids": tuple(one)}
        for n, one in enumerate(names)
    ]
    match order.change:
        case "edit":
            yield from _edits(order, able, pieces)
        case "delete":
            yield from map(DeletePiece.model_validate, pieces)
        case "react":  # at the first piece: one reaction is of one message
            reaction = {"emoji": order.emoji, "removed": order.removed, "ours": order.ours}
            yield React.model_validate({**pieces[0], **reaction})
        case "seen":
            yield MarkSeen.model_validate({**pieces[0], "read_mark": order.read_mark})


def _edits(order: Amend, able: Capabilities, pieces: Sequence[dict[str, object]]) -> Iterator[EditPiece]:
    """A file without room for words stays as it is."""
    parts = [piece.part if isinstance(piece, Bundle) else piece for piece in fit(order.content, able).pieces]
    if len(parts) != len(pieces):
        raise Refusal("unsupported", f"the message went in {len(pieces)} pieces, and this would be {len(parts)}")
    for piece, part in zip(pieces, parts, strict=True):
        if not isinstance(part, Media) or able.caption:
            yield EditPiece.model_validate({**piece, "part": part})
