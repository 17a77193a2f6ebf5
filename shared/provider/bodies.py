"""Bodies of requests: bytes, files as they are, and multipart forms (RFC 7578), streamed from the blob store."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from aiohttp import MultipartWriter, Payload, StringPayload
from aiohttp.abc import AbstractStreamWriter
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from shared.contract.channel import AesCtr, Blob, Field, Form, Gzip
from shared.contract.errors import SendFailed
from shared.storage.blobs import Blobs

ESCAPES: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


class _File(Payload):
    """A stream whose length is known, unless it is packed on its way: not every provider takes chunked requests."""

    _autoclose = True

    def __init__(self, chunks: AsyncIterator[bytes], *, size: int | None, mime_type: str) -> None:
        super().__init__(chunks, content_type=mime_type)
        self._size = size

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        raise TypeError("a stream is read once, by the connection")

    async def write(self, writer: AbstractStreamWriter) -> None:
        async for chunk in self._value:
            await writer.write(chunk)


async def open_body(body: bytes | Form | Blob, blobs: Blobs) -> Any:
    """What aiohttp sends; every file opened: one that is missing is known before anything leaves.

    Raises NotFound, StoreUnavailable, SendFailed `malformed` for a slice that the file does not have.
    """
    match body:
        case bytes():
            return body or None
        case Blob():
            return await _file(body, blobs)
    writer = MultipartWriter("form-data")
    for field in body:
        part = StringPayload(field.value) if isinstance(field.value, str) else await _file(field.value, blobs)
        part.headers["Content-Disposition"] = _disposition(field)
        writer.append_payload(part)
    return writer


async def _file(blob: Blob, blobs: Blobs) -> _File:
    whole = await blobs.size(blob.ref)
    length = whole - blob.start if blob.length is None else blob.length
    if not 0 <= blob.start <= blob.start + length <= whole:
        raise SendFailed("malformed", f"the file has {whole} bytes, not {length} from {blob.start} on")
    chunks = transformed(await blobs.get_slice(blob.ref, blob.start, length), blob.through)
    return _File(chunks, size=None if isinstance(blob.through, Gzip) else length, mime_type=blob.mime_type)


async def transformed(chunks: AsyncIterator[bytes], through: AesCtr | Gzip | None) -> AsyncIterator[bytes]:
    """The chunks as they become on their way, one at a time."""
    change, end = _begun(through)
    async for chunk in chunks:
        if changed := change(chunk):
            yield changed
    if rest := end():
        yield rest


def _begun(through: AesCtr | Gzip | None) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    """What maps a chunk, and what gives the rest at the end."""
    match through:
        case AesCtr(key=key, counter=counter):
            stream = Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor()
            return stream.update, stream.finalize
        case Gzip():
            packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
            return packer.compress, packer.flush
    return bytes, bytes


def _disposition(field: Field) -> str:
    """Names as UTF-8, escaped as browsers do: RFC 7578 §4.2 forbids `filename*`, and providers show percent signs as such."""
    name = f'form-data; name="{field.name.translate(ESCAPES)}"'
    if isinstance(field.value, Blob):
        return f'{name}; filename="{field.value.name.translate(ESCAPES)}"'
    return name
