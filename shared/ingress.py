"""HTTP in: handshake, verify, inbound, publish, answer. Nothing is answered 2xx before Kafka has acknowledged it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Final, NamedTuple

import structlog
from aiohttp import web
from prometheus_client import Counter, Histogram

from shared.accept import Intake
from shared.accounts import AccountsFile
from shared.channel import App, Channel, Context, Request, Response
from shared.errors import (
    BusUnavailable,
    Malformed,
    ParleyError,
    StoreUnavailable,
    TooLarge,
    Torn,
    UnknownAccount,
    Unverified,
)
from shared.observe import ACKNOWLEDGED, IN_FLIGHT, INGRESS
from shared.readable import UNREADABLE
from shared.settings import Settings
from shared.translate import verify

log = structlog.get_logger(__name__)

CONCURRENT: Final = 512  # requests at once; more are told to come again


class Refused(NamedTuple):
    """How an error is answered, and counted."""

    status: int
    outcome: str


ANSWERS: Final[Mapping[type[ParleyError], Refused]] = {
    Unverified: Refused(401, "unverified"),
    Torn: Refused(400, "torn"),
    TooLarge: Refused(413, "too_large"),
    BusUnavailable: Refused(503, "unavailable"),
    StoreUnavailable: Refused(503, "unavailable"),
}


OUTCOMES: Final = ("accepted", "dead_lettered", "handshake", *sorted({answer.outcome for answer in ANSWERS.values()}))


class Ingress:
    """One address per app, /hooks/{channel}/{app}, for every channel of this adapter."""

    def __init__(
        self,
        *,
        settings: Settings,
        channels: Mapping[str, Channel],
        accounts: AccountsFile,
        intake: Intake,
    ) -> None:
        self._settings, self._channels, self._accounts = settings, channels, accounts
        self._intake = intake
        self._open = 0
        IN_FLIGHT.set_function(lambda: self._open)

    @property
    def trouble(self) -> str | None:
        """Why no more requests should come here at the moment."""
        return "as many requests as may be open" if self._open >= CONCURRENT else None

    def routes(self) -> list[web.RouteDef]:
        return [web.route("*", "/hooks/{channel}/{app}", self.receive)]

    async def receive(self, request: web.Request) -> web.Response:
        """Answer one request of a provider: 2xx only for what is durable."""
        name = request.match_info["channel"]
        channel = self._channels.get(name)
        app = self._accounts.current.app(name, request.match_info["app"])
        if channel is None or app is None or channel.verify is None:
            INGRESS.labels("none", "unknown_address").inc()
            return _plain(404, "unknown address: no such app in the accounts file")
        if self._open >= CONCURRENT:
            INGRESS.labels(name, "unavailable").inc()
            return _plain(503, "too many requests at once; send it again")
        self._open += 1
        started = time.perf_counter()
        try:
            answer, outcome = await self._take(channel, app, request)
        except tuple(ANSWERS) as error:
            status, outcome = ANSWERS[type(error)]
            answer = Response(status=status, body=_said(error))
        finally:
            self._open -= 1
        _counted(name, outcome).inc()
        _timed(name).observe(time.perf_counter() - started)
        return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)

    async def _take(self, channel: Channel, app: App, incoming: web.Request) -> tuple[Response, str]:
        context = Context(now=datetime.now(UTC), nonce=secrets.token_hex(16))
        request = await self._read(channel, incoming)
        if (answer := _handshake(channel, app, request, context)) is not None:
            return answer, "handshake"
        verify(channel, app, request, context)
        try:
            await self._intake.take(channel, app, self._accounts.current, request, context)
        except (Malformed, UnknownAccount, TooLarge) as error:
            await self._intake.quarantine.keep_request(channel, app, request, error)
            return _accepted(channel, app, request, context), "dead_lettered"
        return _accepted(channel, app, request, context), "accepted"

    async def _read(self, channel: Channel, incoming: web.Request) -> Request:
        if (incoming.content_length or 0) > channel.body_limit:
            raise TooLarge(f"{channel.body_limit} bytes are the most")
        try:
            body = await incoming.read()
        except web.HTTPRequestEntityTooLarge:
            raise TooLarge(f"{channel.body_limit} bytes are the most") from None
        if len(body) > channel.body_limit:
            raise TooLarge(f"{channel.body_limit} bytes are the most")
        base = self._settings.public_url or f"{incoming.scheme}://{incoming.host}"
        return Request(
            method=incoming.method,
            url=base.rstrip("/") + incoming.path_qs,
            headers={name.lower(): value for name, value in incoming.headers.items()},
            query=dict(incoming.query) if incoming.query_string else {},
            body=body,
        )


@cache
def _counted(channel: str, outcome: str) -> Counter:
    return INGRESS.labels(channel, outcome)


@cache
def _timed(channel: str) -> Histogram:
    return ACKNOWLEDGED.labels(channel)


def _handshake(channel: Channel, app: App, request: Request, context: Context) -> Response | None:
    """What must be answered at once; a request that is none of that, or nonsense, goes on to be verified."""
    try:
        return channel.handshake(app, request, context)
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _accepted(channel: Channel, app: App, request: Request, context: Context) -> Response:
    """What is durable is acknowledged, whatever the channel can read of it."""
    try:
        return channel.accepted(app, request, context)
    except UNREADABLE:
        return Response()


def _said(error: ParleyError) -> bytes:
    """What a stranger is told: the kind of error, never what was expected."""
    return ((type(error).__doc__ or "").strip().partition(";")[0] + "\n").encode()


def _plain(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n")
