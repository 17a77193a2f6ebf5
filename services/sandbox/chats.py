"""Chats of people with accounts of one channel, kept on a shelf."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from services.sandbox.refusals import Refused
from services.sandbox.screens import Json, Screen
from services.sandbox.shelf import Shelf


class Chat(Screen[str]):
    """One person with one account; `about` is what the provider remembers of it."""

    def __init__(self, shelf: Shelf, account: str, user: str) -> None:
        super().__init__(shelf, f"view/{account}/{user}")
        self.account, self.user = account, user
        self.name = user
        self.blocked = False
        self.about: Json = {}

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

    def show(self, view: Json) -> Json:
        """Put a message, or what became of it, on the phone. `view` has at least id and direction; n and at are added."""
        name = view["id"]
        at = self.views[name]["at"] if name in self.views else now()
        return self.put(name, {"at": at, **view})

    def seen(self, until: str) -> None:
        """The business has read what the person wrote up to that moment."""
        for view in [one for one in self.views.values() if one["direction"] == "out" and one["at"] <= until]:
            self.show({**view, "status": "read"})

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
            self.meet(account, user).recall(name, view)

    def __iter__(self) -> Iterator[Chat]:
        return iter(self._chats.values())

    def get(self, account: str, user: str) -> Chat | None:
        return self._chats.get((account, user))

    def meet(self, account: str, user: str) -> Chat:
        """The chat of this person with this account, new where there was none."""
        return self._chats.setdefault((account, user), Chat(self._shelf, account, user))


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
