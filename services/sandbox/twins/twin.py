"""A provider in small, of which a twin says only what is its own: how it signs, what an event is, what its calls answer.

The phones, the order and the repeating of events, the faults and the log of sends are the same for all.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from services.sandbox.access import same
from services.sandbox.chats import Chat, Chats
from services.sandbox.faults import Control
from services.sandbox.files import Files
from services.sandbox.lanes import Lanes
from services.sandbox.phones import Phones
from services.sandbox.refusals import Refused
from services.sandbox.said import media_view
from services.sandbox.shelf import Shelf
from services.sandbox.twins.seats import Seat, Seats

Json = dict[str, Any]
TIMEOUT: Final = ClientTimeout(total=60)
FILE_BYTES: Final = 100 * 1024 * 1024

Act = Callable[[Seat, web.Request], Awaitable[Json | web.StreamResponse]]


class No(Exception):
    """What a call is answered instead: `body` is JSON or words."""

    def __init__(self, status: int, body: Json | str = "", headers: Mapping[str, str] = {}) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers

    def response(self) -> web.Response:
        if isinstance(self.body, str):
            return web.Response(status=self.status, text=self.body, headers=self.headers)
        return web.json_response(self.body, status=self.status, headers=self.headers)


@dataclass(frozen=True, slots=True)
class Post:
    """An event as it goes to a webhook, signed."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kit:
    """What all twins share. `hooks`: where the adapters are, by family."""

    shelf: Callable[[str], Shelf]
    control: Control
    client: ClientSession
    accounts: Path
    hooks: Mapping[str, str]


