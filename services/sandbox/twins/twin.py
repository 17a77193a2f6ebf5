"""A provider in small, of which a twin says only what is its own: how it signs, what an event is, what its calls answer.

The phones, the order and the repeating of events, files, faults and the log of sends are the same for all, and how it says no
stands in the samples of its channel.
"""

from __future__ import annotations

import re
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout, web

from services.sandbox.access import same
from services.sandbox.bodies import Upload, read_bytes, read_values
from services.sandbox.chats import Chat, Chats
from services.sandbox.failures import failures
from services.sandbox.faults import Control, answer
from services.sandbox.files import File, Files, download
from services.sandbox.lanes import Lanes
from services.sandbox.phones import Phones
from services.sandbox.refusals import Refused
from services.sandbox.said import media_view
from services.sandbox.shelf import Shelf
from services.sandbox.twins.people import People
from services.sandbox.twins.seats import Seat, Seats

Json = dict[str, Any]
HERE: Final = "{here}"
TIMEOUT: Final = ClientTimeout(total=60)
FILE_BYTES: Final = 100 * 1024 * 1024
UNREADABLE: Final = (AttributeError, LookupError, TypeError, ValueError)
logger = structlog.get_logger()


class No(Exception):
    """What a call is answered instead: `body` is JSON or words."""

    def __init__(self, status: int, body: Json | str = "", headers: Mapping[str, str] = {}) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers

    def response(self) -> web.Response:
        return answer(self.status, self.body, self.headers)


@dataclass(frozen=True, slots=True)
class Post:
    """An event as it goes to a webhook, signed; JSON, unless the headers say otherwise."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A call of the API by an account (the first, where anyone may call). `values`: of its query and of its JSON or form;
    of a `raw` one there is `body` instead. `path`: what stands in the braces of the route.
    """

    seat: Seat
    request: web.Request
    values: Json
    body: bytes

    @property
    def path(self) -> Mapping[str, str]:
        return self.request.match_info


@dataclass(frozen=True, slots=True)
class First:
    """Settings of an account, and of the app that receives for it, where there is one; HERE stands for the twin's address."""

    account: Json
    app: Json = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kit:
    """What all twins share. `hooks`: where the adapters are, by family."""

    shelf: Callable[[str], Shelf]
    control: Control
    client: ClientSession
    accounts: Path
    hooks: Mapping[str, str]


Answer = Json | web.StreamResponse | None  # None: 204
Act = Callable[[Call], Answer | Awaitable[Answer]]


