"""Providers that tell nothing: what people do is there when the adapter asks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.sandbox.chats import Chat
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import Twin

Json = dict[str, Any]
Found = list[tuple[Chat, Json]]


class Silent(Twin):
    def said(self, chat: Chat, view: Json) -> Iterable[Json]:
        return ()

    def everything(self, seat: Seat) -> Found:
        """All messages that are there, by chat, as they were written."""
        chats = [chat for chat in self.chats if chat.account == self.id_of(seat)]
        return [(chat, view) for chat in chats for view in chat.views.values() if not view.get("removed")]


def newest(found: Found) -> Found:
    return sorted(found, key=lambda one: str(one[1]["at"]), reverse=True)


def page(items: list[Any], begin: str, size: str) -> tuple[list[Any], str]:
    """Those from number `begin` on, at most `size`; and where to go on, "" at the end."""
    end = int(begin) + int(size)
    return items[int(begin) : end], str(end) if end < len(items) else ""
