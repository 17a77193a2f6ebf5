"""Message-IDs (RFC 5322 §3.6.4): those of others as they are found, ours with a signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from typing import Final

from services.email_adapter.mail.names import Account
from services.email_adapter.mail.words import read_words

LENGTH: Final = 996  # a line of 998 without its angle brackets
TAG: Final = 10  # bytes of the HMAC: 80 bits
TAG_LETTERS: Final = 16
BRACKETED: Final = re.compile(r"<([^<>]{1,1200})>")
BARE: Final = re.compile(r"[^\s<>@,;\"()]{1,400}@[^\s<>@,;\"()]{1,400}")
TOKEN: Final = re.compile(r"[a-z2-7]{42}", re.IGNORECASE)


def found_in(header: bytes) -> tuple[str, ...]:
    """The ids without angle brackets, each once, in order. Some are folded, some (wrongly) encoded words, some bare."""
    text = read_words(header)
    ids = list(_ids(text))
    return tuple(dict.fromkeys(one for one in ids if 0 < len(one) <= LENGTH))


def _ids(text: str) -> Iterator[str]:
    bracketed = [("".join(found[1].split())) for found in BRACKETED.finditer(text)]
    yield from bracketed or (found[0] for found in BARE.finditer(text))


def ours(piece_id: str, account: Account, secret: bytes) -> str:
    """The id of what an inbox sends: the same for the same piece however often it is tried, and nobody else's without the key."""
    name = _letters(hashlib.sha256(piece_id.encode()).digest()[:16])
    return f"{name}.{_tag(name, account, account.id_domain, secret)}@{account.id_domain}"


def is_ours(message_id: str, account: Account, secret: bytes) -> bool:
    """Whether we made it for this inbox of this tenant, which says nothing of who wrote the mail that bears it.

    Letters may have changed their case on the way; never without a secret.
    """
    local, _, domain = message_id.lower().rpartition("@")
    name, dot, tag = local.partition(".")
    if not (secret and dot and len(tag) == TAG_LETTERS):
        return False
    return hmac.compare_digest(_bytes(tag), _bytes(_tag(name, account, domain, secret)))


def thread_token_of(message_id: str, domain: str) -> str | None:
    """The conversation's name in our id of its thread, `token@domain`."""
    name, _, place = message_id.rpartition("@")
    return name.lower() if place.lower() == domain.lower() and TOKEN.fullmatch(name) else None


def _tag(name: str, account: Account, domain: str, secret: bytes) -> str:
    """Over the tenant and the inbox too: an id that one inbox made is none of another's."""
    told = f"message\x1f{account.tenant}\x1f{account.address}\x1f{name}\x1f{domain.lower()}"
    return _letters(hmac.digest(secret, _bytes(told), hashlib.sha256)[:TAG])


def _letters(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