class Twin(ABC):
    """`key`: the setting by which the provider names an account. `person`: how people's ids begin, and how many digits follow.
    `can`, of media, caption, location, contact, reply, edit, remove; `emoji`, `offers`: as the phone's apps have them
    (page/phone/channels.js), and nothing else is taken from a phone. `writes`: what people send comes as they wrote it. `stranger`, `malformed`, `gone`: the names of the
    failures (services.sandbox.failures) that answer a call of nobody, one that cannot be read, one for a file that is not there.
    """

    channel: str
    family: str = "chat"
    name: str
    key: str
    person: tuple[str, int]
    can: tuple[str, ...] = ()
    emoji: tuple[str, ...] = ()
    offers: str = "under"
    writes: bool = True
    stranger: str = "bad_token"
    malformed: str = "malformed"
    gone: str = ""

    def __init__(self, kit: Kit) -> None:
        self.shelf, self.control, self.client, self._hooks = kit.shelf(self.channel), kit.control, kit.client, kit.hooks
        self.seats = Seats(kit.accounts, self.channel)
        self.files, self.chats = Files(self.shelf), Chats(self.shelf)
        self.lanes = Lanes(self.shelf, self._deliver, lane_of=lambda update: f"{update['account']}/{update['lane']}")
        self.wires: dict[str, web.WebSocketResponse] = {}  # the sockets of adapters, by account
        self._person = re.compile(re.escape(self.person[0]) + r"[\w.-]{1,100}")

    # what a twin says of its own

    @classmethod
    @abstractmethod
    def first(cls) -> First:
        """The account of a new home, with secrets of its own."""

    @abstractmethod
    def calls(self) -> Iterable[web.RouteDef]:
        """The API: `self.call(…)` for each."""

    @abstractmethod
    def said(self, chat: Chat, view: Json) -> Iterable[Json]:
        """The events that tell of what a person wrote, sent or pressed (`view["pressed"]` is the id of the choice); may
        raise Refused, before anything shows. So do those that follow; none where nothing is told.
        """

    def edited(self, chat: Chat, view: Json) -> Iterable[Json]:
        return ()

    def removed(self, chat: Chat, view: Json) -> Iterable[Json]:
        return ()

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> Iterable[Json]:
        """In place of what they had reacted with before, if anything (`view["reactions"]["person"]`)."""
        return ()

    def blocked(self, chat: Chat, *, blocked: bool) -> Iterable[Json]:
        return ()

    def read(self, chat: Chat, views: list[Json]) -> Iterable[Json]:
        return ()

    def post(self, seat: Seat, event: Json) -> Post | None:
        """The request in which an event is told, signed now; None where no webhook is called."""
        return None

    def id_of(self, seat: Seat) -> str:
        """What the provider calls the account."""
        return str(seat.account[self.key])

    def new_id(self, chat: Chat) -> str:
        return digits(18)

    def access(self, seat: Seat) -> str:
        """The account's access token."""
        return str(seat.account.get("token", ""))

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        """Whether the call is made with this account's credentials."""
        return same(request.headers.get("Authorization", ""), f"Bearer {self.access(seat)}")

    async def deliver(self, seat: Seat, event: Json) -> bool:
        """Tell the adapter; whether it was taken."""
        return (post := self.post(seat, event)) is None or await self._post(post)

    # the same for all: calls

    def call(self, method: str, path: str, act: Act, **how: bool) -> web.RouteDef:
        """A route of the API under /{channel}, with the faults in force: see _answer."""

        async def handle(request: web.Request) -> web.StreamResponse:
            await self.control.answers()
            try:
                return await self._answer(f"{self.channel}{path}".lower(), act, request, **how)
            except No as no:
                return no.response()
            except Refused as refused:
                return No(refused.status, refused.description).response()

        return web.route(method, f"/{self.channel}{path}", handle)

    async def _answer(
        self,
        method: str,
        act: Act,
        request: web.Request,
        *,
        sends: bool = False,
        anyone: bool = False,
        raw: bool = False,
    ) -> web.StreamResponse:
        """`sends`: a person sees its effect. `anyone`: whoever may call. `raw`: its body is a file."""
        seats = (seat for seat in self.seats.all() if anyone or self.allowed(seat, request))
        if (seat := next(seats, None)) is None:
            raise self.no(self.stranger, 401)
        if provoked := await self.control.failure(method, channel=self.channel, sends=sends):
            return provoked
        body = await read_bytes(request) if raw else b""
        call = Call(seat=seat, request=request, values={} if raw else await read_values(request), body=body)
        try:
            came = act(call)
            done = await came if isawaitable(came) else came
        except UNREADABLE:
            logger.warning("twin.call_not_understood", channel=self.channel, method=method, exc_info=True)
            raise self.no(self.malformed, 400) from None
        if sends and self.control.drops() and request.transport:
            request.transport.abort()
        if isinstance(done, web.StreamResponse):
            return done
        return web.Response(status=204) if done is None else web.json_response(done)

    def no(self, name: str, status: int = 0) -> No:
        """How the provider says this no. `status`: of one that it does not document. Raises RuntimeError without it."""
        told = failures(self.channel).get(name)
        if told is None and not status:
            raise RuntimeError(f"no sample of {self.channel} fails as {name}: write one, then run `parley docs`")
        return No(told["status"], told["body"], told["headers"]) if told else No(status)

    def serve(self, call: Call) -> web.Response:
        """The file whose {id} the address has."""
        return download(self.files.data(self.file(call.path["id"])), self.file(call.path["id"]).mime_type)

    def file(self, name: object) -> File:
        """Raises No."""
        if (file := self.files.get(name)) is None:
            raise self.no(self.gone, 404)
        return file

    def reached(self, call: Call, user: object, no: No) -> Chat:
        """The chat of someone who has written before and has not blocked the account. Raises `no`."""
        chat = self.chats.get(self.id_of(call.seat), str(user))
        if chat is None or chat.blocked:
            raise no
        return chat

    def chat_where(self, fits: Callable[[Chat], bool], no: No) -> Chat:
        """The first that fits. Raises `no`."""
        if (chat := next(filter(fits, self.chats), None)) is None:
            raise no
        return chat

    def standing(self, chat: Chat, name: str, *, gone: No, theirs: No | None = None) -> Json:
        """A message that is there; `theirs`: the no to whoever would change a person's. Raises No."""
        view = chat.views.get(name)
        if view is None or view.get("removed"):
            raise gone
        if theirs and view["direction"] != "in":
            raise theirs
        return view

    # the same for all: what the business does

    def show(self, chat: Chat, view: Json) -> Json:
        """What the business sent, on the phone and in the log. `view`: as phones have it, with its id."""
        shown = chat.show({**view, "direction": "in", "status": "sent"})
        words = view.get("text") or view.get("caption")
        about = {"account": chat.account, "to": chat.user, "message_id": view["id"], "text": words}
        self.control.accepted({"provider": self.channel, **about, "at": time.time()})
        return shown

    def show_files(self, chat: Chat, view: Json, files: Sequence[Json]) -> Json:
        """On the phone each file stands by itself, the words above the first, whose view this is; the rest are ID-1, ID-2 …"""
        words = {"caption": view["text"]} if view.get("text") else {}
        about = {name: value for name, value in view.items() if name != "text"} | words
        shown = self.show(chat, {**about, "media": files[0]} if files else view)
        for number, media in enumerate(files[1:], 1):
            chat.show({"id": f"{view['id']}-{number}", "direction": "in", "status": "sent", "media": media})
        return shown

    def react(self, chat: Chat, view: Json, emoji: str, *, back: bool = False) -> bool:
        """The business reacts, or takes it `back`; whether that changed anything."""
        shown: list[str] = view.get("reactions", {}).get("bot", [])
        bot = [one for one in shown if one != emoji] if back else [*dict.fromkeys((*shown, emoji))]
        chat.show({**view, "reactions": {**view.get("reactions", {}), "bot": bot}})
        return bot != shown

    def kept(self, chat: Chat, upload: Upload) -> File:
        """A file of a form."""
        return self.files.keep(upload.data, owner=chat.account, mime_type=upload.mime_type, name=upload.name)

    async def fetched(self, chat: Chat, url: str, kind: str = "") -> Json:
        """A file that the business names by its address, as views have it. Raises No where it cannot be had."""
        try:
            async with self.client.get(url, timeout=TIMEOUT) as answer:
                data = await answer.content.read(FILE_BYTES)
                answer.raise_for_status()
        except (ClientError, TimeoutError, OSError, ValueError):
            raise self.no(self.malformed, 400) from None
        name = answer.url.name or "file"
        return media_view(self.files.keep(data, owner=chat.account, mime_type=answer.content_type, name=name), kind)

    # the same for all: accounts and events

    def routes(self) -> list[web.RouteDef]:
        return [*self.calls(), *Phones(People(self), self.chats, self.files).routes()]

    async def hang_up(self) -> None:
        """Close the sockets, which would stay open."""
        for wire in list(self.wires.values()):
            await wire.close(code=1012)

    async def close(self) -> None:
        await self.lanes.close()

    def app(self) -> Json:
        """How the phone shows it."""
        return {name: getattr(self, name) for name in ("channel", "name", "can", "emoji", "offers", "person")}

    def seat(self, account: str) -> Seat | None:
        return next((seat for seat in self.seats.all() if self.id_of(seat) == account), None)

    def api(self, chat: Chat) -> str:
        """The address of this API, as the account of the chat has it."""
        seat = self.seat(chat.account)
        return str(seat.account["api"]) if seat else ""

    def knows(self, user: str) -> bool:
        """Whether somebody can have this id."""
        return self._person.fullmatch(user) is not None

    def hook(self, seat: Seat) -> str:
        """Where the account's adapter is told: as it asked for, else where it is at the first start."""
        plain = f"{self._hooks.get(self.family, '').rstrip('/')}/hooks/{self.channel}/{seat.app_name}"
        return str(self.shelf.get(f"endpoint/{seat.name}") or plain)

    def set_hook(self, seat: Seat, url: str) -> None:
        """What waits is told there at once."""
        self.shelf.put(f"endpoint/{seat.name}", url)
        self.lanes.retry.set()

    def tell(self, chat: Chat, *events: Json) -> None:
        """One person's events stay in order."""
        for event in events:
            self.lanes.tell({"account": chat.account, "lane": chat.user, "event": event})

    async def _deliver(self, updates: Sequence[Json]) -> bool:
        """Whether the event was taken; one of an account that is no longer in the file is forgotten."""
        (update,) = updates
        if (seat := self.seat(update["account"])) is None:
            return True
        taken = await self.deliver(seat, update["event"])
        if taken and self.control.faults.twice:
            await self.deliver(seat, update["event"])
        return taken

    async def _post(self, post: Post) -> bool:
        headers = {"Content-Type": "application/json", **post.headers}
        try:
            async with self.client.post(
                post.url, data=post.body, headers=headers, timeout=TIMEOUT, allow_redirects=False
            ) as answer:
                return 200 <= answer.status < 300
        except (ClientError, TimeoutError, OSError):
            return False


def digits(count: int) -> str:
    """An id as providers have them: of so many digits, the first not zero."""
    return str(10 ** (count - 1) + secrets.randbelow(9 * 10 ** (count - 1)))
