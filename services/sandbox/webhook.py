"""The other system of the generic webhook channel: it takes each message once — https://www.standardwebhooks.com."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import BodyPartReader, web

from services.sandbox.bodies import multipart_of, read_bytes
from services.sandbox.faults import Control
from services.sandbox.refusals import answering

TOLERANCE: Final = 300.0  # seconds that a signed time may be off
SIGNATURE: Final = re.compile(r"v1,[A-Za-z0-9+/]{43}=( v1,[A-Za-z0-9+/]{43}=)*")
REMEMBERED: Final = 100_000


class Webhook:
    """It knows no secret, so a signature need only look like one; ids are remembered, a repeated one is answered 409."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._seen: OrderedDict[str, None] = OrderedDict(
            (send["message_id"], None) for send in control.sends if send["provider"] == "webhook"
        )

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/webhook/{name}", answering(self._take))]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        await self._control.answers()
        event = await _event(request)
        sends = event.get("type") == "message"
        if provoked := await self._control.failure("webhook", channel="webhook", sends=sends):
            return provoked
        if sends and not self._first(request, event):
            return web.json_response({"error": "taken before"}, status=409)
        if sends and self._control.drops() and request.transport:
            request.transport.abort()
        return web.json_response({"external_ids": [event["id"]]} if sends else {})

    def _first(self, request: web.Request, event: Mapping[str, Any]) -> bool:
        message_id = request.headers["webhook-id"]
        if message_id in self._seen:
            return False
        self._seen[message_id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        about = {"hook": request.match_info["name"], "message_id": message_id, "text": event["part"].get("text")}
        self._control.accepted({"provider": "webhook", **about, "event": event, "at": time.time()})
        return True


async def _event(request: web.Request) -> dict[str, Any]:
    """The event of a request that is signed as it should be. Raises 401 and 400."""
    headers = request.headers
    try:
        age = abs(time.time() - float(headers["webhook-timestamp"]))
        signed = headers["webhook-id"] and SIGNATURE.fullmatch(headers["webhook-signature"]) and age <= TOLERANCE
    except (KeyError, ValueError):
        signed = None
    if not signed:
        raise web.HTTPUnauthorized(text="webhook-id, webhook-timestamp and webhook-signature are needed")
    body = await _json(request)
    if body.get("type") == "message" and not (isinstance(body.get("id"), str) and isinstance(body.get("part"), dict)):
        raise web.HTTPBadRequest(text="a message has an id and a part")
    return body


async def _json(request: web.Request) -> dict[str, Any]:
    data = await _field(request) if request.content_type == "multipart/form-data" else await read_bytes(request)
    try:
        body = orjson.loads(data)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the event must be a JSON object")
    return body


async def _field(request: web.Request) -> bytes:
    """Beside a file the event is the field `message` of the form."""
    data = b""
    async for part in await multipart_of(request):
        if isinstance(part, BodyPartReader) and part.name == "message":
            data = await part.read()
        elif part:
            await part.release()
    return data
