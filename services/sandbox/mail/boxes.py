"""The mailboxes of people: every mail as its bytes, what became of it beside it, all on the shelf."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Final, Literal

from services.sandbox.refusals import Refused
from services.sandbox.shelf import Shelf
from services.sandbox.signals import Signal
from shared.contract.envelope import utc

PEOPLE: Final = 5000
MAILS: Final = 500  # of one mailbox
BYTES: Final = 512 * 1024 * 1024  # of all

Direction = Literal["in", "out"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """One mail in a mailbox. `n` is new with every change; `direction` out: the person wrote it; `status`: where it is."""

    n: int
    id: str
    address: str
    direction: Direction
    at: str
    size: int
    status: str = ""


class Box:
    """One person's mails, in the order in which they came."""

    def __init__(self) -> None:
        self.mails: OrderedDict[str, Kept] = OrderedDict()
        self.changed = Signal()
        self.n = 0

    def since(self, n: int) -> list[Kept]:
        """What came or changed after change number `n`, in that order."""
        return sorted((kept for kept in self.mails.values() if kept.n > n), key=lambda kept: kept.n)


class Boxes:
    """Everybody's. What is beyond the bounds is forgotten, the oldest first."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._boxes: OrderedDict[str, Box] = OrderedDict()
        self._bytes = 0
        for _, saved in shelf.under("person/"):
            self._boxes[saved] = Box()
        for _, saved in shelf.under("mail/"):
            self._take(Kept(**saved))

    def people(self) -> list[str]:
        return list(self._boxes)

    def open(self, address: str) -> Box:
        """The mailbox of this address, a new one for a new person."""
        if address not in self._boxes:
            if len(self._boxes) >= PEOPLE:
                self._forget_person(next(iter(self._boxes)))
            self._boxes[address] = Box()
            self._shelf.put(f"person/{address}", address)
        return self._boxes[address]

    def add(self, address: str, raw: bytes, *, direction: Direction, status: str = "") -> Kept:
        box, name = self.open(address), secrets.token_hex(8)
        at = utc(datetime.now(UTC))
        kept = Kept(n=0, id=name, address=address, direction=direction, at=at, size=len(raw), status=status)
        self._shelf.put_file(f"{name}.eml", raw)
        self._bytes += len(raw)
        kept = self._show(box, kept)
        while len(box.mails) > MAILS:
            self._forget(next(iter(box.mails.values())))
        self._forget_beyond(BYTES)
        return kept

    def mark(self, address: str, name: str, status: str) -> None:
        """What became of a mail that the person sent; one that was forgotten meanwhile stays so."""
        box = self.open(address)
        if (kept := box.mails.get(name)) and kept.status != status:
            self._show(box, replace(kept, status=status))

    def mail(self, address: str, name: str) -> Kept:
        if (kept := self.open(address).mails.get(name)) is None:
            raise Refused(404, "no such mail in this mailbox")
        return kept

    def raw(self, kept: Kept) -> bytes:
        return self._shelf.file(f"{kept.id}.eml")

    def _show(self, box: Box, kept: Kept) -> Kept:
        box.n += 1
        shown = replace(kept, n=box.n)
        self._shelf.put(f"mail/{kept.id}", asdict(shown))
        box.mails[kept.id] = shown
        box.changed.set()
        return shown

    def _take(self, kept: Kept) -> None:
        """One that was kept by an earlier process."""
        box = self.open(kept.address)
        box.mails[kept.id] = kept
        box.n = max(box.n, kept.n)
        self._bytes += kept.size

    def _forget(self, kept: Kept) -> None:
        del self._boxes[kept.address].mails[kept.id]
        self._shelf.drop(f"mail/{kept.id}")
        self._shelf.drop_file(f"{kept.id}.eml")
        self._bytes -= kept.size

    def _forget_person(self, address: str) -> None:
        for kept in tuple(self._boxes[address].mails.values()):
            self._forget(kept)
        del self._boxes[address]
        self._shelf.drop(f"person/{address}")

    def _forget_beyond(self, limit: int) -> None:
        while self._bytes > limit:
            self._forget(
                min((kept for box in self._boxes.values() for kept in box.mails.values()), key=lambda one: one.at)
            )
