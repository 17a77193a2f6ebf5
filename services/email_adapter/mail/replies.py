"""Where answers are sent: `inbox+<token><mark>@<reply domain>`, the conversation's signed name and whose inbox it is of."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final, NamedTuple

LOCAL: Final = re.compile(r"inbox\+([a-z2-7]{42})([a-z2-7]{8})?", re.IGNORECASE)
MARK: Final = (
    5  # bytes of the mark: with the token 56 letters, of the 64 that a local part may have (RFC 5321 §4.5.3.1.1)
)


class Reply(NamedTuple):
    """What stands in a reply address, in lower case. `mark` is empty where the address was made without one."""

    token: str
    mark: str


def write(token: str, *, inbox: str, domain: str, secret: bytes) -> str:
    """The address for the answers to one conversation of an inbox (its address); inboxes may share the domain."""
    return f"inbox+{token}{mark_of(token, inbox, secret)}@{domain}"


def read(address: str, domain: str) -> Reply | None:
    """None for any other address, and where there is no such domain. Nothing in it is checked yet."""
    local, _, place = address.rpartition("@")
    found = LOCAL.fullmatch(local)
    if not found or not domain or place.lower() != domain.lower():
        return None
    return Reply(found[1].lower(), (found[2] or "").lower())


def mark_of(token: str, inbox: str, secret: bytes) -> str:
    """8 letters of base32 that say whose the token's conversation is; nobody else can make them."""
    signed = hmac.digest(secret, f"inbox {token} {inbox.lower()}".encode(errors="surrogatepass"), hashlib.sha256)
    return base64.b32encode(signed[:MARK]).decode().lower()


def is_of(reply: Reply, inbox: str, secret: bytes) -> bool:
    """Whether the address was made for this inbox."""
    return hmac.compare_digest(reply.mark.encode(), mark_of(reply.token, inbox, secret).encode())
