"""The HTTP port of every service: heads and bodies have deadlines, addresses have shares, bodies stay as they were sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import HttpVersion11, StreamReader, hdrs, web
from aiohttp.http import RawRequestMessage
from multidict import CIMultiDictProxy

from shared.contract.errors import TooLarge, TooSlow
from shared.runtime import crowd
from shared.runtime.crowd import Budget, Crowd, networks, place_of
from shared.runtime.settings import Settings

HEAD_SECONDS: Final = 10.0  # from the connection to the end of the first head
IDLE_SECONDS: Final = 75.0  # from an answer to the end of the next head
BODY_SECONDS: Final = 20.0  # for a body, and one second more for each
BODY_RATE: Final = 64 * 1024  # bytes that it declares
LINGER: Final = 2.0  # seconds in which the rest of a refused body is thrown away
HOOK: Final = "/hooks/{channel}/{app}"  # its channel says itself in which encodings it takes bodies
HOOK_BEHIND: Final = HOOK + "/{behind}"  # where the provider puts a word of its own behind it

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Make = Callable[..., web.BaseRequest]
EXPECTS: Final = web.RequestKey("expects", bool)  # its body waits until somebody asks for it
CROWD: Final = web.AppKey("crowd", Crowd)
BUDGET: Final = web.AppKey("budget", Budget)


class Connection(web.RequestHandler):
    """One connection: until its head, and then its body, is whole it waits, and may lose its place to another."""

    def __init__(self, crowd: Crowd, server: web.Server, **more: Any) -> None:
        super().__init__(server, **more)
        self._crowd = crowd
        self._timer: asyncio.TimerHandle | None = None
        self.address, self.waiting = "", True
        self._current: web.Request | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.address = place_of(str((transport.get_extra_info("peername") or ("",))[0]))
        super().connection_made(transport)
        if self._crowd.admit(self):
            self._within(HEAD_SECONDS, self.dismiss)
        else:
            self.dismiss()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._crowd.leave(self)
        self._within(None)
        super().connection_lost(exc)

    def vouch(self, name: str) -> bool:
        """See `shared.runtime.crowd.Crowd`."""
        return self._crowd.vouch(self, name)

    def dismiss(self) -> None:
        """End it at once, without an answer: there is nobody yet to whom one is owed."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    def begins(self, request: web.Request) -> None:
        """A head is whole; its body, where there is one, has a deadline of its own."""
        self._current = request
        self.waiting = request.body_exists and not request.content.is_eof()
        if not self.waiting:
            self._within(None)
            return
        request.content.on_eof(lambda: self._arrived(request))
        declared = request.content_length or request.client_max_size
        self._within(BODY_SECONDS + declared / BODY_RATE, self._too_late, request)

    def ends(self) -> None:
        """It is answered; the next head may come, when the answer has been read."""
        self._current, self.waiting = None, True
        self._within(IDLE_SECONDS, self._idle, None)

    def _idle(self, left: int | None) -> None:
        """Nothing came. Whoever still reads the answer has as long again; `left`: what was unread the last time."""
        unread = self.transport.get_write_buffer_size() if isinstance(self.transport, asyncio.Transport) else 0
        if unread and (left is None or unread < left):
            self._within(IDLE_SECONDS, self._idle, unread)
        else:
            self.dismiss()

    def log_exception(self, *args: Any, **more: Any) -> None:
        """Somebody who goes away in the middle is no error of ours."""
        if not isinstance(more.get("exc_info"), ConnectionError):
            super().log_exception(*args, **more)

    def _arrived(self, request: web.Request) -> None:
        """A body that comes to its end after its answer, unread, changes nothing."""
        if request is self._current:
            self.waiting = False
            self._within(None)

    def _too_late(self, request: web.Request) -> None:
        """Whoever reads the body is told; a body that nobody reads goes with its connection."""
        request.content.set_exception(web.HTTPRequestTimeout(text="the body did not arrive in time\n"))
        self._within(LINGER, self.dismiss)

    def _within(self, seconds: float | None, then: Callable[..., None] | None = None, *given: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if seconds is not None and then is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, then, *given)


