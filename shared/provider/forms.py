"""Multipart forms whose files are streamed from the blob store (RFC 7578)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import MultipartWriter, Payload, StringPayload
from aiohttp.abc import AbstractStreamWriter

from shared.contract.channel import Blob, Field, Form
from shared.storage.blobs import Blobs

ESCAPES: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


class _File(Payload):
    """A stream of known length, so that the whole form has one: not every provider takes chunked requests."""

    _autoclose = True

    def __init__(self, chunks: AsyncIterator[bytes], *, size: int, mime_type: str) -> None:
        super().__init__(chunks, content_type=mime_type)
        self._size = size

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        raise TypeError("a stream is read once, by the connection")

    async def write(self, writer: AbstractStreamWriter) -> None:
        async for chunk in self._value:
            await writer.write(chunk)


async def open_form(form: Form, blobs: Blobs) -> MultipartWriter:
    """The form, every file opened: one that is missing is known before anything leaves. Raises NotFound, StoreUnavailable."""
    writer = MultipartWriter("form-data")
    for field in form:
        part = await _part(field, blobs)
        part.headers["Content-Disposition"] = _disposition(field)
        writer.append_payload(part)
    return writer


async def _part(field: Field, blobs: Blobs) -> Payload:
    if isinstance(field.value, str):
        return StringPayload(field.value)
    size = await blobs.size(field.value.ref)
    return _File(await blobs.get(field.value.ref), size=size, mime_type=field.value.mime_type)


def _disposition(field: Field) -> str:
    """Names as UTF-8, escaped as browsers do: RFC 7578 §4.2 forbids `filename*`, and providers show percent signs as such."""
    name = f'form-data; name="{field.name.translate(ESCAPES)}"'
    if isinstance(field.value, Blob):
        return f'{name}; filename="{field.value.name.translate(ESCAPES)}"'
    return name
