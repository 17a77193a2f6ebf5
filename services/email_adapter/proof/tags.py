"""Lists of tags, `v=DKIM1; k=rsa; p=…` (RFC 6376 §3.2), in signatures, keys and policies."""

from __future__ import annotations

import re
from typing import Final

NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
TAGS: Final = 50


class Unusable(Exception):
    """What is wrong with it, in words for whoever reads the reasons."""


def read_tags(text: str) -> dict[str, str]:
    """Values by name, outer white space removed. Raises Unusable: a name twice means nothing (RFC 6376 §3.2)."""
    found: dict[str, str] = {}
    parts = text.split(";", TAGS)
    for part in parts if parts[-1].strip() else parts[:-1]:
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or not NAME.fullmatch(name) or name in found:
            raise Unusable("a list of tags that is none")
        found[name] = value.strip()
    return found


def listed(value: str) -> tuple[str, ...]:
    """`a : b` in lower case."""
    return tuple(one.strip().lower() for one in value.split(":"))
