"""What a request passes, whichever way: query, JSON, form or multipart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiohttp import BodyPartReader, web

UPLOAD_BYTES: Final = 100 * 1024 * 1024
FIELD_BYTES: Final = 256 * 1024
FIELDS: Final = 64


class BadBody(Exception):
    """The body is none that can be read; `status` says how HTTP calls it."""

    def __init__(self, status: int, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.description = description


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a multipart form."""

    name: str
    mime_type: str
    data: bytes


async def read_values(request: web.Request) -> dict[str, Any]:
    """Names and values; an uploaded file is an Upload, several of one name are numbered. Raises BadBody."""
    values: dict[str, Any] = dict(request.query)
    match request.content_type:
        case "application/json":
            values |= _json(await request.read())
        case "application/x-www-form-urlencoded":
            values |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        case "multipart/form-data":
            values |= await _multipart(request)
    return values


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body) if body else {}
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BadBody(400, "the body must be a JSON object")
    return value


async def _multipart(request: web.Request) -> dict[str, Any]:
    values: dict[str, Any] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None or len(values) >= FIELDS:
            raise BadBody(400, "the form cannot be read")
        data = await _limited(part, UPLOAD_BYTES if part.filename else FIELD_BYTES)
        mime_type = part.headers.get("Content-Type", "application/octet-stream").partition(";")[0]
        name = f"{part.name}{len(values)}" if part.filename and part.name in values else part.name
        values[name] = Upload(part.filename, mime_type, data) if part.filename else data.decode(errors="replace")
    return values


async def _limited(part: BodyPartReader, limit: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(256 * 1024):
        data += chunk
        if len(data) > limit:
            raise BadBody(413, f"{limit} bytes are the most")
    return bytes(data)
