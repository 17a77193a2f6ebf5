"""What a body is made of: bytes of the blob store as they are, packed, encrypted, or as fields of a form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from shared.contract.envelope import Media
from shared.contract.errors import SendFailed


@dataclass(frozen=True, slots=True)
class AesCtr:
    """AES in counter mode (NIST SP 800-38A §6.5), by a key of 16, 24 or 32 bytes: encrypts and decrypts, and keeps the length."""

    key: bytes = field(repr=False)
    counter: bytes = bytes(16)


@dataclass(frozen=True, slots=True)
class Gzip:
    """RFC 1952. Nobody knows the length before, so it goes out in chunks (RFC 9112 §7.1)."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes of the blob store, streamed by the driver; a channel names them and never holds them.

    `start`, `length`: only these of its bytes, for what is uploaded in slices. `through`: what they become on their way.
    """

    ref: str
    mime_type: str = "application/octet-stream"
    name: str = "file"
    size: int | None = None
    start: int = 0
    length: int | None = None
    through: AesCtr | Gzip | None = None

    @classmethod
    def of(cls, media: Media) -> Self:
        """A file as it goes out, by the type and name that it has. Raises SendFailed where it is not stored."""
        if media.blob is None:
            raise SendFailed("malformed", "the file is not stored; upload it first")
        return cls(media.blob, media.mime_type or "application/octet-stream", media.name or "file", media.size)


@dataclass(frozen=True, slots=True)
class Encoded:
    """The bytes of a blob as base64 in lines of 76 characters (RFC 2045 §6.8), streamed by the driver."""

    blob: Blob


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a multipart form (RFC 7578)."""

    name: str
    value: str | Blob


Form = tuple[Field, ...]
