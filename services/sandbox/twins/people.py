"""The people of a twin: what they do on their phones is refused where their app cannot, and told as the twin says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Protocol

from services.sandbox.chats import Chat
from services.sandbox.refusals import Refused
from services.sandbox.twins.seats import Seat, Seats

Json = dict[str, Any]
CONTENT: Final = ("media", "caption", "location", "contact")


class Told(Protocol):
    """The twin, as far as its people need it."""

    channel: str
    name: str
    person: tuple[str, int]
    can: tuple[str, ...]
    emoji: tuple[str, ...]
    seats: Seats

    def id_of(self, seat: Seat) -> str: ...
    def seat(self, account: str) -> Seat | None: ...
    def knows(self, user: str) -> bool: ...
    def new_id(self, chat: Chat) -> str: ...
    def tell(self, chat: Chat, *events: Json) -> None: ...
    def said(self, chat: Chat, view: Json) -> Iterable[Json]: ...
    def edited(self, chat: Chat, view: Json) -> Iterable[Json]: ...
    def removed(self, chat: Chat, view: Json) -> Iterable[Json]: ...
    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> Iterable[Json]: ...
    def blocked(self, chat: Chat, *, blocked: bool) -> Iterable[Json]: ...
    def read(self, chat: Chat, views: list[Json]) -> Iterable[Json]: ...


class People:
    """services.sandbox.phones.Provider, of any twin."""

    def __init__(self, twin: Told) -> None:
        self._twin, self.channel = twin, twin.channel

    def accounts(self) -> list[Json]:
        seats = self._twin.seats.all()
        names = [f"Parley Shop {seat.name}" if len(seats) > 1 else "Parley Shop" for seat in seats]
        return [{"id": self._twin.id_of(seat), "name": name} for seat, name in zip(seats, names, strict=True)]

    def meet(self, account: str, user: str) -> None:
        if self._twin.seat(account) is None:
            raise Refused(
                404, f"the accounts file has no account {account} of {self.channel} that speaks to the sandbox"
            )
        if not self._twin.knows(user):
            raise Refused(400, f"a person's id begins with {self._twin.person[0]!r}")

    def new_id(self, chat: Chat) -> str:
        return self._twin.new_id(chat)

    def said(self, chat: Chat, view: Json) -> None:
        for content in CONTENT:
            self._can(content, content not in view)
        self._can("reply", "reply_to" not in view or "pressed" in view)
        self._twin.tell(chat, *self._twin.said(chat, view))

    def edited(self, chat: Chat, view: Json) -> None:
        self._can("edit")
        self._twin.tell(chat, *self._twin.edited(chat, view))

    def removed(self, chat: Chat, view: Json) -> None:
        self._can("remove")
        self._twin.tell(chat, *self._twin.removed(chat, view))

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> None:
        self._can("react", bool(self._twin.emoji))
        self._twin.tell(chat, *self._twin.reacted(chat, view, emoji))

    def blocked(self, chat: Chat, *, blocked: bool) -> None:
        self._twin.tell(chat, *self._twin.blocked(chat, blocked=blocked))

    def read(self, chat: Chat, views: list[Json]) -> None:
        self._twin.tell(chat, *self._twin.read(chat, views))

    def _can(self, what: str, otherwise: bool = False) -> None:
        if what not in self._twin.can and not otherwise:
            raise Refused(400, f"a person's app of {self._twin.name} has no {what}")
