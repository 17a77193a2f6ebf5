"""The header section of a mail or a MIME part (RFC 5322 §2.2): fields as bytes, unfolded, within limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from services.email_adapter.mail.refusals import Refused

ALL: Final = 100 * 1024  # bytes of one header section
EACH: Final = 32 * 1024  # bytes of one field that are read
LINES: Final = 1000

# Names are printable ASCII without a colon; 8-bit ones, and white space before the colon, are obsolete but seen (RFC 5322 §4.5).
FIELD: Final = re.compile(rb"([!-9;-~\x80-\xff]{1,200})[ \t]*:[ \t]*(.*)", re.DOTALL)
LINE: Final = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|\Z)")
# Fields that stand in mails, so that what comes after a line that is none shows whether the header goes on.
KNOWN: Final = re.compile(
    rb"(?:from|to|cc|subject|date|message-id|in-reply-to|references|reply-to|sender|return-path|received|mime-version"
    rb"|content-[a-z-]{1,40}|x-[!-9;-~]{1,100}|list-[a-z-]{1,40}|dkim-signature|arc-[a-z-]{1,40}|authentication-results"
    rb"|auto-submitted|precedence|delivered-to)[ \t]*:",
    re.IGNORECASE,
)
BLANK_START: Final = re.compile(rb"(?:[ \t]*+(?:\r\n|\r|\n))++(?=[!-9;-~]{1,200}:)")

TOO_LARGE: Final = f"552 5.3.4 headers of more than {ALL} bytes"
TOO_MANY_LINES: Final = f"552 5.3.4 more than {LINES} lines of headers"


@dataclass(frozen=True, slots=True)
class Headers:
    """Fields in their order: lower-case names, values without folding and outer white space."""

    fields: tuple[tuple[str, bytes], ...] = ()

    def every(self, name: str) -> Iterator[bytes]:
        return (value for known, value in self.fields if known == name)

    def first(self, name: str) -> bytes | None:
        return next(self.every(name), None)


def head(raw: bytes, at: int, end: int) -> tuple[Headers, int]:
    """The fields that begin at `at`, and where the body begins: behind the empty line, or at a line that is no field.

    A line that is none, with a field that mails have in the next line, was broken on the way: it belongs to the field
    before it. Of a field EACH bytes are kept. Raises Refused for what is larger than ALL or has more lines than LINES.
    """
    fields: list[tuple[str, list[bytes]]] = []
    start, room = at, EACH
    for number, found in enumerate(LINE.finditer(raw, at, end)):
        line = found[1]
        if number >= LINES:
            raise Refused(TOO_MANY_LINES)
        if found.end() - start > ALL:
            raise Refused(TOO_LARGE)
        if not line:
            return _unfolded(fields), found.end()
        if _may_be_header(line) and (field := FIELD.match(line)):
            fields.append((field[1].decode("latin-1").lower(), [field[2][:EACH]]))
            room = EACH - len(field[2])
        elif line[0] in b" \t" or (fields and _may_be_header(line) and KNOWN.match(raw, found.end(), end)):
            if fields and room > 0:
                fields[-1][1].append(line[:room] if line[0] in b" \t" else b" " + line[:room])
                room -= len(line)
        elif fields or not _is_envelope(line):
            return _unfolded(fields), found.start()
    return _unfolded(fields), end


def skip_blank(raw: bytes) -> int:
    """Where the headers begin when empty lines stand before them."""
    found = BLANK_START.match(raw)
    return found.end() if found else 0


def _may_be_header(line: bytes) -> bool:
    """Whether the line may be of a field, or have fallen out of one; a boundary ends whatever stands before it."""
    return not line.startswith(b"--")


def _is_envelope(line: bytes) -> bool:
    """The line that mailbox files put before a mail (RFC 4155)."""
    return line.startswith((b"From ", b">From "))


def _unfolded(fields: list[tuple[str, list[bytes]]]) -> Headers:
    return Headers(tuple((name, b"".join(lines).strip()) for name, lines in fields))
