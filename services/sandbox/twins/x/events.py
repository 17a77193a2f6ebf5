"""What X tells: posts, direct messages and what was read — https://docs.x.com/x-api/activity/introduction."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from services.sandbox.chats import Chat
from services.sandbox.twins.proofs import b64, mac
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import HERE, First, Post, Twin, digits

Json = dict[str, Any]
KINDS: Final = {"image": ("photo", "3"), "video": ("video", "7")}


class Tells(Twin):
    channel = "x"
    family = "social"
    name = "X"
    key = "user_id"
    person = ("1", 18)
    can = ("media", "caption", "reply")
    stranger = "token_is_bad"
    malformed = "not_as_x_wants_it"
    gone = "nobody_there"

    @classmethod
    def first(cls) -> First:
        secret = secrets.token_urlsafe(36)
        client = {
            "client_id": secrets.token_urlsafe(24),
            "client_secret": secret,
            "refresh_token": secrets.token_urlsafe(60),
        }
        bearer = f"{'A' * 22}{secrets.token_urlsafe(60)}"
        return First({"user_id": digits(19), **client, "api": HERE}, {"client_secret": secret, "bearer_token": bearer})

    def post(self, seat: Seat, event: Json) -> Post:
        body = orjson.dumps({"data": event})
        proof = f"sha256={b64(mac(seat.app['client_secret'], body))}"
        return Post(self.hook(seat), body, {"X-Twitter-Webhooks-Signature-OAuth2": proof})

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        if _is_post(chat, view):
            answers = chat.views.get(view.get("reply_to", ""), {}).get("direction") == "in"
            yield self._event(chat, f"post.{'reply' if answers else 'mention'}.create", self._written(chat, view))
        else:
            yield self._event(chat, "dm.received", self._direct(chat, view))

    def read(self, chat: Chat, views: list[Json]) -> Iterator[Json]:
        told = {"created_timestamp": _now(), "sender_id": chat.user, "target": {"recipient_id": chat.account}}
        last = {"last_read_event_id": views[-1]["id"]}
        yield self._event(chat, "dm.read", {"direct_message_mark_read_events": [told | last], "users": users_of(chat)})

    def _event(self, chat: Chat, kind: str, payload: Json) -> Json:
        includes = {"users": [one["data"] for one in users_of(chat).values()]}
        about = {"event_uuid": f"-{digits(19)}", "filter": {"user_id": chat.account}, "event_type": kind}
        return {**about, "payload": payload, "includes": includes}

    def _written(self, chat: Chat, view: Json) -> Json:
        name, above = view["id"], view.get("reply_to")
        answers = {"in_reply_to_tweet_id": above, "referenced_tweets": [{"type": "replied_to", "id": above}]}
        about = {"id": name, "text": view.get("text") or view.get("caption", ""), "edit_history_tweet_ids": [name]}
        who = {"author_id": chat.account if view["direction"] == "in" else chat.user}
        place = {"conversation_id": _root(chat, view), "created_at": datetime.now(UTC).isoformat()}
        if media := view.get("media"):
            about["attachments"] = {"media_keys": [f"{KINDS[media['kind']][1]}_{media['id']}"]}
        return {**about, **who, **place, **(answers if above else {})}

    def _direct(self, chat: Chat, view: Json) -> Json:
        both = (chat.account, chat.user)
        sender, recipient = both if view["direction"] == "in" else both[::-1]
        data: Json = {"text": view.get("text") or view.get("caption", ""), "entities": {"urls": []}}
        if media := view.get("media"):
            kept = f"https://ton.twitter.com/1.1/ton/data/dm/{view['id']}/{media['id']}/{secrets.token_hex(4)}.bin"
            data["attachment"] = {"type": "media", "media": {"type": KINDS[media["kind"]][0], "media_url_https": kept}}
        created = {"target": {"recipient_id": recipient}, "sender_id": sender, "message_data": data}
        one = {"type": "message_create", "id": view["id"], "created_timestamp": _now(), "message_create": created}
        return {"direct_message_events": [one], "users": users_of(chat)}


def _is_post(chat: Chat, view: Json) -> bool:
    return str(chat.views.get(_root(chat, view), view).get("text", "")).startswith("@")


def _root(chat: Chat, view: Json) -> str:
    while (above := view.get("reply_to")) in chat.views:
        view = chat.views[str(above)]
    return str(view["id"])


def users_of(chat: Chat) -> Json:
    shop = {"id": chat.account, "username": "parley_shop", "name": "Parley Shop"}
    who = {"id": chat.user, "username": f"user_{chat.user[-4:]}", "name": chat.name}
    return {one["id"]: {"data": one} for one in (shop, who)}


def _now() -> str:
    return str(int(1000 * time.time()))
