"""Values that leave and come back unchanged: signed, each kind with a key of its own."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Literal

from pydantic import SecretStr

from shared.contract.errors import Unverified

Purpose = Literal["webchat session", "webchat upload", "webchat download", "file"]


def seal(secret: SecretStr, purpose: Purpose, payload: bytes) -> str:
    """The payload and its HMAC-SHA256, base64url without padding, a dot between them. Readable by anyone."""
    return f"{_text(payload)}.{_text(_sign(secret, purpose, payload))}"


def unseal(secret: SecretStr, purpose: Purpose, sealed: str) -> bytes:
    """The payload of what `seal` made with this secret for this purpose; raises Unverified for anything else."""
    payload, _, signature = sealed.partition(".")
    try:
        found, given = _bytes(payload), _bytes(signature)
    except (binascii.Error, ValueError) as error:
        raise Unverified("not a token") from error
    if not hmac.compare_digest(_sign(secret, purpose, found), given):
        raise Unverified("the signature does not match")
    return found


def _sign(secret: SecretStr, purpose: Purpose, payload: bytes) -> bytes:
    key = hmac.digest(secret.get_secret_value().encode(), b"parley " + purpose.encode(), hashlib.sha256)
    return hmac.digest(key, payload, hashlib.sha256)


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
