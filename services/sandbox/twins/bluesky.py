"""Bluesky in small — https://docs.bsky.app/docs/api/at-protocol-xrpc-api. Nothing is told: the adapter asks.

What a person writes is a post that mentions the account, or an answer to what it answers.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, Final

from aiohttp import web

from services.sandbox.chats import Chat
from services.sandbox.said import taken_back
from services.sandbox.twins.proofs import derived
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.silent import Silent, newest, page
from services.sandbox.twins.twin import HERE, Call, First, No, digits
from shared.contract.text import measure

Json = dict[str, Any]
TEXT: Final = 300  # graphemes
POST: Final = "app.bsky.feed.post"
NO_SESSION: Final = {"error": "AuthenticationRequired", "message": "Invalid identifier or password"}


class Bluesky(Silent):
    channel = "bluesky"
    family = "social"
    name = "Bluesky"
    key = "did"
    person = ("did:plc:", 24)
    can = ("reply",)
    malformed = "not_a_record"

    @classmethod
    def first(cls) -> First:
        return First(
            {"did": f"did:plc:{digits(24)}", "password": secrets.token_urlsafe(12), "per_second": 100, "api": HERE}
        )

    def new_id(self, chat: Chat) -> str:
        return _uri(chat.user)

    def calls(self) -> Iterator[web.RouteDef]:
        yield self.call("POST", "/xrpc/com.atproto.server.createSession", self._session, anyone=True)
        yield self.call("GET", "/xrpc/app.bsky.notification.listNotifications", self._list)
        yield self.call("GET", "/xrpc/app.bsky.feed.getPosts", self._posts)
        yield self.call("POST", "/xrpc/com.atproto.repo.createRecord", self._create, sends=True)
        yield self.call("POST", "/xrpc/com.atproto.repo.deleteRecord", self._delete)

    def access(self, seat: Seat) -> str:
        return f"eyJ.{derived(seat.account.get('password'))}"

    # what the adapter calls

    def _session(self, call: Call) -> Json:
        if (seat := self.seats.known(call.values, "password", identifier="did")) is None:
            raise No(401, NO_SESSION)
        return {"did": seat.account["did"], "accessJwt": self.access(seat), "refreshJwt": "eyJ.refresh"}

    def _list(self, call: Call) -> Json:
        found = newest([one for one in self.everything(call.seat) if one[1]["direction"] == "out"])
        shown, cursor = page(found, call.values.get("cursor", "0"), call.values["limit"])
        return {"notifications": [self._told(*one) for one in shown], **({"cursor": cursor} if cursor else {})}

    def _posts(self, call: Call) -> Json:
        name = call.values["uris"]
        return {"posts": [self._told(*one) for one in self.everything(call.seat) if one[1]["id"] == name]}

    def _create(self, call: Call) -> Json:
        record = call.values["record"]
        for chat, view in self.everything(call.seat):
            if view["id"] == record["reply"]["parent"]["uri"]:
                if not 0 < measure(record["text"], "graphemes") <= TEXT:
                    raise self.no("not_a_record")
                shown = {"id": _uri(chat.account), "text": record["text"], "reply_to": view["id"]}
                return _ref(self.show(chat, shown)["id"])
        raise self.no("not_a_record")

    def _delete(self, call: Call) -> Json:
        """What is not there is a success as well."""
        for chat, view in self.everything(call.seat):
            if view["id"] == f"at://{chat.account}/{POST}/{call.values['rkey']}":
                chat.show(taken_back(view))
        return {}

    def _told(self, chat: Chat, view: Json) -> Json:
        parent, root = view.get("reply_to"), view["id"]
        while (above := chat.views.get(root, {}).get("reply_to")) is not None:
            root = above
        reply = {"reply": {"root": _ref(root), "parent": _ref(parent)}} if parent else {}
        record = {"$type": POST, "text": view.get("text", ""), "createdAt": view["at"], **reply}
        author = {"did": chat.user, "handle": "sophea.bsky.social", "displayName": chat.name}
        about = {"author": author, "reason": "reply" if parent else "mention", "indexedAt": view["at"]}
        return {**_ref(view["id"]), **about, "record": record, "isRead": False}


def _uri(did: str) -> str:
    return f"at://{did}/{POST}/{digits(13)}"


def _ref(uri: str) -> Json:
    return {"uri": uri, "cid": f"bafyrei{derived(uri)}"}
