"""The bytes of an outgoing mail: checked and measured before anything leaves, then streamed with their dots doubled."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from shared.contract.channel import Encoded, Smtp
from shared.contract.errors import SendFailed, StoreUnavailable
from shared.runtime.elsewhere import elsewhere
from shared.storage.blobs import Blobs, NotFound

Data = tuple[bytes | Encoded, ...]

LINE: Final = 998  # bytes before CRLF, RFC 5322 §2.1.1
WIDTH: Final = 76  # characters of a line of base64, RFC 2045 §6.8
GROUP: Final = 57  # bytes that make such a line


@dataclass(frozen=True, slots=True)
class Measured:
    """`size` in bytes, doubled dots not counted (RFC 1870 §3); `eight_bit`: some are above 127."""

    size: int
    eight_bit: bool


async def measure(data: Data, blobs: Blobs) -> Measured:
    """Raises SendFailed: `malformed` where a line end or a line's length would not survive, or a file is gone;
    `unreachable` where the blob store does not answer.
    """
    size, eight_bit = 0, False
    with _failing():
        for part in data:
            if isinstance(part, bytes):
                _check(part)
                size, eight_bit = size + len(part), eight_bit or not part.isascii()
            else:
                size += encoded_size(await blobs.size(part.blob.ref))
    return Measured(size, eight_bit)


async def signed(request: Smtp, blobs: Blobs) -> Smtp:
    """The mail with its signature before it, where it has one; read once for that, a little at a time. Raises as `measure`."""
    if request.signs is None:
        return request
    signing = request.signs()
    async for chunk in content(request.data, blobs):
        await elsewhere(partial(signing.feed, chunk))
    return replace(request, data=(await elsewhere(signing.fields), *request.data), signs=None)


async def content(data: Data, blobs: Blobs) -> AsyncIterator[bytes]:
    """The mail's own bytes. Raises as `measure`."""
    with _failing():
        for part in data:
            async for chunk in _chunks(part, blobs):
                yield chunk


async def stream(data: Data, blobs: Blobs) -> AsyncIterator[bytes]:
    """The content of DATA without its final dot; ends in CRLF. Raises as `measure`."""
    end = b"\r\n"
    async for chunk in content(data, blobs):
        yield (b"." if end == b"\r\n" and chunk.startswith(b".") else b"") + chunk.replace(b"\r\n.", b"\r\n..")
        end = (end + chunk)[-2:]
    if end != b"\r\n":
        yield b"\r\n"


def encoded_size(size: int) -> int:
    """What so many bytes come to as lines of base64."""
    letters = (size + 2) // 3 * 4
    return letters + (letters + WIDTH - 1) // WIDTH * 2


async def _chunks(part: bytes | Encoded, blobs: Blobs) -> AsyncIterator[bytes]:
    if isinstance(part, bytes):
        if part:
            yield part
        return
    left = b""
    async for chunk in await blobs.get(part.blob.ref):
        left += chunk
        whole = len(left) // GROUP * GROUP
        if whole:
            yield _encode(left[:whole])
        left = left[whole:]
    if left:
        yield _encode(left)


def _encode(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def _check(part: bytes) -> None:
    """A CR or LF alone would be taken for a line's end by some server on the way, and with it what follows for commands."""
    if not part.count(b"\r\n") == part.count(b"\r") == part.count(b"\n"):
        raise SendFailed("malformed", "the mail has a CR or LF alone")
    if any(len(line) > LINE for line in part.split(b"\r\n")):
        raise SendFailed("malformed", f"the mail has a line of more than {LINE} bytes")


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise SendFailed("malformed", "a file of the mail is not in the blob store") from error
    except StoreUnavailable as error:
        raise SendFailed("unreachable", "the blob store does not answer") from error
