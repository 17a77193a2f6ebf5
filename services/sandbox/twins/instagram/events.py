"""What Instagram tells: messages, comments, reactions and what was read — https://developers.facebook.com/documentation/instagram-platform/webhooks/examples."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any, Final

import orjson

from services.sandbox.chats import Chat
from services.sandbox.said import words_of
from services.sandbox.twins.proofs import mac, meta_app
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import HERE, First, Post, Twin, digits

Json = dict[str, Any]
MEDIA: Final = "17918200110022334"
POST: Final = ".post"


class Tells(Twin):
    channel = "instagram"
    family = "social"
    name = "Instagram"
    key = "instagram_id"
    person = ("66", 14)
    can = ("media", "reply", "edit", "remove")
    emoji = ("❤️", "😂", "😮", "😢", "😡", "👍")
    offers = "beside"
    malformed = "file_cannot_be_fetched"

    @classmethod
    def first(cls) -> First:
        account = {
            "instagram_id": f"17841{digits(12)}",
            "token": f"IGAA{secrets.token_hex(40)}",
            "human_agent": True,
            "api": HERE,
        }
        return First(account, meta_app())

    def post(self, seat: Seat, event: Json) -> Post:
        entry = {"id": self.id_of(seat), "time": now(), **event}
        body = orjson.dumps({"object": "instagram", "entry": [entry]})
        return Post(self.hook(seat), body, {"X-Hub-Signature-256": f"sha256={mac(seat.app['secret'], body).hex()}"})

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        if chat.user.endswith(POST):
            yield self._comment(chat, view, {"id": chat.user.removesuffix(POST), "username": chat.name})
        elif "pressed" in view and chat.view(view["reply_to"]).get("style") == "buttons":
            about = {"mid": view["id"], "title": view["text"], "payload": view["pressed"]}
            yield event(chat, postback=about)
        else:
            yield event(chat, message={"mid": view["id"], **self._message(chat, view)})

    def edited(self, chat: Chat, view: Json) -> Iterator[Json]:
        edits = chat.views[view["id"]].get("edits", 0) + 1
        view["edits"] = edits
        yield event(chat, message_edit={"mid": view["id"], "text": view["text"], "num_edit": edits})

    def removed(self, chat: Chat, view: Json) -> Iterator[Json]:
        yield event(chat, message={"mid": view["id"], "is_deleted": True})

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> Iterator[Json]:
        shown = {"action": "react", "reaction": "other", "emoji": emoji} if emoji else {"action": "unreact"}
        yield event(chat, reaction={"mid": view["id"], **shown})

    def read(self, chat: Chat, views: list[Json]) -> Iterator[Json]:
        yield from (event(chat, read={"mid": view["id"]}) for view in views if not chat.user.endswith(POST))

    def _comment(self, chat: Chat, view: Json, author: Json) -> Json:
        parent = {"parent_id": view["reply_to"]} if "reply_to" in view else {}
        media = {"id": MEDIA, "media_product_type": "FEED"}
        value = {"from": author, "id": view["id"], "text": words_of(view), "media": media, **parent}
        return {"changes": [{"field": "comments", "value": value}]}

    def _message(self, chat: Chat, view: Json) -> Json:
        media, quick = view.get("media"), "pressed" in view
        link = {"url": f"{self.api(chat)}/files/{media['id']}"} if media else {}
        return {
            **({"text": words_of(view)} if words_of(view) else {}),
            **({"quick_reply": {"payload": view["pressed"]}} if quick else {}),
            **({"reply_to": {"mid": view["reply_to"]}} if "reply_to" in view and not quick else {}),
            **({"attachments": [{"type": media["kind"], "payload": link}]} if media else {}),
        }


def now() -> int:
    return int(1000 * time.time())


def event(chat: Chat, *, ours: bool = False, **about: Any) -> Json:
    sender, recipient = (chat.account, chat.user) if ours else (chat.user, chat.account)
    told = {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": now(), **about}
    return {"messaging": [told]}
