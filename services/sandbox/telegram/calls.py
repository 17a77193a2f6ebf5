"""A call of the Bot API: where its parameters come from, and how it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import BodyPartReader, web

UPLOAD_BYTES: Final = 50 * 1024 * 1024  # https://core.telegram.org/bots/api#sending-files
FIELD_BYTES: Final = 256 * 1024
FIELDS: Final = 64


class Refused(Exception):
    """Answered {"ok": false, "error_code", "description", "parameters"?}: core.telegram.org/bots/api#making-requests."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters

    def response(self) -> web.Response:
        body: dict[str, Any] = {"ok": False, "error_code": self.status, "description": self.description}
        if self.parameters:
            body["parameters"] = self.parameters
        return web.json_response(body, status=self.status)


def bad_request(what: str) -> Refused:
    return Refused(400, f"Bad Request: {what}")


class Upload:
    """A file of a multipart form."""

    def __init__(self, name: str, mime_type: str, data: bytes) -> None:
        self.name = name
        self.mime_type = mime_type
        self.data = data


class Parameters:
    """What was passed, whichever of the four ways: query, form, JSON or multipart. In forms, objects are JSON in a string."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        value = self._values.get(name, "")
        if not isinstance(value, str):
            raise bad_request(f"{name} must be of type String")
        return value

    def integer(self, name: str) -> int | None:
        match self._values.get(name):
            case None | "":
                return None
            case bool():
                raise bad_request(f"field {name} must be a valid number")
            case int() as number:
                return number
            case str() as digits if digits.lstrip("-").isdecimal():
                return int(digits)
        raise bad_request(f"field {name} must be a valid number")

    def number(self, name: str) -> float | None:
        value = self._values.get(name)
        try:
            return None if value is None or value == "" else float(value)
        except (TypeError, ValueError):
            raise bad_request(f"field {name} must be a number") from None

    def flag(self, name: str) -> bool:
        return self._values.get(name) in (True, "true", "True", "1")

    def object(self, name: str) -> Any:
        value = self._values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return orjson.loads(value) if value else None
        except ValueError:
            raise bad_request(f"can't parse {name} JSON object") from None

    def file(self, name: str) -> Upload | str | None:
        value = self._values.get(name)
        return value if isinstance(value, Upload | str) and value else None


async def parameters(request: web.Request) -> Parameters:
    values: dict[str, Any] = dict(request.query)
    match request.content_type:
        case "application/json":
            values |= _json(await request.read())
        case "application/x-www-form-urlencoded":
            values |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        case "multipart/form-data":
            values |= await _multipart(request)
    return Parameters(values)


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body) if body else {}
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise bad_request("can't parse JSON object")
    return value


async def _multipart(request: web.Request) -> dict[str, Any]:
    values: dict[str, Any] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None or len(values) >= FIELDS:
            raise bad_request("can't parse multipart form")
        limit = UPLOAD_BYTES if part.filename else FIELD_BYTES
        data = await _limited(part, limit)
        mime_type = part.headers.get("Content-Type", "application/octet-stream").partition(";")[0]
        values[part.name] = Upload(part.filename, mime_type, data) if part.filename else data.decode(errors="replace")
    return values


async def _limited(part: BodyPartReader, limit: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(256 * 1024):
        data += chunk
        if len(data) > limit:
            raise Refused(413, "Request Entity Too Large")
    return bytes(data)
