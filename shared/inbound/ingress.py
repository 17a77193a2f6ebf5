"""HTTP in: handshake, verify, inbound, publish, answer. Nothing is answered 2xx before Kafka has acknowledged it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Final, NamedTuple

import structlog
from aiohttp import web
from prometheus_client import Counter as Count, Histogram

from shared.contract.channel import App, Channel, Context, Request, Response
from shared.contract.errors import (
    BusUnavailable,
    Crowded,
    Encoded,
    KeysUnavailable,
    Malformed,
    ParleyError,
    StoreUnavailable,
    TooLarge,
    TooSlow,
    Torn,
    UnknownAccount,
    UnknownKey,
    Unverified,
)
from shared.contract.readable import UNREADABLE
from shared.inbound.accept import Intake
from shared.inbound.translate import handshake, unpacked, verify
from shared.provider.parts import Parts
from shared.runtime.observe import ACKNOWLEDGED, IN_FLIGHT, INGRESS
from shared.runtime.port import HOOK, HOOK_BEHIND, body_of, check_length

log = structlog.get_logger(__name__)

CONCURRENT: Final = 512  # proven requests at once; more are told to come again
SHARE: Final = 384  # of them, of one channel


class Refused(NamedTuple):
    """How an error is answered, and counted."""

    status: int
    outcome: str


ANSWERS: Final[Mapping[type[ParleyError], Refused]] = {
    Unverified: Refused(401, "unverified"),
    UnknownKey: Refused(401, "unverified"),
    KeysUnavailable: Refused(503, "keys_unavailable"),
    Torn: Refused(400, "torn"),
    TooLarge: Refused(413, "too_large"),
    TooSlow: Refused(408, "too_slow"),
    Encoded: Refused(415, "encoded"),
    Crowded: Refused(503, "crowded"),
    BusUnavailable: Refused(503, "unavailable"),
    StoreUnavailable: Refused(503, "unavailable"),
}


OUTCOMES: Final = (
    "accepted",
    "dead_lettered",
    "handshake",
    "unread",
    *sorted({answer.outcome for answer in ANSWERS.values()}),
)


class Ingress:
    """One address per app, /hooks/{channel}/{app}, for every channel of this adapter."""

    def __init__(self, parts: Parts, intake: Intake) -> None:
        self._settings, self._parts, self._accounts = parts.settings, parts, parts.accounts
        self._contexts, self._intake = parts.contexts, intake
        self._open: Counter[str] = Counter()
        IN_FLIGHT.set_function(self._open.total)

    @property
    def trouble(self) -> str | None:
        """Why no more requests should come here at the moment."""
        return "as many requests as may be open" if self._open.total() >= CONCURRENT else None

    def routes(self) -> list[web.RouteDef]:
        return [web.route("*", path, self.receive) for path in (HOOK, HOOK_BEHIND)]

    def _named(self, request: web.Request) -> tuple[Channel | None, App | None]:
        name, behind = request.match_info["channel"], request.match_info.get("behind", "")
        channel = self._parts.channels.get(name) if self._parts.serves(name) else None
        app = self._accounts.current.app(name, request.match_info["app"])
        return (channel, app) if channel and channel.verify and behind in {"", channel.behind} else (None, None)

    async def receive(self, request: web.Request) -> web.Response:
        """Answer one request of a provider: 2xx only for what is durable."""
        channel, app = self._named(request)
        if channel is None or app is None:
            INGRESS.labels("none", "unknown_address").inc()
            return _plain(
                404, "unknown address: no such app in the accounts file, or none of this process (PARLEY_CHANNELS)"
            )
        started = time.perf_counter()
        try:
            answer, outcome = await self._take(channel, app, request)
        except tuple(ANSWERS) as error:
            status, outcome = ANSWERS[type(error)]
            answer = Response(status=status, body=_said(error))
        _counted(channel.name, outcome).inc()
        _timed(channel.name).observe(time.perf_counter() - started)
        return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)

    async def _take(self, channel: Channel, app: App, incoming: web.Request) -> tuple[Response, str]:
        """What can be refused by the head alone is refused before the body is read; no place is taken without proof."""
        _check_head(channel, incoming)
        if not channel.signed and incoming.body_exists:
            await self._verify(channel, app, _head(incoming), await self._contexts.of(channel, app))
        async with body_of(incoming, channel.body_limit) as body:
            context = await self._contexts.of(channel, app)
            request = self._request(incoming, body)
            if (answer := handshake(channel, app, request, context)) is not None:
                return answer, "handshake"
            await self._verify(channel, app, request, context)
            request = unpacked(channel, request)
            with self._place(channel):
                return await self._accept(channel, app, request, context)

    async def _verify(self, channel: Channel, app: App, request: Request, context: Context) -> None:
        """Raises Unverified; of a key that is not known only after the provider was asked for newer ones."""
        try:
            verify(channel, app, request, context)
        except UnknownKey:
            verify(channel, app, request, await self._contexts.newer(channel, app, context))

    async def _accept(self, channel: Channel, app: App, request: Request, context: Context) -> tuple[Response, str]:
        try:
            await self._intake.take(channel, app, self._accounts.current, request, context)
        except (Malformed, UnknownAccount, TooLarge) as error:
            await self._intake.dead_letters.keep_request(channel, app, request, error)
            return _accepted(channel, app, request, context), "dead_lettered"
        return _accepted(channel, app, request, context), "accepted"

    @contextmanager
    def _place(self, channel: Channel) -> Iterator[None]:
        """One of those that may wait for Kafka at once; no channel has them all. Raises BusUnavailable."""
        if self._open.total() >= CONCURRENT or self._open[channel.name] >= SHARE:
            raise BusUnavailable("too many requests at once")
        self._open[channel.name] += 1
        try:
            yield
        finally:
            self._open[channel.name] -= 1

    def _request(self, incoming: web.Request, body: bytes) -> Request:
        base = self._settings.public_url or f"{incoming.scheme}://{incoming.host}"
        return Request(
            method=incoming.method,
            url=base.rstrip("/") + incoming.path_qs,
            headers={name.lower(): value for name, value in incoming.headers.items()},
            query=dict(incoming.query) if incoming.query_string else {},
            body=body,
        )


def _check_head(channel: Channel, incoming: web.Request) -> None:
    """Raises TooLarge, Encoded, and Unverified where the head would have to hold the proof and does not."""
    check_length(incoming, channel.body_limit)
    encoding = incoming.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity", *channel.encodings}:
        raise Encoded(encoding)
    if incoming.body_exists and channel.proof and not any(name in incoming.headers for name in channel.proof.split()):
        raise Unverified("nothing in the head proves the body")


def _head(incoming: web.Request) -> Request:
    return Request(method=incoming.method, headers={name.lower(): given for name, given in incoming.headers.items()})


@cache
def _counted(channel: str, outcome: str) -> Count:
    return INGRESS.labels(channel, outcome)


@cache
def _timed(channel: str) -> Histogram:
    return ACKNOWLEDGED.labels(channel)


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
