"""What LINE tells — https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any, Final

import orjson

from services.sandbox.chats import Chat
from services.sandbox.twins.proofs import b64, mac
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import HERE, First, Post, Twin

Json = dict[str, Any]
LIVES: Final = 60.0  # seconds of a reply token


class Tells(Twin):
    channel = "line"
    name = "LINE"
    key = "user_id"
    person = ("U", 32)
    can = ("media", "location", "reply", "remove")
    offers = "beside"
    gone = "no_friend"

    @classmethod
    def first(cls) -> First:
        account = {
            "user_id": f"U{secrets.token_hex(16)}",
            "token": secrets.token_urlsafe(64),
            "data_api": HERE,
            "api": HERE,
        }
        return First(account, {"secret": secrets.token_hex(16)})

    def post(self, seat: Seat, event: Json) -> Post:
        body = orjson.dumps({"destination": self.id_of(seat), "events": [event]})
        return Post(self.hook(seat), body, {"X-Line-Signature": b64(mac(seat.app["secret"], body))})

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        if "pressed" in view:
            yield _event(chat, "postback", replyToken=self._token(chat), postback={"data": view["pressed"]})
            return
        told = {"id": view["id"], "quoteToken": f"q-{view['id']}", "markAsReadToken": f"m-{view['id']}"}
        quotes = {"quotedMessageId": view["reply_to"]} if "reply_to" in view else {}
        yield _event(chat, "message", message={**_message(view), **told, **quotes}, replyToken=self._token(chat))

    def removed(self, chat: Chat, view: Json) -> Iterator[Json]:
        yield _event(chat, "unsend", unsend={"messageId": view["id"]})

    def blocked(self, chat: Chat, *, blocked: bool) -> Iterator[Json]:
        back = {"follow": {"isUnblocked": True}, "replyToken": self._token(chat)}
        yield _event(chat, "unfollow" if blocked else "follow", **({} if blocked else back))

    def _token(self, chat: Chat) -> str:
        token, now = secrets.token_hex(16), time.time()
        good = {name: until for name, until in chat.about.get("tokens", {}).items() if until > now}
        chat.remember(tokens={**good, token: now + LIVES})
        return token


def _event(chat: Chat, kind: str, **about: Any) -> Json:
    place = {"source": {"type": "user", "userId": chat.user}, "timestamp": int(1000 * time.time()), "mode": "active"}
    told = {"webhookEventId": secrets.token_hex(13).upper(), "deliveryContext": {"isRedelivery": False}}
    return {"type": kind, **place, **told, **about}


def _message(view: Json) -> Json:
    """https://developers.line.biz/en/reference/messaging-api/#message-event."""
    if place := view.get("location"):
        return {"type": "location", "title": place.get("name"), **{key: place[key] for key in place if key != "name"}}
    if media := view.get("media"):
        if media["kind"] in {"image", "video", "audio"}:
            return {"type": media["kind"], "contentProvider": {"type": "line"}}
        return {"type": "file", "fileName": media["name"], "fileSize": media["size"]}
    return {"type": "text", "text": view["text"]}
