"""JSON whose texts PostgreSQL cannot hold, as JSON whose texts it can: half an emoji, and U+0000, are U+FFFD."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

# Escapes from left to right, so that a backslash that is itself escaped begins none: a pair, what cannot be kept, any other.
_ESCAPES: Final = re.compile(
    rb"(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?P<lone>\\u(?:[dD][89a-fA-F][0-9a-fA-F]{2}|0000))|\\.",
    re.DOTALL,
)


def mended(value: bytes) -> bytes:
    """The same JSON with lone surrogates (RFC 8259 §8.2) and U+0000 replaced."""
    if b"\\u" not in value:
        return value
    return _ESCAPES.sub(lambda found: rb"\ufffd" if found["lone"] else found[0], value)


def loads(value: bytes) -> Any:
    """What `value` says; a text cut in the middle of a character takes nothing else along. Raises orjson.JSONDecodeError."""
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        whole = mended(value)
        if whole == value:
            raise
        return orjson.loads(whole)
