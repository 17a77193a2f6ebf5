"""Our own signed name of a conversation, as it travels in reply addresses, Message-IDs and deep links."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from typing import Final

TAG: Final = 10  # bytes of the HMAC in a token: 80 bits


def thread_token(conversation: uuid.UUID, secret: bytes) -> str | None:
    """42 letters of base32, case-insensitive as mail's local parts are; None without a secret."""
    if not secret:
        return None
    return base64.b32encode(conversation.bytes + _tag(conversation, secret)).decode().rstrip("=").lower()


def read_thread_token(text: str, secret: bytes) -> uuid.UUID | None:
    """The conversation that a token names, None when we did not make it."""
    try:
        data = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except ValueError:
        return None
    if not secret or len(data) != 16 + TAG:
        return None
    conversation = uuid.UUID(bytes=data[:16])
    return conversation if hmac.compare_digest(_tag(conversation, secret), data[16:]) else None


def _tag(conversation: uuid.UUID, secret: bytes) -> bytes:
    return hmac.digest(secret, b"conversation" + conversation.bytes, hashlib.sha256)[:TAG]
