"""A structured header with parameters (RFC 2045 §5.1, RFC 2231): Content-Type, Content-Disposition."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

from services.email_adapter.mail.charsets import decode
from services.email_adapter.mail.words import read_words

PARAMETERS: Final = 100
COMMENT: Final = re.compile(r"\([^()]*\)?")
PARAMETER: Final = re.compile(r";\s*+([^=;\s\"]++)\s*+=\s*+(\"(?:[^\"\\]|\\.)*+\"?|[^;]*+)", re.DOTALL)
QUOTED_PAIR: Final = re.compile(r"\\([\"\\])")  # other backslashes stand for themselves: C:\Users\dara\a.pdf
# `text/html charset=utf-8`: the semicolon that was forgotten.
NO_SEMICOLON: Final = re.compile(r"\A(\s*+[^\s;=\"/,]++(?:\s*+/\s*+[^\s;=\",]++)?)[\s,:]++(?=[\w*-]++\s*+=)")
SPLIT_NAME: Final = re.compile(r"([^*]+)(?:\*(\d{1,3}))?(\*)?")


@dataclass(frozen=True, slots=True)
class Value:
    """A parameter's bytes, and the charset that RFC 2231 names for them."""

    data: bytes
    charset: str | None = None


@dataclass(frozen=True, slots=True)
class Structured:
    """`main` in lower case (text/plain, attachment); parameters by lower-case name."""

    main: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def raw(self, name: str) -> bytes:
        """A parameter as it stands; empty without one."""
        value = self.values.get(name)
        return value.data if value else b""

    def token(self, name: str) -> str:
        """A parameter whose values are one word of a protocol each, in lower case; what stands behind it lacks its semicolon."""
        return next(iter(self.raw(name).decode("ascii", "replace").lower().split()), "")

    def text(self, name: str, hint: str | None = None) -> str | None:
        """A parameter for people, such as a file name; encoded words are read although RFC 2047 §5 forbids them here."""
        value = self.values.get(name)
        if value is None:
            return None
        if value.charset is not None:
            return decode(value.data, value.charset, guess=False)
        return read_words(value.data, hint)


def parse(header: bytes) -> Structured:
    """The header in its parts. Reads whatever it is given; linear in time."""
    text = header.decode("latin-1")
    if text.isalnum():
        return Structured(text.lower())
    text = NO_SEMICOLON.sub(r"\1;", text, count=1)
    main, semicolon, _ = text.partition(";")
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for count, found in enumerate(PARAMETER.finditer(text, len(main))):
        if count >= PARAMETERS:
            break
        if named := SPLIT_NAME.fullmatch(found[1]):
            name, number, encoded = named[1].lower(), int(named[2] or 0), bool(named[3])
            known = pieces.setdefault(name, {})
            if number not in known or (encoded and not known[number][1]):  # beside a plain one for old readers
                known[number] = (_unquoted(found[2]), encoded)
    main = COMMENT.sub("", main) if semicolon or "(" in main else main
    return Structured("".join(main.split()).lower(), {name: _joined(told) for name, told in pieces.items()})


def _unquoted(value: str) -> str:
    if value.startswith('"'):
        return QUOTED_PAIR.sub(r"\1", value[1:].removesuffix('"'))
    return COMMENT.sub("", value).strip() if "(" in value else value.strip()


def _joined(pieces: Mapping[int, tuple[str, bool]]) -> Value:
    """Continuations in the order of their numbers (RFC 2231 §3), as far as none is missing; the first names the charset."""
    charset: str | None = None
    data: list[bytes] = []
    for number in sorted(pieces):
        if number != len(data) and pieces.keys() != {1}:
            break
        text, encoded = pieces[number]
        if encoded and number == min(pieces) and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        data.append(unquote_to_bytes(text.encode("latin-1")) if encoded else text.encode("latin-1"))
    return Value(b"".join(data), charset)
