"""How the API answers: JSON, and every mistake as {"error": {"code", "detail"}}."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import orjson
import structlog
from aiohttp import web
from pydantic import BaseModel, ValidationError

from shared.contract.errors import (
    BusUnavailable,
    Contended,
    Crowded,
    DatabaseUnavailable,
    Malformed,
    ParleyError,
    StoreUnavailable,
    TooLarge,
    TooSlow,
)
from shared.contract.mend import loads
from shared.runtime.port import body_of
from shared.storage.blobs import NotFound
from shared.storage.sqlstates import is_waited_for

M = TypeVar("M", bound=BaseModel)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

JSON_LIMIT: Final = 512 * 1024  # bytes of a JSON body; the longest text of a channel is 384 KiB
PRIVATE: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
STATUS_OF: Final[dict[type[ParleyError], int]] = {
    BusUnavailable: 503,
    Contended: 503,
    Crowded: 503,
    DatabaseUnavailable: 503,
    StoreUnavailable: 503,
    TooLarge: 413,
    TooSlow: 408,
    Malformed: 400,
}

log = structlog.get_logger(__name__)


class Mistake(Exception):
    """A request that cannot be carried out; `code` is one of shared.contract.records.Code, `not_found` or `scope`."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


def answer(value: object, *, status: int = 200) -> web.Response:
    """`value` as JSON; datetimes as RFC 3339 in UTC with Z, UUIDs as text, orjson.Fragment as it stands."""
    body = orjson.dumps(value, default=plain, option=orjson.OPT_UTC_Z)
    return web.Response(status=status, body=body, content_type="application/json", headers=PRIVATE)


def plain(value: object) -> str:
    """The driver's own UUIDs are not the kind that orjson knows."""
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(type(value).__name__)


def refuse(mistake: Mistake) -> web.Response:
    response = answer({"error": {"code": mistake.code, "detail": mistake.detail}}, status=mistake.status)
    if mistake.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if mistake.status == 503:
        response.headers["Retry-After"] = "2"
    return response


def open_to_all(handler: Handler) -> Handler:
    """`handler` without a token: it proves the right to its answer in another way."""

    async def serve(request: web.Request) -> web.StreamResponse:
        return await answering(handler, request)

    return serve


async def answering(handler: Handler, request: web.Request) -> web.StreamResponse:
    try:
        return unchanged(request, await handler(request))
    except Exception as error:
        mistake = as_mistake(error)
        if mistake is None:
            raise
        if mistake.status >= 500:
            log.warning("api.refused", path=request.path, code=mistake.code, error=type(error).__name__)
        return refuse(mistake)


async def write_out(
    request: web.Request, response: web.StreamResponse, chunks: AsyncIterator[bytes], *, seconds: float | None = None
) -> None:
    """The rest of an answer that has begun. One that breaks is broken off: half of it must not look like all of it, nor may another
    answer stand within it. `seconds`: how long a chunk may take.
    """
    try:
        async for chunk in chunks:
            async with asyncio.timeout(seconds):
                await response.write(chunk)
        await response.write_eof()
    except Exception as error:  # noqa: BLE001 whatever it is
        log.warning("api.broken_off", path=request.path, error=repr(error))
        if request.transport:
            request.transport.abort()


def unchanged(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """The answer to a GET with its ETag; 304 where the caller has it already (RFC 9110 §13.1.2)."""
    body = response.body if isinstance(response, web.Response) else None
    if request.method != "GET" or response.content_type != "application/json" or not isinstance(body, bytes):
        return response
    response.etag = tag = hashlib.blake2b(body, digest_size=16).hexdigest()
    if any(one.value in {tag, "*"} for one in request.if_none_match or ()):
        return web.Response(status=304, headers={**PRIVATE, "ETag": f'"{tag}"'})
    return response


def as_mistake(error: Exception) -> Mistake | None:
    """What the caller is told of `error`; None: it is a fault of ours, not an answer."""
    match error:
        case Mistake():
            return error
        case ValidationError():
            return Mistake(400, "malformed", explain(error))
        case NotFound():
            return Mistake(404, "not_found", str(error))
        case ParleyError() if type(error) in STATUS_OF:
            return Mistake(STATUS_OF[type(error)], error.code, str(error))
        case _ if is_waited_for(error) and not isinstance(error, ConnectionResetError):
            return Mistake(503, "unreachable", "the database does not answer; try again")
        case _:
            return None


def explain(error: ValidationError) -> str:
    """The first five mistakes as `place: what`, without the values that were sent."""
    found = error.errors(include_url=False, include_input=False, include_context=False)[:5]
    return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in found)


async def read_model(
    request: web.Request, model: type[M], *, lacking: Mapping[str, object] | None = None, **given: object
) -> M:
    """The JSON body as `model`, with what the address already says laid over it, and `lacking` where it says nothing."""
    value = await read_json(request)
    if not isinstance(value, dict):
        raise Mistake(400, "malformed", "the body must be a JSON object")
    return model.model_validate({**(lacking or {}), **value, **given})


async def read_json(request: web.Request) -> Any:
    """The body as JSON, nothing as an empty object. Raises Mistake (400) where it is none, and as `body_of`."""
    async with body_of(request, JSON_LIMIT) as body:
        try:
            return loads(body or b"{}")
        except orjson.JSONDecodeError as error:
            raise Mistake(400, "malformed", f"not JSON: {error}") from error


def path_uuid(request: web.Request) -> uuid.UUID:
    try:
        return uuid.UUID(request.match_info["id"])
    except ValueError as error:
        raise Mistake(400, "malformed", "the id in the address is not a UUID") from error


def number(request: web.Request, name: str, *, default: int, most: int) -> int:
    """A query parameter between 0 and `most`; above that it is `most`."""
    text = request.query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Mistake(400, "malformed", f"{name} must be a whole number")
    return min(int(text), most)
