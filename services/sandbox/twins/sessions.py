"""Sessions over sockets: numbered events that are kept, so that whoever comes back hears what they have missed."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from services.sandbox.shelf import Shelf

Json = dict[str, Any]
KEPT: Final = 1000  # events of a session

Frame = Callable[[int, Json], Json]


class Sessions:
    """One per account. `frame`: an event as it goes over the socket, with its number; `wires`: the open sockets."""

    def __init__(self, shelf: Shelf, wires: dict[str, web.WebSocketResponse], frame: Frame) -> None:
        self._shelf, self._wires, self._frame = shelf, wires, frame

    def begin(self, account: str, wire: web.WebSocketResponse) -> str:
        """A new one, in which nothing was told yet; its name."""
        for key, _ in self._shelf.under(f"frame/{account}/"):
            self._shelf.drop(key)
        name = secrets.token_hex(16)
        self._shelf.put(f"session/{account}", {"id": name, "number": 0})
        self._wires[account] = wire
        return name

    async def resume(self, account: str, wire: web.WebSocketResponse, name: object, after: int) -> int | None:
        """Tell what came after this number; the last number, None where there is no such session."""
        session = self._shelf.get(f"session/{account}")
        if session is None or session["id"] != name:
            return None
        self._wires[account] = wire
        for _, (number, event) in sorted(self._shelf.under(f"frame/{account}/")):
            if number > after:
                await say(wire, self._frame(number, event))
        return int(session["number"])

    async def tell(self, account: str, event: Json) -> bool:
        """Whether there is a session, open or not."""
        if (session := self._shelf.get(f"session/{account}")) is None:
            return False
        number = session["number"] + 1
        self._shelf.put(f"frame/{account}/{number:012}", (number, event))
        self._shelf.put(f"session/{account}", {**session, "number": number})
        self._shelf.drop(f"frame/{account}/{number - KEPT:012}")
        await say(self._wires.get(account), self._frame(number, event))
        return True

    def leave(self, account: str, wire: web.WebSocketResponse) -> None:
        if self._wires.get(account) is wire:
            del self._wires[account]


async def say(wire: web.WebSocketResponse | None, frame: Json) -> None:
    """To nobody, where nobody is there."""
    if wire is not None and not wire.closed:
        try:
            await wire.send_json(frame)
        except ConnectionError:
            return
