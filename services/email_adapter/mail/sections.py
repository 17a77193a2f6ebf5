"""A mail cut into its MIME sections (RFC 2045, 2046) in one pass without recursion: offsets only, nothing is decoded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from services.email_adapter.mail.headers import Headers, head, skip_blank
from services.email_adapter.mail.parameters import Structured, parse
from services.email_adapter.mail.refusals import Refused

DEPTH: Final = 50
SECTIONS: Final = 1000
BOUNDARY: Final = 256  # characters; RFC 2046 allows 70

DASHED: Final = re.compile(rb"\n--([^\r\n]*)")
DASHED_ANYWHERE: Final = re.compile(rb"[\r\n]--([^\r\n]*)")  # where lines end with a bare CR too; slower

TOO_DEEP: Final = f"MIME nested deeper than {DEPTH} levels"
TOO_MANY: Final = f"554 5.6.0 more than {SECTIONS} MIME parts"
BOUNDARY_TOO_LONG: Final = f"a MIME boundary of more than {BOUNDARY} characters"


@dataclass(slots=True)
class Section:
    """One MIME entity. `number` is what IMAP calls it (RFC 3501 §6.4.5), empty for a multipart mail itself.

    `start` … `end` is its body. `kind` is its media type in lower case, the one that RFC 2045 §5.2 assumes where none is said.
    `unread`: why it cannot be read, where that is so; the sections beside it can be.
    """

    number: str
    headers: Headers
    kind: str
    type: Structured
    start: int
    end: int
    children: list[Section] = field(default_factory=list)
    unread: str = ""

    def body(self, raw: bytes) -> bytes:
        return raw[self.start : self.end]

    def walk(self) -> Iterator[Section]:
        """Itself and all below it, in the order in which they stand."""
        waiting = [self]
        while waiting:
            section = waiting.pop()
            yield section
            waiting.extend(reversed(section.children))


def plain_ends(raw: bytes) -> bytes:
    """The mail with CRLF where every line ends with CR CR LF, as a program writes that turns line ends into CRLF twice."""
    doubled = raw.count(b"\r\r\n")
    return raw.replace(b"\r\r\n", b"\r\n") if doubled and doubled >= raw.count(b"\n") - 1 else raw


def cut(raw: bytes) -> Section:
    """The sections of a mail; line ends of any kind. Linear in time.

    What is inside of message/rfc822 is not looked at: it is a file. A section beyond DEPTH or BOUNDARY, or whose headers are
    beyond their limits, is left `unread`. Raises Refused beyond SECTIONS, and where the headers of the mail itself are
    beyond theirs.
    """
    top = _section(raw, "", at=skip_blank(raw), default="text/plain")
    cutter = _Cutter(raw, top)
    for found in _dashed(raw).finditer(raw, max(top.start - 1, 0)) if cutter.open else ():
        cutter.line(found.start(), found.end(), found[1].rstrip(b" \t"))
    cutter.close(0, len(raw))
    if not top.children:
        top.number = "1"
    return top


def uncut(raw: bytes, why: str) -> Section:
    """A mail that could not be read: its headers, and the whole of it as one file. Raises Refused as `cut` does."""
    top = _section(raw, "", at=skip_blank(raw), default="text/plain")
    top.unread = why
    top.children = [Section("1", Headers(), "message/rfc822", parse(b""), 0, len(raw))]
    return top


def _dashed(raw: bytes) -> re.Pattern[bytes]:
    return DASHED if raw.count(b"\r") == raw.count(b"\r\n") else DASHED_ANYWHERE


@dataclass(slots=True)
class _Open:
    """A multipart whose closing line has not come."""

    section: Section
    boundary: bytes
    part: Section | None = None


class _Cutter:
    """The multiparts that are open, outermost first; each line of dashes may end some of them, and begin a part."""

    def __init__(self, raw: bytes, top: Section) -> None:
        self.raw = raw
        self.open: list[_Open] = []
        self.levels: dict[bytes, int] = {}
        self.count = 1
        self._enter(top)

    def line(self, at: int, end: int, dashed: bytes) -> None:
        level = self.levels.get(dashed)
        last = level is None and dashed.endswith(b"--")
        if last:
            level = self.levels.get(dashed[:-2])
        if level is None or at + 1 < self._body_start(level):
            return
        self.close(level + 1, self._before(at))
        multipart = self.open[level]
        self._end_part(multipart, self._before(at))
        if last:
            self._leave(level)
        else:
            self._begin_part(multipart, _after_line(self.raw, end))

    def close(self, level: int, at: int) -> None:
        """End every multipart from this level inwards: what surrounds it ends, or the mail."""
        while len(self.open) > level:
            self._end_part(self.open[-1], at)
            self._leave(len(self.open) - 1)

    def _before(self, at: int) -> int:
        """The line end before a boundary belongs to the boundary (RFC 2046 §5.1.1)."""
        return at - 1 if self.raw[at : at + 1] == b"\n" and at > 0 and self.raw[at - 1 : at] == b"\r" else at

    def _body_start(self, level: int) -> int:
        multipart = self.open[level]
        return (multipart.part or multipart.section).start

    def _begin_part(self, multipart: _Open, at: int) -> None:
        self.count += 1
        if self.count > SECTIONS:
            raise Refused(TOO_MANY)
        parent = multipart.section
        default = "message/rfc822" if parent.kind == "multipart/digest" else "text/plain"
        number = f"{parent.number}.{len(parent.children) + 1}".lstrip(".")
        part = _part(self.raw, number, at=at, default=default)
        parent.children.append(part)
        multipart.part = part
        self._enter(part)

    def _enter(self, section: Section) -> None:
        """Open the section where it is a multipart that can be opened."""
        boundary = section.type.raw("boundary").rstrip()
        if not section.kind.startswith("multipart/") or not boundary:
            return
        if len(boundary) > BOUNDARY:
            section.unread = BOUNDARY_TOO_LONG
            return
        if len(self.open) >= DEPTH:
            section.unread = TOO_DEEP
            return
        self.levels.setdefault(boundary, len(self.open))
        self.open.append(_Open(section, boundary))

    def _leave(self, level: int) -> None:
        left = self.open.pop(level)
        if self.levels.get(left.boundary) == level:
            del self.levels[left.boundary]

    def _end_part(self, multipart: _Open, at: int) -> None:
        if multipart.part is not None:
            multipart.part.end = max(at, multipart.part.start)
            multipart.part = None


def _after_line(raw: bytes, at: int) -> int:
    """Where the line after this one begins."""
    if raw[at : at + 2] == b"\r\n":
        return at + 2
    return min(at + 1, len(raw))


def _part(raw: bytes, number: str, *, at: int, default: str) -> Section:
    """One section of a multipart. Headers of its own beyond the limits take nothing away from those beside it."""
    try:
        return _section(raw, number, at=at, default=default)
    except Refused as refused:
        return Section(number, Headers(), "application/octet-stream", parse(b""), at, len(raw), unread=refused.words)


def _section(raw: bytes, number: str, *, at: int, default: str) -> Section:
    headers, start = head(raw, at, len(raw))
    told = headers.first("content-type")
    structured = parse(told or b"")
    kind = structured.main if structured.main.count("/") == 1 else "text/plain"
    return Section(number, headers, default if told is None else kind, structured, start, len(raw))
