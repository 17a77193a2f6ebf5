"""Content-Transfer-Encoding undone (RFC 2045 §6), also where it is broken: what cannot be read is passed over."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from typing import Final

from services.email_adapter.mail.words import unbase64

CHUNK: Final = re.compile(rb"[^=]++")
NOT_ENCODED: Final = re.compile(rb"[^A-Za-z0-9+/\s]")
# Behind an empty line, one with words or rules: letters with spaces between, or what base64 has no letters for.
FOOTER: Final = re.compile(rb"(?:\r\n?|\n)[ \t]*(?:\r\n?|\n)(?=[ \t]*+[A-Za-z0-9+/=]*+[ \t]*+\S).*", re.DOTALL)
LONG_LINE: Final = re.compile(rb"(?:\A|[\r\n])[A-Za-z0-9+/]{60,76}={0,2}(?:[\r\n]|\Z)")
SPACES_AFTER: Final = re.compile(rb"=[ \t]++\r?\n")  # a soft break, padded on the way (RFC 2045 §6.7, rule 3)
BARE_CR: Final = re.compile(rb"\r(?!\n)")
UU_BEGIN: Final = re.compile(rb"^begin [0-7]{3,4} [^\r\n]*[\r\n]+", re.MULTILINE)


def undo(body: bytes, encoding: str) -> bytes:
    """The bytes that were meant. `encoding`: in lower case; an unknown one is none. Linear in time, never raises."""
    return DECODERS.get(encoding, bytes)(body)


def footer(body: bytes, encoding: str) -> bytes:
    """The lines that a list put behind a body in base64 as they are: from the first on that no line of base64 can be."""
    if encoding != "base64":
        return b""
    found = FOOTER.search(body)
    return found[0].strip() if found and not LONG_LINE.search(body, found.start()) else b""


def _base64(body: bytes) -> bytes:
    """Some writers pad every chunk; what follows the padding and is no base64 was put there by a list on the way."""
    if added := footer(body, "base64"):
        body = body[: body.rindex(added)]
    data = bytearray()
    for chunk in CHUNK.finditer(body):
        if data and NOT_ENCODED.search(chunk[0]):
            break
        data += unbase64(chunk[0])
    return bytes(data)


def _quoted(body: bytes) -> bytes:
    """Behind a soft break that ends in a bare CR, all up to the next LF would be passed over."""
    return binascii.a2b_qp(SPACES_AFTER.sub(b"=\n", BARE_CR.sub(b"\n", body)))


def _uu(body: bytes) -> bytes:
    begin = UU_BEGIN.search(body)
    lines = body[begin.end() if begin else 0 :].splitlines()
    return b"".join(_uu_line(line) for line in lines if line.strip() not in {b"", b"`", b"end"})


def _uu_line(line: bytes) -> bytes:
    """As much as its first letter says and its others hold: a letter that promises more would be filled up with zeros."""
    size = min((line[0] - 32) & 63, (len(line) - 1) * 3 // 4)
    letters = (size * 4 + 2) // 3
    try:
        return binascii.a2b_uu(bytes((size + 32,)) + line[1 : letters + 1])[:size]
    except binascii.Error:
        return b""


DECODERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "base64": _base64,
    "quoted-printable": _quoted,
    "uuencode": _uu,
    "x-uue": _uu,
    "x-uuencode": _uu,
}
