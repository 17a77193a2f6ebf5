"""Google signs what it tells, not the wrapping — https://developers.google.com/business-communications/rcs-business-messaging/guides/integrate/webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from pydantic import SecretStr

from shared.contract.channel import Request, Unverified


def told(body: Any) -> bytes:
    """What is signed of a body in the form of Pub/Sub, and all that is read of it. Raises what a naive parser does."""
    data: str = body["message"]["data"]
    signed = base64.b64decode(data, validate=True)
    if base64.b64encode(signed) != data.encode():
        raise ValueError("another spelling")
    return signed


def believed(token: SecretStr, request: Request) -> None:
    """Raises Unverified."""
    try:
        signed = told(request.json())
    except (LookupError, TypeError, ValueError, AttributeError):
        raise Unverified("nothing here is signed") from None
    digest = base64.b64encode(hmac.digest(token.get_secret_value().encode(), signed, hashlib.sha512))
    check(request.headers.get("x-goog-signature", "").encode(errors="surrogatepass"), digest)


def check(given: bytes, good: bytes) -> None:
    if not hmac.compare_digest(given, good):
        raise Unverified("another signature")
