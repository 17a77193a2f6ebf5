"""What a request passes, whichever way: query, JSON, form or multipart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from aiohttp import BodyPartReader, MultipartReader, web

from services.sandbox.refusals import Refused
from shared.contract.errors import Crowded, TooLarge, TooSlow
from shared.runtime.port import body_of, content_of

UPLOAD_BYTES: Final = 100 * 1024 * 1024
FIELD_BYTES: Final = 256 * 1024
FIELDS: Final = 64


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a multipart form."""

    name: str
    mime_type: str
    data: bytes


async def read_values(request: web.Request, *, upload_bytes: int = UPLOAD_BYTES) -> dict[str, Any]:
    """Names and values; an uploaded file is an Upload, several of one name are numbered. Raises Refused."""
    values: dict[str, Any] = dict(request.query)
    match request.content_type:
        case "application/json":
            values |= _json(await read_bytes(request))
        case "application/x-www-form-urlencoded":
            values |= _form(await read_bytes(request))
        case "multipart/form-data":
            values |= await _multipart(request, upload_bytes)
    return values


async def read_bytes(request: web.Request) -> bytes:
    """The body, which is counted while it comes. Raises Refused."""
    try:
        async with body_of(request, request.client_max_size) as body:
            return body
    except TooLarge as error:
        raise Refused(413, error.detail) from None
    except TooSlow as error:
        raise Refused(408, str(error)) from None
    except Crowded as error:
        raise Refused(503, str(error)) from None


async def multipart_of(request: web.Request) -> MultipartReader:
    """The parts of a form, for who is about to read them."""
    await content_of(request)
    return await request.multipart()


def read_object(value: object) -> dict[str, Any] | None:
    """An object, which in a form is JSON in a string; None where it is none."""
    if isinstance(value, bytes | str):
        try:
            value = orjson.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, dict) else None


def _json(body: bytes) -> dict[str, Any]:
    value = read_object(body or b"{}")
    if value is None:
        raise Refused(400, "the body must be a JSON object")
    return value


def _form(body: bytes) -> dict[str, Any]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS))
    except ValueError:
        raise Refused(400, "the form cannot be read") from None


async def _multipart(request: web.Request, upload_bytes: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    async for part in await multipart_of(request):
        if not isinstance(part, BodyPartReader) or part.name is None or len(values) >= FIELDS:
            raise Refused(400, "the form cannot be read")
        data = await _limited(part, upload_bytes if part.filename else FIELD_BYTES)
        mime_type = part.headers.get("Content-Type", "application/octet-stream").partition(";")[0]
        name = f"{part.name}{len(values)}" if part.filename and part.name in values else part.name
        values[name] = Upload(part.filename, mime_type, data) if part.filename else data.decode(errors="replace")
    return values


async def _limited(part: BodyPartReader, limit: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(256 * 1024):
        data += chunk
        if len(data) > limit:
            raise Refused(413, f"{limit} bytes are the most")
    return bytes(data)