@web.middleware
async def attend(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Around every request: its connection knows how far it is, and an encoded body is not unpacked for a stranger."""
    connection = request.protocol
    if isinstance(connection, Connection):
        connection.begins(request)
    try:
        if is_encoded(request) and not _is_hook(request):
            return unsupported_encoding()
        return await handler(request)
    finally:
        if isinstance(connection, Connection):
            connection.ends()


def is_encoded(request: web.Request) -> bool:
    return request.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower() not in {"", "identity"}


def unsupported_encoding() -> web.Response:
    """415 with what would be taken (RFC 9110 §15.5.16)."""
    return web.Response(
        status=415, text="send the body without Content-Encoding\n", headers={"Accept-Encoding": "identity"}
    )


def _is_hook(request: web.Request) -> bool:
    resource = request.match_info.route.resource
    return resource is not None and resource.canonical in {HOOK, HOOK_BEHIND}


def guard(app: web.Application, settings: Settings) -> None:
    """What `open_port` and `body_of` need, in front of all other middlewares."""
    app[CROWD] = Crowd(networks(settings.trusted_proxies), share=crowd.SHARE)
    app[BUDGET] = Budget()
    app.middlewares.insert(0, attend)


async def open_port(runner: web.AppRunner, host: str, port: int) -> asyncio.Server:
    """Serve a set up runner whose app is guarded; close the server before the runner is cleaned up."""
    loop, server, crowd = asyncio.get_running_loop(), runner.server, runner.app[CROWD]
    if server is None:
        raise RuntimeError("the runner is not set up")
    server.request_factory = judged_first(server.request_factory)

    def connection() -> Connection:
        return Connection(
            crowd, server, loop=loop, access_log=None, auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS, lingering_time=LINGER,
        )  # fmt: skip

    return await loop.create_server(connection, host, port, backlog=1024)


def judged_first(make: Make) -> Make:
    """Requests that ask whether to send their body (RFC 9110 §10.1.1): `content_of` says yes, once the head has passed all
    that judges it; aiohttp would say so before anybody has looked.
    """

    def request(message: RawRequestMessage, *rest: Any) -> web.BaseRequest:
        expects = message.version >= HttpVersion11 and message.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
        if not expects:
            return make(message, *rest)
        headers = message.headers.copy()
        del headers[hdrs.EXPECT]
        made = make(message._replace(headers=CIMultiDictProxy(headers)), *rest)
        made[EXPECTS] = True
        return made

    return request


async def content_of(request: web.Request) -> StreamReader:
    """The body, for who is about to read it: whoever waits to be asked for it is told to go on."""
    if request.pop(EXPECTS, False) and not request.content.total_bytes:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return request.content


def vouch(request: web.Request, name: str) -> bool:
    """Who asks has proved this name, whose share of connections it takes from now on, if there is room for it."""
    return isinstance(request.protocol, Connection) and request.protocol.vouch(name)


def sender_of(request: web.Request) -> str:
    """The address whose share a request counts against; behind trusted proxies the one that they name."""
    forwarded: Sequence[str] = request.headers.getall(hdrs.X_FORWARDED_FOR, ())
    crowd = request.config_dict.get(CROWD)
    return crowd.sender(request.remote or "", forwarded) if crowd else place_of(request.remote or "")


@asynccontextmanager
async def body_of(request: web.Request, limit: int) -> AsyncIterator[bytes]:
    """The body as it was sent, which counts as under way until the block ends.

    Raises TooLarge, by its head alone where that says so; Crowded; TooSlow.
    """
    check_length(request, limit)
    budget = request.config_dict.get(BUDGET) or Budget()
    with budget.open(sender_of(request)) as held:
        chunks = []
        try:
            async for chunk in (await content_of(request)).iter_any():
                held.take(len(chunk))
                if held.size > limit:
                    raise TooLarge(f"{limit} bytes are the most")
                chunks.append(chunk)
        except web.HTTPRequestTimeout:
            raise TooSlow from None
        yield chunks[0] if len(chunks) == 1 else b"".join(chunks)


def check_length(request: web.Request, limit: int) -> None:
    """Raises TooLarge by what the head declares."""
    if (request.content_length or 0) > limit:
        raise TooLarge(f"{limit} bytes are the most")
