"""The calls to providers: each is timed, limited and classified, above all by whether anything may have left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
import stamina
import structlog
from yarl import URL

from shared.bus.cloudevents import next_span
from shared.contract.channel import Account, App, Asked, Channel, Http, Response, Smtp
from shared.contract.codes import Code
from shared.contract.errors import SendFailed, StoreUnavailable
from shared.contract.readable import otherwise
from shared.provider.bodies import open_body
from shared.provider.quotas import Quotas
from shared.provider.rates import Buckets, Rates
from shared.provider.smtp import Mailer
from shared.provider.ssrf import NotPublic, Reach, guarded_socket, public
from shared.runtime.observe import SEND_SECONDS
from shared.storage.blobs import Blobs, NotFound

log = structlog.get_logger(__name__)

ANSWER_LIMIT: Final = 4 * 1024 * 1024  # bytes
CONNECT: Final = 10.0  # seconds
DOWNLOAD: Final = 120.0  # seconds for a whole file; between two of its chunks the request's own timeout counts
PATIENCE: Final = timedelta(seconds=10)  # before a request that is to wait: its lane is kept for no longer
REDIRECTS: Final = 3
FRAME_LIMIT: Final = 4 * 1024 * 1024  # bytes of a message on a socket
CLOSING: Final = 2.0  # seconds for the other side's answer when we close a socket
CREDENTIALS: Final = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})

Before = Callable[[Asked], Awaitable[None]]


async def _nothing(_request: Asked) -> None:
    return


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """For whom a call is made: an account, or an app that asks for keys. `before` is awaited when a connection stands and the request is about to leave."""

    channel: Channel
    account: Account | App
    peer: str | None = None
    before: Before = _nothing
    polling: bool = False
    traceparent: str | None = None


@dataclass(slots=True)
class _Departure:
    """Whether a request has begun to leave: before that nothing can have happened, after that anything may have."""

    request: Http
    before: Before
    left: bool = False

    async def leave(self) -> None:
        await self.before(self.request)
        self.left = True


_departure: ContextVar[_Departure] = ContextVar("departure")


class _Request(aiohttp.ClientRequest):
    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        await _departure.get().leave()
        return await super().send(conn)


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer whose body is still coming. `chunks` raises SendFailed when it breaks off."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class Caller:
    """Makes requests. Raises SendFailed: `unreachable` when nothing left, `unknown` when a commit may have, and the
    reason where trying again is pointless. Use it as an async context manager.

    `reach` says which addresses a stranger may make us connect to, `mailer` how mails are handed over, `quotas` what a day's
    calls may cost.
    """

    def __init__(
        self, blobs: Blobs, *, reach: Reach = public, mailer: Mailer | None = None, quotas: Quotas | None = None
    ) -> None:
        self._blobs, self._reach, self._rates, self._quotas = blobs, reach, Rates(), quotas
        self._buckets = Buckets()
        self._mailer = mailer or Mailer(blobs)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._known = await self._open.enter_async_context(_session(aiohttp.TCPConnector(**_CONNECTOR)))
        guard = guarded_socket(self._reach)
        self._strange = await self._open.enter_async_context(
            _session(aiohttp.TCPConnector(**_CONNECTOR, socket_factory=guard))
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._mailer.close()
        await self._open.aclose()

    async def ask(self, request: Asked, principal: Principal) -> Response:
        """One answer, whatever its status. What is safe to repeat is tried a few times; a commit never."""
        if isinstance(request, Smtp):
            return await self._mail(request, principal)
        if request.commits:
            return await self._ask(request, principal)
        try:
            async for attempt in stamina.retry_context(_passing, attempts=4, timeout=60, wait_initial=0.2, wait_max=3):
                with attempt:
                    answer = await self._ask(request, principal)
                    if answer.status >= 500:
                        raise _Broken(answer)
        except _Broken as broken:
            return broken.answer
        return answer

    async def _mail(self, request: Smtp, principal: Principal) -> Response:
        await self._turn(request, principal)
        started = time.monotonic()
        try:
            return await self._mailer.ask(request, principal.before)
        finally:
            SEND_SECONDS.labels(principal.channel.name).observe(time.monotonic() - started)

    async def pause(self, spent: int, principal: Principal) -> timedelta:
        """How long a poll waits that has spent so many units, so that its share of a quota lasts for the day."""
        return await self._quotas.pause(spent, principal.channel, principal.account) if self._quotas else timedelta(0)

    async def _turn(self, request: Asked, principal: Principal) -> None:
        if self._quotas:
            await self._quotas.spend(request, principal.channel, principal.account, polling=principal.polling)
        await self._rates.wait(
            channel=principal.channel.name,
            account=principal.account.name,
            peer=principal.peer if request.commits else None,
            capabilities=principal.channel.capabilities_of(principal.account),
        )
        if isinstance(request, Http) and request.counts:
            await self._buckets.wait((principal.channel.name, principal.account.name), request.counts)

    async def _ask(self, request: Http, principal: Principal) -> Response:
        limits = aiohttp.ClientTimeout(total=request.timeout.total_seconds(), sock_connect=CONNECT)
        async with self._exchange(request, principal, limits) as answer:
            found = Response(status=answer.status, headers=_lower(answer), body=await _read(answer, request))
        limit = otherwise(lambda: principal.channel.limit(found), None) if request.counts else None
        if limit is not None:
            self._buckets.learn((principal.channel.name, principal.account.name), request.counts, limit)
        return found

    @asynccontextmanager
    async def download(self, request: Http, principal: Principal) -> AsyncIterator[Stream]:
        """An answer as a stream, asked for once."""
        limits = aiohttp.ClientTimeout(total=DOWNLOAD, sock_connect=CONNECT, sock_read=request.timeout.total_seconds())
        async with self._exchange(request, principal, limits) as answer:
            yield Stream(answer.status, _lower(answer), _chunks(answer, request))

    @asynccontextmanager
    async def socket(self, url: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket (RFC 6455) to an address that the provider gave. Raises SendFailed where it cannot be opened."""
        mark = _departure.set(_Departure(Http(url=url), _nothing))
        try:
            opened = await self._known.ws_connect(
                url, max_msg_size=FRAME_LIMIT, timeout=aiohttp.ClientWSTimeout(ws_close=CLOSING), autoping=True
            )
        except aiohttp.WSServerHandshakeError as error:
            code: Code = "auth" if error.status in {401, 403} else "unreachable"
            raise SendFailed(code, f"the socket was refused: HTTP {error.status}") from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise SendFailed("unreachable", f"the socket was not opened: {type(error).__name__}") from None
        finally:
            _departure.reset(mark)
        try:
            yield opened
        finally:  # not as if we were done: what was said meanwhile is to come again
            await opened.close(code=aiohttp.WSCloseCode.INTERNAL_ERROR)

    @asynccontextmanager
    async def _exchange(
        self, request: Http, principal: Principal, limits: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        address, body = _address(request), await self._body(request)
        await asyncio.sleep(min(request.after, PATIENCE).total_seconds())
        await self._turn(request, principal)
        departure = _Departure(request, principal.before)
        mark, started = _departure.set(departure), time.monotonic()
        try:
            async with self._session(request).request(
                request.method,
                address,
                data=body,
                headers=_headers(request, principal.traceparent),
                timeout=limits,
                allow_redirects=_may_redirect(request),
                max_redirects=REDIRECTS + 1,
            ) as answer:
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _failure(request, error, left=departure.left) from None
        finally:
            _departure.reset(mark)
            SEND_SECONDS.labels(principal.channel.name).observe(time.monotonic() - started)

    def _session(self, request: Http) -> aiohttp.ClientSession:
        return self._strange if request.stranger else self._known

    async def _body(self, request: Http) -> Any:
        with _from_the_store():
            return await open_body(request.body, self._blobs)

    async def size(self, ref: str) -> int:
        """How many bytes a file to send has, whatever whoever wants it sent says. Raises SendFailed."""
        with _from_the_store():
            return await self._blobs.size(ref)


@contextmanager
def _from_the_store() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise SendFailed("malformed", "the file to send is not in the blob store") from error
    except StoreUnavailable as error:
        raise SendFailed("unreachable", "the blob store does not answer") from error


# No limit of connections: one provider that hangs would take those of all others. Accounts are limited by their workers.
_CONNECTOR: Final[Mapping[str, Any]] = {"limit": 0, "keepalive_timeout": 10, "happy_eyeballs_delay": 0.25}


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),  # accounts must not share what a provider sets
        request_class=_Request,
        headers={"user-agent": "Parley/0.1"},
        auto_decompress=True,
    )
    session._retry_connection = False  # aiohttp repeats PUT and DELETE by itself; only `ask` may decide that
    return session


