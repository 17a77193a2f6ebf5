"""A provider on loopback that really speaks HTTP and does what the test tells it, and the channel that talks to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, get_args

from aiohttp import web

from deploy.local.home import choose_port
from shared.contract import channel
from shared.contract.channel import (
    Amendment,
    Blob,
    Capabilities,
    Channel,
    Context,
    Download,
    Field,
    Handle,
    Http,
    Piece,
    Response,
    SendFailed,
    Sent,
    Steps,
    ThreadControl,
    TypingMark,
)
from shared.contract.deliveries import Change, Cost
from shared.contract.envelope import Media
from shared.contract.requests import Control
from tests.patience import SECONDS

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    form: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.body.decode()


class Provider:
    """Answers `{"id": n}` unless a test says otherwise, and remembers what came, in order."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answers: list[Answer] = []
        self.by_path: dict[str, Answer] = {}
        self.arrived = asyncio.Condition()
        self.address = ""

    async def start(self, host: str = "127.0.0.1") -> None:
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.address = f"http://{host}:{self.port}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(request.method, request.path_qs, {k.lower(): v for k, v in request.headers.items()}, b"")
        if request.content_type == "multipart/form-data":
            async for part in await request.multipart():
                seen.form[part.name] = (part.filename, part.headers, bytes(await part.read()))
        else:
            seen.body = await request.read()
        async with self.arrived:
            self.seen.append(seen)
            self.arrived.notify_all()
        if answer := self.by_path.get(request.path):
            return await answer(request)
        if self.answers:
            return await self.answers.pop(0)(request)
        return web.json_response({"id": len(self.seen)})

    async def wait(self, count: int) -> list[Seen]:
        """Return when that many requests have arrived."""
        async with asyncio.timeout(SECONDS), self.arrived:
            await self.arrived.wait_for(lambda: len(self.seen) >= count)
        return self.seen


def dead_port() -> int:
    """A port on which nobody listens, and which no outgoing connection is given."""
    return choose_port(set())


def says(status: int, body: Any = None, **headers: str) -> Answer:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(
            body or {}, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    return answer


def hangs_up() -> Answer:
    """Takes the request and breaks the connection: whether it acted on it nobody knows."""

    async def answer(request: web.Request) -> web.Response:
        request.transport.abort()
        return web.Response()

    return answer


def waits_for(event: asyncio.Event) -> Answer:
    async def answer(_request: web.Request) -> web.Response:
        await event.wait()
        return web.json_response({"id": "late"})

    return answer


def streams(chunks: list[bytes], *, mime_type: str, torn: bool = False) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": mime_type})
        if torn:
            response.content_length = sum(map(len, chunks)) + 1
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        if torn:
            request.transport.abort()
        return response

    return answer


class Account(channel.Account):
    api: str
    waits: float = 20.0


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """A file goes in a form, unless it was uploaded before."""
    part = piece.part
    url = f"{account.api}/send/{piece.to}"
    limit = timedelta(seconds=account.waits)
    if isinstance(part, Media) and piece.handle is None:
        file = Blob(part.blob or "", part.mime_type or "application/octet-stream", part.name or "file", part.size)
        answer = yield Http(url=url, body=(Field("to", piece.to), Field("file", file)), commits=True, timeout=limit)
    else:
        content = piece.handle if isinstance(part, Media) else part.text
        more = {"files": piece.handles} if piece.handles else {}
        more |= {"grown": piece.grown} if piece.grown else {}
        answer = yield Http.post_json(url, {"text": content, "key": piece.id, **more}, commits=True, timeout=limit)
    told = answer.json()
    return Sent(external_ids=(str(told["id"]),), cost=Cost(category=told["billed"]) if "billed" in told else None)


def upload(account: Account, media: Media, context: Context) -> Steps[Handle]:
    file = Blob(media.blob or "", media.mime_type or "application/octet-stream", media.name or "file", media.size)
    answer = yield Http(url=f"{account.api}/upload", body=(Field("file", file),))
    return Handle(value=answer.json()["handle"], expires_in=timedelta(hours=1))


def amend(account: Account, change: Amendment, context: Context) -> Steps[None]:
    told = change.model_dump(mode="json", include={"change", "part", "emoji", "read_mark"}, exclude_none=True)
    limit = timedelta(seconds=account.waits)
    yield Http.post_json(f"{account.api}/amend/{change.external_id}", told, timeout=limit)


def handover(account: Account, wanted: ThreadControl, context: Context) -> Steps[None]:
    told = wanted.model_dump(mode="json", include={"action", "target", "note"}, exclude_none=True)
    yield Http.post_json(f"{account.api}/thread/{wanted.to}", told, timeout=timedelta(seconds=account.waits))


def typing(account: Account, mark: TypingMark, context: Context) -> Steps[None]:
    yield Http.post_json(f"{account.api}/typing/{mark.to}", {"reply_to": mark.reply_to, "topic": mark.thread_key})


def grow(account: Account, piece: Piece, context: Context) -> Steps[str]:
    answer = yield Http.post_json(
        f"{account.api}/grow/{piece.to}", {"text": piece.part.text, "grown": piece.grown}, commits=not piece.grown
    )
    return piece.grown or str(answer.json()["id"])


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    answer = yield Http(method="GET", url=f"{account.api}/file/{media.handle}")
    return Download(request=Http(method="GET", url=answer.json()["url"]), name="from-the-provider.jpg")


CODES = {400: "refused", 403: "blocked", 404: "bad_address", 410: "refused", 429: "throttled"}


def outcome(response: Response) -> None:
    if response.ok:
        return
    wait = response.headers.get("retry-after")
    code = "unreachable" if response.status >= 500 else CODES.get(response.status, "refused")
    scope = response.headers.get("throttled", "account")
    after = timedelta(seconds=float(wait)) if wait else None
    raise SendFailed(code, f"HTTP {response.status}", retry_after=after, scope=scope)  # type: ignore[arg-type]


def make_channel(name: str = "line", **capabilities: Any) -> Channel:
    plain: dict[str, Any] = {
        "text": 10,
        "media": {"image": "full", "file": "full"},
        "changes": dict.fromkeys(get_args(Change)),
        "handovers": get_args(Control),
        "per_second": 1000,
        "per_peer_second": 1000,
    }
    options = {key: capabilities.pop(key) for key in ("upload",) if key in capabilities}
    return Channel(
        name=name,
        docs="https://provider.example/docs",
        app=channel.App,
        account=Account,
        capabilities=Capabilities(**(plain | capabilities)),
        outcome=outcome,
        outbound=outbound,
        amend=amend,
        handover=handover,
        typing=typing,
        fetch=fetch,
        **options,
    )
