"""The public keys that a domain publishes for its signatures (RFC 6376 §3.6.1, RFC 8301, RFC 8463)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from services.email_adapter.proof.tags import Unusable, listed, read_tags

SMALLEST: Final = 1024  # bits of RSA; fewer are forged at leisure (RFC 8301 §3.2)
LARGEST: Final = 4096  # more cost us too much for a stranger


@dataclass(frozen=True, slots=True)
class Key:
    """`kind`: rsa or ed25519. `strict`: signs only for the domain itself. `testing`: what it signs proves nothing yet."""

    kind: str
    public: RSAPublicKey | Ed25519PublicKey
    strict: bool = False
    testing: bool = False

    def verifies(self, signature: bytes, digest: bytes) -> bool:
        """`digest`: SHA-256 of what was signed."""
        try:
            if isinstance(self.public, RSAPublicKey):
                self.public.verify(signature, digest, PKCS1v15(), Prehashed(SHA256()))
            else:
                self.public.verify(signature, digest)
        except InvalidSignature:
            return False
        return True


def read_key(record: str) -> Key:
    """Raises Unusable for a record that is no key, or none for mail."""
    tags = read_tags(record)
    kind = tags.get("k", "rsa").lower()
    if tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        raise Unusable("its record is no key")
    if not tags["p"]:
        raise Unusable("its key is revoked")
    if "sha256" not in listed(tags.get("h", "sha256")) or not {"*", "email"} & set(listed(tags.get("s", "*"))):
        raise Unusable("its key is not for mail")
    flags = listed(tags.get("t", ""))
    return Key(kind, _public(kind, tags["p"]), strict="s" in flags, testing="y" in flags)


def _public(kind: str, text: str) -> RSAPublicKey | Ed25519PublicKey:
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
        key = Ed25519PublicKey.from_public_bytes(data) if kind == "ed25519" else load_der_public_key(data)
    except (binascii.Error, ValueError, UnsupportedAlgorithm) as error:
        raise Unusable("its key cannot be read") from error
    if kind == "ed25519" and isinstance(key, Ed25519PublicKey):
        return key
    if kind != "rsa" or not isinstance(key, RSAPublicKey):
        raise Unusable("its key is of an unknown kind")
    if not SMALLEST <= key.key_size <= LARGEST:
        raise Unusable(f"its key has {key.key_size} bits, not {SMALLEST} to {LARGEST}")
    return key
