"""Heads and bodies in the one form that is hashed (RFC 6376 §3.4), a body piece by piece."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

END: Final = b"\r\n"
SPACES: Final = re.compile(rb"[ \t]+")
FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:")
PIECE: Final = 256 * 1024  # bytes between which other threads come in
FIELDS: Final = 1000
HEAD: Final = 128 * 1024  # bytes; longer ones are not taken


class Field(NamedTuple):
    """A field of a head: its name in lower case, and all its bytes with the line end."""

    name: str
    raw: bytes

    @property
    def value(self) -> bytes:
        return self.raw.partition(b":")[2]

    def canonical(self, *, relaxed: bool) -> bytes:
        if not relaxed:
            return self.raw
        value = SPACES.sub(b" ", self.value.replace(END, b"")).strip(b" \t")
        return self.name.encode("latin-1") + b":" + value + END


def split(raw: bytes) -> tuple[tuple[Field, ...], int] | None:
    """The fields of a mail and where its body begins; None for a head that is not as RFC 5322 §2.2 has it: one that servers
    read each in its own way proves nothing.
    """
    end = raw.find(END + END, 0, HEAD)
    if end < 0 and len(raw) > HEAD:
        return None
    head, start = (raw[: end + 2], end + 4) if end >= 0 else (raw, len(raw))
    fields: list[list[bytes]] = []
    for line in head.split(END)[:-1]:
        if line[:1] in {b" ", b"\t"}:
            if not fields:
                return None
            fields[-1].append(line)
        elif FIELD.match(line):
            fields.append([line])
        else:
            return None
        if len(fields) > FIELDS:
            return None
    made = (END.join((*lines, b"")) for lines in fields)
    return tuple(Field(raw.partition(b":")[0].rstrip().decode("latin-1").lower(), raw) for raw in made), start


def chosen(fields: Iterable[Field], names: Iterable[str]) -> Iterator[Field]:
    """The signed ones: of a name each the next from the bottom; one that is not there is nothing (RFC 6376 §5.4.2)."""
    left: dict[str, list[Field]] = {}
    for field in fields:
        left.setdefault(field.name, []).append(field)
    for name in names:
        if left.get(name):
            yield left[name].pop()


class BodyHash:
    """SHA-256 of a body in its canonical form; linear, holds one unfinished line and a number."""

    def __init__(self, *, relaxed: bool) -> None:
        self._relaxed = relaxed
        self._hash = hashlib.sha256()
        self._rest = b""
        self._empty = 0
        self._said = False

    def feed(self, piece: bytes) -> None:
        whole, end, rest = (self._rest + piece).rpartition(END)
        self._rest = rest
        if end:
            self._lines(whole + end)

    def _lines(self, block: bytes) -> None:
        if self._relaxed:
            block = SPACES.sub(b" ", block).replace(b" \r\n", END)
        words = block.rstrip(END)
        if words:
            self._hash.update(END * self._empty)
            self._hash.update(words)
            self._empty, self._said = 0, True
        self._empty += block.count(END, len(words))

    def digest(self) -> bytes:
        """Ends it. Empty lines at the end do not count; a simple body has one line end at the least."""
        if self._rest:
            self._lines(self._rest + END)
        if self._said or not self._relaxed:
            self._hash.update(END)
        return self._hash.digest()


def body_hash(raw: bytes, start: int, *, relaxed: bool) -> bytes:
    """Of a whole mail's body."""
    made = BodyHash(relaxed=relaxed)
    for at in range(start, len(raw), PIECE):
        made.feed(raw[at : at + PIECE])
    return made.digest()
