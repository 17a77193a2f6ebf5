"""What a person's phone shows of a chat: views of messages, kept on a shelf, and told to everyone who watches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar

from services.sandbox.shelf import Shelf
from services.sandbox.signals import Signal
from services.sandbox.streams import ALL, event

Json = dict[str, Any]
Name = TypeVar("Name", int, str)
KEPT: Final = 5000  # messages per chat


class Screen(Generic[Name]):
    """Messages by their names; `n` counts the changes. `path`: where the views stand on the shelf."""

    def __init__(self, shelf: Shelf, path: str) -> None:
        self._shelf, self._path = shelf, path
        self.views: dict[Name, Json] = {}
        self.n = 0
        self.typing = 0
        self.changed = Signal()

    def since(self, n: int) -> list[Json]:
        """What changed after change number `n`, in that order."""
        return sorted((view for view in self.views.values() if view["n"] > n), key=lambda view: int(view["n"]))

    def put(self, name: Name, view: Json) -> Json:
        """A message, or what became of it; the view with its number, as it is kept."""
        self.n += 1
        shown = self.views[name] = {**view, "n": self.n}
        self._shelf.put(f"{self._path}/{name}", shown)
        while len(self.views) > KEPT:
            oldest = next(iter(self.views))
            del self.views[oldest]
            self._shelf.drop(f"{self._path}/{oldest}")
        self.changed.set()
        return shown

    def recall(self, name: Name, view: Json) -> None:
        """A view as it stood on the shelf."""
        self.views[name] = view
        self.n = max(self.n, view["n"])

    def types(self) -> None:
        """The business is typing."""
        self.typing += 1
        self.changed.set()

    def news(self, n: int) -> Iterator[bytes]:
        """Events for a stream: `message` with a view whose `n` is the event's id, from after `n` on, and `typing`."""
        typing = self.typing
        while True:
            for view in self.since(n):
                n = view["n"]
                yield event("message", view, n=n)
            if self.typing != typing:
                typing = self.typing
                yield event("typing", {})
            yield ALL
