"""What every request passes first: is the page's origin allowed, is the address too busy, who is asking."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar
from urllib.parse import urlsplit

import structlog
from aiohttp import hdrs, web
from pydantic import ValidationError

from services.chat_adapter.webchat.answers import Refused, refusal_of, refuse
from services.chat_adapter.webchat.channel import CHANNEL, Account, App
from services.chat_adapter.webchat.limits import Limits
from services.chat_adapter.webchat.measures import REQUESTS
from services.chat_adapter.webchat.session import Visitor, read_session_token
from shared.bus.cloudevents import explain
from shared.contract.envelope import Model
from shared.contract.errors import ParleyError
from shared.runtime.accounts import AccountsFile
from shared.runtime.crowd import place_of, read_address
from shared.runtime.port import body_of

log = structlog.get_logger(__name__)
M = TypeVar("M", bound=Model)

BODY_LIMIT: Final = 64 * 1024  # bytes of a JSON body
PREFLIGHT_SECONDS: Final = "600"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request of a known app. `address`: the client's IP, an IPv6 one as its /64."""

    request: web.Request
    app: App
    account: Account
    limits: Limits
    address: str

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def visitor(self) -> Visitor:
        """Who sends this, by the bearer token (RFC 6750); raises Unverified."""
        scheme, _, token = self.request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        return read_session_token(self.app, token.strip() if scheme.lower() == "bearer" else "", self.now)

    async def body(self, model: type[M]) -> M:
        """The JSON body; raises Refused 400, and as `read_bytes`."""
        try:
            return model.model_validate_json(await read_bytes(self.request))
        except ValidationError as error:
            raise Refused(400, "malformed", explain(error)) from error


Handler = Callable[[Call], Awaitable[web.StreamResponse]]
Route = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class Door:
    """Wraps handlers. `strict`: the Origin must be allowed; otherwise anyone may read what is public or signed."""

    accounts: AccountsFile
    limits: Limits

    def opens(self, name: str, handler: Handler, *, strict: bool = True) -> Route:
        async def handle(request: web.Request) -> web.StreamResponse:
            response = await self._answer(request, handler, strict)
            REQUESTS.labels(name, str(response.status)).inc()
            return response

        return handle

    async def _answer(self, request: web.Request, handler: Handler, strict: bool) -> web.StreamResponse:
        app: App | None = None
        try:
            app, account = self._app(request)
            if strict and not is_allowed(app, request):
                raise Refused(403, "refused", "this origin may not use the widget; add it to the app's origins")
            address = client_address(request, app.proxies)
            self.limits.take("requests", f"{app.name} {address}", burst=app.requests_per_minute)
            response = await handler(
                Call(request=request, app=app, account=account, limits=self.limits, address=address)
            )
        except Refused as refused:
            response = refuse(refused)
        except ParleyError as error:
            response = refuse(refusal_of(error))
        if app is not None and not response.prepared:
            share(app, request, response)
        return response

    async def preflight(self, request: web.Request) -> web.StreamResponse:
        """Answer a browser that asks before it sends (https://fetch.spec.whatwg.org/#http-cors-protocol)."""
        try:
            app, _ = self._app(request)
        except Refused as refused:
            return refuse(refused)
        response = web.Response(status=204)
        share(app, request, response)
        if hdrs.ACCESS_CONTROL_ALLOW_ORIGIN in response.headers:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = "GET, POST"
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = "Authorization, Content-Type, X-Filename"
            response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = PREFLIGHT_SECONDS
        return response

    def _app(self, request: web.Request) -> tuple[App, Account]:
        current = self.accounts.current
        app = current.app(CHANNEL.name, request.match_info["app"])
        account = app and current.by_key(CHANNEL.name, app.name, app.account_key)
        if not isinstance(app, App) or not isinstance(account, Account):
            raise Refused(404, "unknown_account", "there is no such web chat")
        return app, account


def is_allowed(app: App, request: web.Request) -> bool:
    """Whether the page that asks may: an exact origin of the app's list, or our own demonstration page."""
    origin = request.headers.get(hdrs.ORIGIN)
    if origin in app.origins:
        return True
    if origin is None:
        # Browsers leave Origin out of a page's GETs to its own server; a page cannot write Sec-Fetch-Site itself.
        ours = app.demo and request.headers.get("Sec-Fetch-Site") == "same-origin"
        return ours or app.allow_no_origin
    return app.demo and urlsplit(origin).netloc == request.host


def share(app: App, request: web.Request, response: web.StreamResponse) -> None:
    """Let the page of an allowed origin read the answer; the token travels in a header, so no credentials mode."""
    response.headers.add(hdrs.VARY, hdrs.ORIGIN)
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and is_allowed(app, request):
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = hdrs.RETRY_AFTER


def client_address(request: web.Request, proxies: int) -> str:
    """The IP of whoever asks: the peer, or what the outermost trusted proxy appended to X-Forwarded-For."""
    hops = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
    named = hops[-proxies].strip() if 0 < proxies <= len(hops) else ""
    return place_of(named if read_address(named) else request.remote or "")


async def read_bytes(request: web.Request, limit: int = BODY_LIMIT) -> bytes:
    """The body, bounded in size and time. Raises TooLarge, TooSlow, Crowded."""
    async with body_of(request, limit) as body:
        return body
