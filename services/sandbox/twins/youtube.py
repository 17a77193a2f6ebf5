"""YouTube in small — https://developers.google.com/youtube/v3/docs/comments. Nothing is told: the adapter asks.

What a person writes is a comment on the one video; what they write in reply stands under the comment that it belongs to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from aiohttp import web

from services.sandbox.access import same
from services.sandbox.bodies import read_values
from services.sandbox.chats import Chat, now
from services.sandbox.refusals import Refused
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import No, Post, Twin, digits

Json = dict[str, Any]
API: Final = "/youtube/v3"
TEXT: Final = 10_000
HOUR: Final = 3600


class YouTube(Twin):
    channel = "youtube"
    family = "social"
    name = "YouTube"
    person = ("UC", 22)
    can = ("edit", "remove")

    @staticmethod
    def id_of(seat: Seat) -> str:
        return str(seat.account["channel_id"])

    def calls(self) -> list[web.RouteDef]:
        return [
            web.post(f"/{self.channel}/token", self._token),
            self.call("GET", f"{API}/commentThreads", self._threads),
            self.call("GET", f"{API}/comments", self._comments),
            self.call("POST", f"{API}/comments", self._insert, sends=True),
            self.call("PUT", f"{API}/comments", self._update),
            self.call("DELETE", f"{API}/comments", self._delete),
        ]

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        return same(request.headers.get("Authorization", ""), f"Bearer {_access(seat)}")

    def unknown(self) -> No:
        return _no(401, "authError", "Invalid Credentials")

    def post(self, seat: Seat, event: Json) -> Post:
        raise NotImplementedError("YouTube tells nothing")

    # what a person does, which is there when it is asked for

    def said(self, chat: Chat, view: Json) -> None:
        if "text" not in view:
            raise Refused(400, "a comment on YouTube is text")

    def edited(self, chat: Chat, view: Json) -> None:
        chat.remember(edited={**chat.about.get("edited", {}), view["id"]: now()})

    def removed(self, chat: Chat, view: Json) -> None:
        """It is not listed any more."""

    # what the adapter calls

    async def _token(self, request: web.Request) -> web.Response:
        """https://developers.google.com/identity/protocols/oauth2/web-server#offline."""
        values = await read_values(request)
        names = ("client_id", "client_secret", "refresh_token")
        for seat in self.seats.all():
            if all(same(str(values.get(name, "")), str(seat.account.get(name))) for name in names):
                return web.json_response({"access_token": _access(seat), "expires_in": HOUR, "token_type": "Bearer"})
        told = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
        return web.json_response(told, status=400)

    async def _threads(self, seat: Seat, request: web.Request) -> Json:
        found = [(chat, view) for chat, view in self._standing(seat) if not _parent(chat, view)]
        if request.query.get("moderationStatus", "published") != "published":
            found = []
        if names := request.query.get("id"):
            found = [(chat, view) for chat, view in found if view["id"] in names.split(",")]
        found.sort(key=lambda one: str(one[1]["at"]), reverse=True)
        return _page("commentThread", [self._thread(seat, chat, view) for chat, view in found], request)

    async def _comments(self, seat: Seat, request: web.Request) -> Json:
        parent, names = request.query.get("parentId"), request.query.get("id", "").split(",")
        found = [
            self._comment(seat, chat, view)
            for chat, view in self._standing(seat)
            if (_parent(chat, view) == parent if parent else _name(chat, view) in names)
        ]
        return _page("comment", found, request)

    async def _insert(self, seat: Seat, request: web.Request) -> Json:
        snippet = (await read_values(request)).get("snippet", {})
        parent, text = snippet.get("parentId"), _text(snippet)
        for chat, view in self._standing(seat):
            if view["id"] == parent and not _parent(chat, view):
                shown = self.show(chat, {"id": f"{parent}.{digits(18)}", "text": text, "reply_to": parent})
                return self._comment(seat, chat, shown)
        raise _no(404, "parentCommentNotFound", "The specified parent comment was not found.")

    async def _update(self, seat: Seat, request: web.Request) -> Json:
        values = await read_values(request)
        chat, view = self._ours(seat, values.get("id"))
        shown = chat.show({**view, "text": _text(values.get("snippet", {})), "edited": True})
        self.edited(chat, shown)
        return self._comment(seat, chat, shown)

    async def _delete(self, seat: Seat, request: web.Request) -> web.Response:
        chat, view = self._ours(seat, request.query.get("id"))
        chat.show({name: value for name, value in view.items() if name != "text"} | {"removed": True})
        return web.Response(status=204)

    def _standing(self, seat: Seat) -> Iterator[tuple[Chat, Json]]:
        """All comments that are there."""
        for chat in self.chats:
            if chat.account == self.id_of(seat):
                yield from ((chat, view) for view in list(chat.views.values()) if not view.get("removed"))

    def _ours(self, seat: Seat, name: object) -> tuple[Chat, Json]:
        for chat, view in self._standing(seat):
            if _name(chat, view) == name:
                if view["direction"] == "in":
                    return chat, view
                raise _no(403, "forbidden", "The comment cannot be changed due to insufficient permissions.")
        raise _no(404, "commentNotFound", "The specified comment was not found.")

    def _thread(self, seat: Seat, chat: Chat, view: Json) -> Json:
        answers = [
            self._comment(seat, chat, one)
            for there, one in self._standing(seat)
            if there is chat and _parent(chat, one) == view["id"]
        ]
        first = self._comment(seat, chat, view)
        snippet = {"topLevelComment": first, "canReply": True, "totalReplyCount": len(answers), "isPublic": True}
        shown = {"replies": {"comments": answers[-5:]}} if answers else {}
        return {"kind": "youtube#commentThread", "id": view["id"], "snippet": snippet, **shown}

    def _comment(self, seat: Seat, chat: Chat, view: Json) -> Json:
        ours, parent = view["direction"] == "in", _parent(chat, view)
        snippet = {
            "channelId": self.id_of(seat),
            "videoId": "sandboxVid1",
            "textDisplay": view.get("text", ""),
            "textOriginal": view.get("text", ""),
            "authorDisplayName": "@parley-shop" if ours else f"@{chat.name}",
            "authorChannelId": {"value": self.id_of(seat) if ours else chat.user},
            "moderationStatus": "published",
            "publishedAt": view["at"],
            "updatedAt": chat.about.get("edited", {}).get(view["id"], view["at"]),
            **({"parentId": parent} if parent else {}),
        }
        return {"kind": "youtube#comment", "id": _name(chat, view), "snippet": snippet}


