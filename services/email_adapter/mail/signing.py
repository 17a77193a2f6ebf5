"""The signature that a domain puts on its mails (DKIM, RFC 6376; RFC 8463): with it they are believed to be the domain's."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from services.email_adapter.mail.canonical import END, BodyHash, Field, chosen, split

NAME: Final = "DKIM-Signature"
SMALLEST: Final = 2048  # bits of RSA; who verifies takes 1024 to 4096 (RFC 8301 §3.2)
LARGEST: Final = 4096
ONCE: Final = (
    "from",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
)  # a second one, added on the way, breaks the signature
SIGNED: Final = (
    *ONCE,
    *("message-id", "in-reply-to", "references", "mime-version", "content-type", "content-transfer-encoding"),
    *("auto-submitted", "list-unsubscribe", "list-unsubscribe-post"),
)
WIDTH: Final = 70  # characters of a line

PrivateKey = RSAPrivateKey | Ed25519PrivateKey


@lru_cache(maxsize=256)
def private_key(pem: str) -> PrivateKey:
    """Raises ValueError, in words that hold nothing of the key."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("is no private key in PEM without a password") from None
    if isinstance(key, RSAPrivateKey) and SMALLEST <= key.key_size <= LARGEST:
        return key
    if isinstance(key, Ed25519PrivateKey):
        return key
    raise ValueError(f"is neither RSA of {SMALLEST} to {LARGEST} bits nor Ed25519")


def record(pem: str) -> str:
    """What stands in DNS of a key, as TXT at SELECTOR._domainkey.DOMAIN (RFC 6376 §3.6.1, RFC 8463 §4)."""
    key = private_key(pem)
    if isinstance(key, RSAPrivateKey):
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
    return f"v=DKIM1; k=ed25519; p={base64.b64encode(key.public_key().public_bytes_raw()).decode()}"


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose key it is: the name under which `pem`'s public half is published."""

    domain: str
    selector: str
    pem: str

    def __repr__(self) -> str:
        return f"Signer({self.selector}._domainkey.{self.domain})"


class Signing:
    """Signs one mail that is given to it piece by piece; holds its head and no more."""

    def __init__(self, signers: Sequence[Signer], now: datetime) -> None:
        self._signers, self._now = signers, now
        self._head: bytes | None = b""
        self._fields: tuple[Field, ...] = ()
        self._body = BodyHash(relaxed=True)

    def feed(self, piece: bytes) -> None:
        """The next bytes; the first ones are the whole head at the least."""
        if self._head is None:
            self._body.feed(piece)
            return
        cut = split(self._head + piece)
        assert cut is not None, "a head of ours is one"
        self._fields, start = cut
        self._head = None
        self._body.feed(piece[start:])

    def fields(self) -> bytes:
        """A field for each key, to stand before the mail. Ends it."""
        body = base64.b64encode(self._body.digest()).decode()
        return b"".join(self._signed(one, body) for one in self._signers)

    def _signed(self, signer: Signer, body: str) -> bytes:
        key = private_key(signer.pem)
        present = [field.name for field in self._fields]
        names = [name for name in SIGNED for _ in range(present.count(name) + (name in ONCE))]
        tags = {
            "v": "1",
            "a": "rsa-sha256" if isinstance(key, RSAPrivateKey) else "ed25519-sha256",
            "c": "relaxed/relaxed",
            "d": signer.domain,
            "s": signer.selector,
            "t": str(int(self._now.timestamp())),
            "h": _folded(names, ":"),
            "bh": body,
        }
        unsigned = f"{NAME}: {_folded([f'{name}={value}' for name, value in tags.items()], '; ')};\r\n b=".encode()
        said = b"".join(field.canonical(relaxed=True) for field in chosen(self._fields, names))
        said += Field(NAME.lower(), unsigned).canonical(relaxed=True).removesuffix(END)
        signature = base64.b64encode(_sign(key, hashlib.sha256(said).digest())).decode()
        lines = [signature[at : at + WIDTH] for at in range(0, len(signature), WIDTH)]
        return unsigned + "\r\n ".join(lines).encode() + END


def _sign(key: PrivateKey, digest: bytes) -> bytes:
    if isinstance(key, RSAPrivateKey):
        return key.sign(digest, PKCS1v15(), Prehashed(SHA256()))
    return key.sign(digest)


def _folded(words: Sequence[str], between: str) -> str:
    """In lines that are not too long; a line's end and the space after it count as white space."""
    lines = [""]
    for at, word in enumerate(words):
        said = word if at == len(words) - 1 else word + between
        if lines[-1] and len(lines[-1]) + len(said) > WIDTH:
            lines[-1] = lines[-1].rstrip(" ")
            lines.append("")
        lines[-1] += said
    return "\r\n ".join(lines)
