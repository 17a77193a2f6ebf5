"""A call of the Bot API: where its parameters come from, and how it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from aiohttp import web

from services.sandbox import refusals
from services.sandbox.bodies import Upload, read_values

UPLOAD_BYTES: Final = 50 * 1024 * 1024  # https://core.telegram.org/bots/api#sending-files


class Refused(refusals.Refused):
    """Answered {"ok": false, "error_code", "description", "parameters"?}: core.telegram.org/bots/api#making-requests."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(status, description)
        self.parameters = parameters

    def response(self) -> web.Response:
        body: dict[str, Any] = {"ok": False, "error_code": self.status, "description": self.description}
        if self.parameters:
            body["parameters"] = self.parameters
        return web.json_response(body, status=self.status)


def bad_request(what: str) -> Refused:
    return Refused(400, f"Bad Request: {what}")


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
    """What a call passes. Raises Refused."""
    try:
        return Parameters(await read_values(request, upload_bytes=UPLOAD_BYTES))
    except refusals.Refused as refused:
        if refused.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise Refused(413, "Request Entity Too Large") from None
        if refused.status != HTTPStatus.BAD_REQUEST:
            raise Refused(refused.status, refused.description) from None
        form = request.content_type.startswith("multipart/")
        raise bad_request("can't parse multipart form" if form else "can't parse JSON object") from None
