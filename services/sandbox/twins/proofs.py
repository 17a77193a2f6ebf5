"""How providers prove that an event is theirs: by a secret that both sides have, or by a key of their own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.sandbox.shelf import Shelf
from services.sandbox.twins.twin import digits

Json = dict[str, Any]
PEM: Final = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
KEY_ID: Final = "sandbox"


def mac(secret: object, data: bytes, by: Callable[..., Any] = hashlib.sha256) -> bytes:
    """HMAC (RFC 2104)."""
    return hmac.digest(str(secret).encode(), data, by)


def derived(secret: object, kind: str = "") -> str:
    """A token that follows from what is known of the account, so that nothing of it is kept."""
    return hashlib.sha256(f"{kind}{secret}".encode()).hexdigest()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def signer(token: object) -> Ed25519PrivateKey:
    """The key of whoever has the token, from which it follows: the accounts file holds the public one only."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(str(token).encode()).digest())


def public_key(token: str) -> bytes:
    return signer(token).public_key().public_bytes_raw()


def new_rsa() -> str:
    """A private key in PEM (PKCS #8)."""
    return rsa.generate_private_key(65537, 2048).private_bytes(*PEM).decode()


def meta_app() -> Json:
    """An app of Meta's: by its secret it signs, by the other word it knows who entered its webhook."""
    return {"app_id": digits(15), "secret": secrets.token_hex(16), "verify_token": secrets.token_urlsafe(24)}


class Signer:
    """Signs JSON Web Tokens (RFC 7519) with an RSA key that is made at the first use and kept on the shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def token(self, claims: Json, *, lives: int) -> str:
        """`lives`: seconds."""
        expires = {"exp": int(time.time()) + lives}
        return jwt.encode({**claims, **expires}, self._key(), "RS256", headers={"kid": KEY_ID})

    def public(self) -> Json:
        """As a set of keys tells it (RFC 7517)."""
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self._key().public_key(), as_dict=True)
        return {**public, "kid": KEY_ID, "use": "sig"}

    def _key(self) -> rsa.RSAPrivateKey:
        if (kept := self._shelf.get("key")) is None:
            kept = new_rsa()
            self._shelf.put("key", kept)
        key = serialization.load_pem_private_key(str(kept).encode(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return key