def _address(request: Http) -> URL:
    try:
        address = URL(request.url)
    except ValueError:
        raise SendFailed("bad_address", "not an address") from None
    if address.scheme not in {"http", "https"} or not address.host:
        raise SendFailed("bad_address", "not an address of HTTP")
    return address


def _headers(request: Http, traceparent: str | None) -> dict[str, str]:
    """A stranger learns nothing of our traces."""
    trace = {} if request.stranger or traceparent is None else {"traceparent": next_span(traceparent)}
    return {**trace, **request.headers}


def _may_redirect(request: Http) -> bool:
    """Only where every hop is checked, and no credential would travel along."""
    return request.stranger and not request.secret and CREDENTIALS.isdisjoint(map(str.lower, request.headers))


def _lower(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


async def _read(answer: aiohttp.ClientResponse, request: Http) -> bytes:
    taken = bytearray()
    async for chunk in answer.content.iter_chunked(64 * 1024):
        taken += chunk
        if len(taken) > ANSWER_LIMIT:
            raise SendFailed("unknown" if request.commits else "malformed", f"an answer above {ANSWER_LIMIT} bytes")
    return bytes(taken)


async def _chunks(answer: aiohttp.ClientResponse, request: Http) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.content.iter_chunked(64 * 1024):
            yield chunk
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _failure(request, error, left=True) from None


def _failure(request: Http, error: Exception, *, left: bool) -> SendFailed:
    """What an error means; its own text may show the address, which may be a secret."""
    name = type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, NotPublic):
        return SendFailed("refused", "the address is not a public one")
    if isinstance(error, aiohttp.TooManyRedirects):
        return SendFailed("refused", f"more than {REDIRECTS} redirects")
    if isinstance(error, aiohttp.InvalidURL | aiohttp.RedirectClientError):
        return SendFailed("bad_address", "not an address of HTTP")
    log.warning("call.failed", url=_shown(request), error=name, left=left)
    return SendFailed("unknown" if left and request.commits else "unreachable", name)


def _shown(request: Http) -> str:
    """Enough to see who did not answer: queries hold signatures, a stranger's paths may be personal."""
    parts = urlsplit(request.shown_url)
    return f"{parts.scheme}://{parts.hostname}" + ("" if request.stranger else parts.path)


class _Broken(SendFailed):
    """The provider answered, but only that it failed."""

    def __init__(self, answer: Response) -> None:
        super().__init__("unreachable", f"HTTP {answer.status}")
        self.answer = answer


def _passing(error: Exception) -> bool:
    return isinstance(error, SendFailed) and error.reason == "unreachable"