def _access(seat: Seat) -> str:
    return f"ya29.{hashlib.sha256(str(seat.account.get('refresh_token')).encode()).hexdigest()}"


def _parent(chat: Chat, view: Json) -> str | None:
    """The comment under which it stands: YouTube has one storey of answers."""
    while (above := view.get("reply_to")) in chat.views:
        view = chat.views[str(above)]
        if "reply_to" not in view:
            return str(view["id"])
    return None


def _name(chat: Chat, view: Json) -> str:
    """An answer's name begins with its comment's."""
    name, parent = str(view["id"]), _parent(chat, view)
    return f"{parent}.{name}" if parent and "." not in name else name


def _text(snippet: Json) -> str:
    text = str(snippet.get("textOriginal") or "")
    if not text:
        raise _no(400, "commentTextRequired", "The comment text is required.")
    if len(text) > TEXT:
        raise _no(400, "commentTextTooLong", "The comment text is too long.")
    return text


def _page(kind: str, items: list[Json], request: web.Request) -> Json:
    start, size = int(request.query.get("pageToken", "0")), int(request.query.get("maxResults", "50"))
    more = {"nextPageToken": str(start + size)} if start + size < len(items) else {}
    return {"kind": f"youtube#{kind}ListResponse", **more, "items": items[start : start + size]}


def _no(status: int, reason: str, message: str) -> No:
    told = {"message": message, "domain": "youtube.comment", "reason": reason}
    return No(status, {"error": {"code": status, "message": message, "errors": [told]}})
