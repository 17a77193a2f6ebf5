"""People's phones, for the page and for tests: chats as views that any provider's messages fit into, as JSON over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from aiohttp import web

from services.sandbox.bodies import read_values
from services.sandbox.chats import Chat, Chats
from services.sandbox.files import Files, download
from services.sandbox.refusals import Refused, answering
from services.sandbox.said import named, said, taken_back
from services.sandbox.screens import Json
from services.sandbox.streams import last_seen, tell

PERSON: Final = "{account:[\\w.:@+-]{1,100}}/{user:[\\w.:+-]{1,140}}"


class Provider(Protocol):
    """What only the provider knows: how the business learns of what a person did. Each may raise Refused, before anything
    shows; a view is given as it will show.
    """

    channel: str

    def accounts(self) -> list[Json]:
        """[{"id", "name"}]: whom people can write to."""

    def meet(self, account: str, user: str) -> None:
        """Raise Refused where there is no such account, or nobody can have such a name."""

    def new_id(self, chat: Chat) -> str:
        """The name of a new message."""

    def said(self, chat: Chat, view: Json) -> None:
        """The person wrote, sent or pressed something (`view["pressed"]` is the id of the choice)."""

    def edited(self, chat: Chat, view: Json) -> None: ...

    def removed(self, chat: Chat, view: Json) -> None: ...

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> None: ...

    def blocked(self, chat: Chat, *, blocked: bool) -> None: ...

    def read(self, chat: Chat, views: list[Json]) -> None:
        """The person has seen these messages of the business."""


class Phones:
    """The routes of one channel's phones. What a person does goes to the provider; what the business does shows in chats."""

    def __init__(self, provider: Provider, chats: Chats, files: Files) -> None:
        self._provider, self._chats, self._files = provider, chats, files

    def routes(self) -> list[web.RouteDef]:
        home = f"/phone/{self._provider.channel}"
        person = f"{home}/{PERSON}"
        return [
            web.get(home, self._accounts),
            web.post(f"{person}/send", answering(self._send)),
            web.post(f"{person}/read", answering(self._read)),
            web.get(f"{person}/messages", answering(self._messages)),
            web.get(f"{person}/events", answering(self._events)),
            web.get(f"{person}/files/{{file}}", answering(self._file)),
        ]

    def _chat(self, request: web.Request) -> Chat:
        account, user = request.match_info["account"], request.match_info["user"]
        self._provider.meet(account, user)
        return self._chats.meet(account, user)

    async def _accounts(self, _request: web.Request) -> web.Response:
        return web.json_response({"accounts": self._provider.accounts()})

    async def _send(self, request: web.Request) -> web.Response:
        """One act: text, file (multipart, with caption), location, contact, press, react, edit, remove, block; with reply_to, name."""
        chat, values = self._chat(request), await read_values(request)
        chat.call(values.get("name"))
        act = next((act for act in _OTHER if values.get(act) is not None), None)
        message = _OTHER[act](self._provider, chat, values) if act else self._say(chat, values)
        return web.json_response({"id": message, "n": chat.n})

    def _say(self, chat: Chat, values: Json) -> str:
        if chat.blocked:  # who writes again has unblocked
            _block(self._provider, chat, {"block": False})
        view = {**said(chat, values, self._files), "id": self._provider.new_id(chat), "direction": "out"}
        try:
            self._provider.said(chat, view)
        except Refused:
            self._files.drop(view.get("media", {}).get("id", ""))
            raise
        chat.show(view)
        return str(view["id"])

    async def _read(self, request: web.Request) -> web.Response:
        chat = self._chat(request)
        unread = [view for view in chat.views.values() if view["direction"] == "in" and view.get("status") != "read"]
        self._provider.read(chat, unread)
        for view in unread:
            chat.show({**view, "status": "read"})
        return web.json_response({"read": [view["id"] for view in unread], "n": chat.n})

    async def _messages(self, request: web.Request) -> web.Response:
        chat = self._chat(request)
        return web.json_response({"n": chat.n, "messages": chat.since(last_seen(request))})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: `message` with a view whose `n` is the event's id, and `typing`."""
        chat = self._chat(request)
        return await tell(request, chat.changed, chat.news(last_seen(request)))

    async def _file(self, request: web.Request) -> web.Response:
        chat, name = self._chat(request), request.match_info["file"]
        file = self._files.get(name)
        if file is None or not any(view.get("media", {}).get("id") == name for view in chat.views.values()):
            raise Refused(404, "no such file in this chat")
        return download(self._files.data(file), file.mime_type)


def _react(provider: Provider, chat: Chat, values: Json) -> str:
    wanted = named(values, "react")
    view, emoji = chat.view(wanted.get("message")), wanted.get("emoji") or None
    if emoji is not None and not (isinstance(emoji, str) and len(emoji) <= 64):
        raise Refused(400, "emoji is one emoji, or null to take the reaction back")
    provider.reacted(chat, view, emoji)
    others = {who: shown for who, shown in view.get("reactions", {}).items() if who != "person"}
    chat.show({**view, "reactions": {**others, "person": emoji} if emoji else others})
    return str(view["id"])


def _edit(provider: Provider, chat: Chat, values: Json) -> str:
    wanted = named(values, "edit")
    view, text = chat.own(wanted.get("message")), wanted.get("text")
    if not isinstance(text, str) or not text.strip():
        raise Refused(400, "text is the message's new text")
    edited = {**view, "caption" if "media" in view else "text": text, "edited": True}
    provider.edited(chat, edited)
    chat.show(edited)
    return str(view["id"])


def _remove(provider: Provider, chat: Chat, values: Json) -> str:
    view = chat.own(named(values, "remove").get("message"))
    removed = taken_back(view)
    provider.removed(chat, removed)
    chat.show(removed)
    return str(view["id"])


def _block(provider: Provider, chat: Chat, values: Json) -> str:
    blocked = values["block"] not in (False, "false", "0", "")
    provider.blocked(chat, blocked=blocked)
    chat.block(blocked=blocked)
    return ""


# What changes a message instead of making one.
_OTHER: Final[Mapping[str, Callable[[Provider, Chat, Json], str]]] = {
    "react": _react,
    "edit": _edit,
    "remove": _remove,
    "block": _block,
}
