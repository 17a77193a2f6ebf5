"""Chats as people's phones show them: views of messages, kept on a shelf, and everyone who watches woken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from services.sandbox.shelf import Shelf

Json = dict[str, Any]
KEPT: Final = 5000  # messages per chat


class Refused(Exception):
    """What a person cannot do, in a sentence."""

    def __init__(self, status: int, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.description = description


class Signal:
    """Something changed: everyone who waits wakes."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    def next(self) -> asyncio.Event:
        """What the next change sets: take it before looking, or a change in between is missed."""
        return self._event


async def happens(event: asyncio.Event, seconds: float) -> bool:
    """Whether it is set within this time."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


class Chat:
    """One person with one account. `n` counts its changes; `about` is what the provider remembers of it."""

    def __init__(self, shelf: Shelf, account: str, user: str) -> None:
        self._shelf, self.account, self.user = shelf, account, user
        self.name = user
        self.blocked = False
        self.about: Json = {}
        self.views: dict[str, Json] = {}
        self.n = 0
        self.typing = 0
        self.changed = Signal()

    def view(self, name: object) -> Json:
        """A message by its name. Raises Refused."""
        if not isinstance(name, str) or name not in self.views:
            raise Refused(404, "no such message in this chat")
        return self.views[name]

    def own(self, name: object) -> Json:
        """A message that the person wrote, and did not take back."""
        view = self.view(name)
        if view["direction"] != "out" or view.get("removed"):
            raise Refused(400, "only one's own messages can be changed")
        return view

    def since(self, n: int) -> list[Json]:
        """What changed after change number `n`, in that order."""
        return sorted((view for view in self.views.values() if view["n"] > n), key=lambda view: int(view["n"]))

    def show(self, view: Json) -> Json:
        """Put a message, or what became of it, on the phone. `view` has at least id and direction; n and at are added."""
        self.n += 1
        name = view["id"]
        at = self.views[name]["at"] if name in self.views else now()
        shown = self.views[name] = {"at": at, **view, "n": self.n}
        self._shelf.put(f"view/{self.account}/{self.user}/{name}", shown)
        while len(self.views) > KEPT:
            oldest = next(iter(self.views))
            del self.views[oldest]
            self._shelf.drop(f"view/{self.account}/{self.user}/{oldest}")
        self.changed.set()
        return shown

    def types(self) -> None:
        """The business is typing."""
        self.typing += 1
        self.changed.set()

    def call(self, name: object) -> None:
        """How the person is called from now on, where they say so."""
        if isinstance(name, str) and name.strip() and name[:64] != self.name:
            self.name = name[:64]
            self.save()

    def block(self, *, blocked: bool) -> None:
        self.blocked = blocked
        self.save()

    def remember(self, **about: Any) -> None:
        self.about = {**self.about, **about}
        self.save()

    def save(self) -> None:
        kept = {"name": self.name, "blocked": self.blocked, "about": self.about}
        self._shelf.put(f"chat/{self.account}/{self.user}", kept)


class Chats:
    """All chats of one channel."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._chats: dict[tuple[str, str], Chat] = {}
        for key, kept in shelf.under("chat/"):
            _, account, user = key.split("/")
            chat = self.meet(account, user)
            chat.name, chat.blocked, chat.about = kept["name"], kept["blocked"], kept["about"]
        for key, view in shelf.under("view/"):
            _, account, user, name = key.split("/", 3)
            chat = self.meet(account, user)
            chat.views[name] = view
            chat.n = max(chat.n, view["n"])

    def __iter__(self) -> Iterator[Chat]:
        return iter(self._chats.values())

    def get(self, account: str, user: str) -> Chat | None:
        return self._chats.get((account, user))

    def meet(self, account: str, user: str) -> Chat:
        """The chat of this person with this account, new where there was none."""
        return self._chats.setdefault((account, user), Chat(self._shelf, account, user))

    def wake(self) -> None:
        for chat in self:
            chat.changed.set()


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
