"""YouTube in small — https://developers.google.com/youtube/v3/docs/comments. Nothing is told: the adapter asks.

What a person writes is a comment on the one video; what they write in reply stands under the comment that it belongs to.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from typing import Any, Final

from aiohttp import web

from services.sandbox.chats import Chat, now
from services.sandbox.said import taken_back
from services.sandbox.twins.proofs import derived
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.silent import Silent, newest, page
from services.sandbox.twins.twin import HERE, Call, First, No, digits
from services.sandbox.twins.youtube.comments import comment, name_of, parent_of

Json = dict[str, Any]
API: Final = "/youtube/v3"
TEXT: Final = 10_000
HOUR: Final = 3600
NO_GRANT: Final = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}


class YouTube(Silent):
    channel = "youtube"
    family = "social"
    name = "YouTube"
    key = "channel_id"
    person = ("UC", 22)
    can = ("reply", "edit", "remove")
    malformed = "not_processed"

    @classmethod
    def first(cls) -> First:
        client = {
            "client_id": f"{digits(12)}.apps.googleusercontent.com",
            "client_secret": f"GOCSPX-{secrets.token_urlsafe(21)}",
        }
        tokens = {**client, "refresh_token": f"1//0{secrets.token_urlsafe(48)}", "token_api": HERE, "api": HERE}
        return First({"channel_id": f"UC{secrets.token_hex(11)}", **tokens, "quota": 1_000_000, "reserve": 5000})

    def calls(self) -> Iterator[web.RouteDef]:
        yield self.call("POST", "/token", self._token, anyone=True)
        yield self.call("GET", f"{API}/commentThreads", self._threads)
        yield self.call("GET", f"{API}/comments", self._comments)
        yield self.call("POST", f"{API}/comments", self._insert, sends=True)
        yield self.call("PUT", f"{API}/comments", self._update)
        yield self.call("DELETE", f"{API}/comments", self._delete)

    def access(self, seat: Seat) -> str:
        return f"ya29.{derived(seat.account.get('refresh_token'))}"

    def edited(self, chat: Chat, view: Json) -> Iterable[Json]:
        chat.remember(edited={**chat.about.get("edited", {}), view["id"]: now()})
        return ()

    # what the adapter calls

    def _token(self, call: Call) -> Json:
        """https://developers.google.com/identity/protocols/oauth2/web-server#offline."""
        if (seat := self.seats.known(call.values, "client_id", "client_secret", "refresh_token")) is None:
            raise No(400, NO_GRANT)
        return {"access_token": self.access(seat), "expires_in": HOUR, "token_type": "Bearer"}

    def _threads(self, call: Call) -> Json:
        found = [(chat, view) for chat, view in newest(self.everything(call.seat)) if not parent_of(chat, view)]
        if call.values.get("moderationStatus", "published") != "published":
            found = []
        if names := call.values.get("id"):
            found = [(chat, view) for chat, view in found if view["id"] in names.split(",")]
        return _page("commentThread", [self._thread(call.seat, chat, view) for chat, view in found], call)

    def _comments(self, call: Call) -> Json:
        parent, names = call.values.get("parentId"), call.values.get("id", "").split(",")
        found = [
            comment(chat, view)
            for chat, view in self.everything(call.seat)
            if (parent_of(chat, view) == parent if parent else name_of(chat, view) in names)
        ]
        return _page("comment", found, call)

    def _insert(self, call: Call) -> Json:
        parent, text = call.values["snippet"]["parentId"], self._text(call)
        for chat, view in self.everything(call.seat):
            if view["id"] == parent and not parent_of(chat, view):
                return comment(
                    chat, self.show(chat, {"id": f"{parent}.{digits(18)}", "text": text, "reply_to": parent})
                )
        raise self.no("comment_is_gone")

    def _update(self, call: Call) -> Json:
        chat, view = self._ours(call, call.values["id"])
        shown = chat.show({**view, "text": self._text(call), "edited": True})
        self.edited(chat, shown)
        return comment(chat, shown)

    def _delete(self, call: Call) -> None:
        chat, view = self._ours(call, call.values["id"])
        chat.show(taken_back(view))

    def _ours(self, call: Call, name: object) -> tuple[Chat, Json]:
        for chat, view in self.everything(call.seat):
            if name_of(chat, view) == name:
                if view["direction"] == "in":
                    return chat, view
                raise self.no("not_ours_to_edit")
        raise self.no("edit_of_what_is_gone")

    def _text(self, call: Call) -> str:
        text = str(call.values["snippet"]["textOriginal"])
        if not 0 < len(text) <= TEXT:
            raise self.no("too_long" if text else "not_processed")
        return text

    def _thread(self, seat: Seat, chat: Chat, view: Json) -> Json:
        standing = [one for there, one in self.everything(seat) if there is chat]
        answers = [comment(chat, one) for one in standing if parent_of(chat, one) == view["id"]]
        first = comment(chat, view)
        snippet = {"topLevelComment": first, "canReply": True, "totalReplyCount": len(answers), "isPublic": True}
        shown = {"replies": {"comments": answers[-5:]}} if answers else {}
        return {"kind": "youtube#commentThread", "id": view["id"], "snippet": snippet, **shown}


def _page(kind: str, items: list[Json], call: Call) -> Json:
    shown, token = page(items, call.values.get("pageToken", "0"), call.values.get("maxResults", "50"))
    more = {"nextPageToken": token} if token else {}
    return {"kind": f"youtube#{kind}ListResponse", **more, "items": shown}