class Twin:
    """`person`: how people's ids begin, and how many digits follow. `can`, `emoji`, `offers`: as the phone's apps have them
    (page/phone/channels.js).
    """

    channel: str
    family: str = "chat"
    name: str
    person: tuple[str, int]
    can: tuple[str, ...] = ()
    emoji: tuple[str, ...] = ()
    offers: str = "under"

    def __init__(self, kit: Kit) -> None:
        self.shelf, self.control, self.client, self._hooks = kit.shelf(self.channel), kit.control, kit.client, kit.hooks
        self.seats = Seats(kit.accounts, self.channel)
        self.files, self.chats = Files(self.shelf), Chats(self.shelf)
        self.lanes = Lanes(self.shelf, self._deliver, lane_of=lambda update: f"{update['account']}/{update['lane']}")
        self._person = re.compile(re.escape(self.person[0]) + r"[\w.-]{1,100}")

    # what a twin says of its own

    @staticmethod
    def id_of(seat: Seat) -> str:
        """What the provider calls the account."""
        return seat.name

    def calls(self) -> list[web.RouteDef]:
        """The API: `self.call(…)` for each."""
        raise NotImplementedError

    def post(self, seat: Seat, event: Json) -> Post:
        """The request in which an event is told, signed now."""
        raise NotImplementedError

    def said(self, chat: Chat, view: Json) -> None:
        """As in services.sandbox.phones.Provider, like all that follow: `self.tell(chat, event)`."""
        raise NotImplementedError

    def edited(self, chat: Chat, view: Json) -> None:
        raise Refused(400, f"nobody can edit in {self.name}")

    def removed(self, chat: Chat, view: Json) -> None:
        raise Refused(400, f"nobody can take a message back in {self.name}")

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> None:
        raise Refused(400, f"no business is told of reactions in {self.name}")

    def blocked(self, chat: Chat, *, blocked: bool) -> None:
        """Told or not."""

    def read(self, chat: Chat, views: list[Json]) -> None:
        """Told or not."""

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        """Whether the call is made with this account's credentials."""
        return same(request.headers.get("Authorization", ""), f"Bearer {seat.account.get('token', '')}")

    def unknown(self) -> No:
        """The answer to a call with nobody's credentials."""
        return No(401, {"message": "Authentication failed"})

    # what is the same for all

    def routes(self) -> list[web.RouteDef]:
        return [*self.calls(), *Phones(self, self.chats, self.files).routes()]

    async def hang_up(self) -> None:
        """Close what an adapter keeps open."""

    async def close(self) -> None:
        await self.lanes.close()

    def app(self) -> Json:
        """How the phone shows it."""
        return {
            "channel": self.channel,
            "name": self.name,
            "can": self.can,
            "emoji": self.emoji,
            "offers": self.offers,
            "person": self.person,
        }

    def accounts(self) -> list[Json]:
        seats = self.seats.all()
        return [
            {"id": self.id_of(seat), "name": "Parley Shop" if len(seats) == 1 else f"Parley Shop {seat.name}"}
            for seat in seats
        ]

    def seat(self, account: str) -> Seat | None:
        return next((seat for seat in self.seats.all() if self.id_of(seat) == account), None)

    def meet(self, account: str, user: str) -> None:
        if self.seat(account) is None:
            raise Refused(
                404, f"the accounts file has no account {account} of {self.channel} that speaks to the sandbox"
            )
        if not self._person.fullmatch(user):
            raise Refused(400, f"a person's id begins with {self.person[0]!r}")

    def new_id(self, chat: Chat) -> str:
        return digits(18)

    def hook(self, seat: Seat) -> str:
        """Where the account's adapter is told."""
        return f"{self._hooks.get(self.family, '').rstrip('/')}/hooks/{self.channel}/{seat.app_name}"

    def tell(self, chat: Chat, event: Json) -> None:
        """One person's events stay in order."""
        self.lanes.tell({"account": chat.account, "lane": chat.user, "event": event})

    def call(self, method: str, path: str, act: Act, *, sends: bool = False) -> web.RouteDef:
        """A route of the API under /{channel}: by an account, with the faults in force. `sends`: a person sees its effect."""

        async def answer(request: web.Request) -> web.StreamResponse:
            await self.control.answers()
            try:
                seat = next((seat for seat in self.seats.all() if self.allowed(seat, request)), None)
                if seat is None:
                    raise self.unknown()
                if provoked := await self.control.failure(f"{self.channel}{path}".lower(), sends=sends):
                    return provoked
                done = await act(seat, request)
            except No as no:
                return no.response()
            except Refused as refused:
                return No(refused.status, refused.description).response()
            if sends and self.control.drops() and request.transport:
                request.transport.abort()
            return done if isinstance(done, web.StreamResponse) else web.json_response(done)

        return web.route(method, f"/{self.channel}{path}", answer)

    def reached(self, seat: Seat, user: object, no: No) -> Chat:
        """The chat of someone who has written before and has not blocked the account. Raises `no`."""
        chat = self.chats.get(self.id_of(seat), str(user))
        if chat is None or chat.blocked:
            raise no
        return chat

    def show(self, chat: Chat, view: Json) -> Json:
        """What the business sent, on the phone and in the log. `view`: as phones have it, with its id."""
        shown = chat.show({**view, "direction": "in", "status": "sent"})
        words = view.get("text") or view.get("caption")
        about = {"account": chat.account, "to": chat.user, "message_id": view["id"], "text": words}
        self.control.accepted({"provider": self.channel, **about, "at": time.time()})
        return shown

    async def fetched(self, chat: Chat, url: str, kind: str) -> Json:
        """A file that the business names by its address, as views have it. Raises No where it cannot be had."""
        try:
            async with self.client.get(url, timeout=TIMEOUT) as answer:
                data = await answer.content.read(FILE_BYTES)
                name = answer.url.name or "file"
                mime_type = answer.content_type
                answer.raise_for_status()
        except (ClientError, TimeoutError, OSError, ValueError):
            raise No(400, {"message": f"the file at the given address cannot be fetched ({kind})"}) from None
        return media_view(self.files.keep(data, owner=chat.account, mime_type=mime_type, name=name), kind)

    async def _deliver(self, updates: Sequence[Json]) -> bool:
        """Whether the event was taken; one of an account that is no longer in the file is forgotten."""
        (update,) = updates
        if (seat := self.seat(update["account"])) is None:
            return True
        taken = await self._post(self.post(seat, update["event"]))
        if taken and self.control.faults.twice:
            await self._post(self.post(seat, update["event"]))
        return taken

    async def _post(self, post: Post) -> bool:
        try:
            async with self.client.post(
                post.url, data=post.body, headers=post.headers, timeout=TIMEOUT, allow_redirects=False
            ) as answer:
                return 200 <= answer.status < 300
        except (ClientError, TimeoutError, OSError):
            return False


def digits(count: int) -> str:
    """An id as providers have them: of so many digits, the first not zero."""
    return str(10 ** (count - 1) + secrets.randbelow(9 * 10 ** (count - 1)))
