"""Webhooks that a provider signs together with their time."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.contract.channel import Unverified

SKEW: Final = 300  # seconds; Slack names so many, others none


def check_time(stamp: str, now: datetime) -> None:
    """`stamp`: seconds since 1970, in digits. Raises Unverified."""
    if not (stamp.isascii() and stamp.isdecimal()) or abs(now.timestamp() - int(stamp[:15])) > SKEW:
        raise Unverified("signed too long ago")


def check_ed25519(key: bytes, signature: bytes, signed: bytes) -> None:
    """RFC 8032. Raises Unverified."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except InvalidSignature:
        raise Unverified("another signature") from None
