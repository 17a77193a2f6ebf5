"""What Google Chat tells, at once or through Pub/Sub — https://developers.google.com/workspace/chat/api/reference/rest/v1/Event."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any, Final

import orjson

from services.sandbox.chats import Chat, now
from services.sandbox.said import words_of
from services.sandbox.twins.grants import HOUR
from services.sandbox.twins.proofs import Signer
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.serviced import Serviced, pushed, service_account
from services.sandbox.twins.twin import HERE, First, Post, digits

Json = dict[str, Any]
CHAT: Final = "chat@system.gserviceaccount.com"
COMMON: Final = {"userLocale": "km", "hostApp": "CHAT", "platform": "WEB", "timeZone": {"id": "Asia/Phnom_Penh"}}
DIRECT: Final = {"type": "DM", "singleUserBotDm": True, "spaceType": "DIRECT_MESSAGE"}


class Tells(Serviced):
    channel = "googlechat"
    name = "Google Chat"
    person = ("1", 20)
    can = ("media", "caption", "reply", "edit", "remove")
    emoji = ("👍", "❤️", "😂", "😮", "😢", "🎉")
    stranger = "token_is_not_good"
    malformed = "bad_argument"
    gone = "edits_what_is_gone"

    @classmethod
    def first(cls) -> First:
        hook = {"audience": "https://parley.example/hooks/googlechat/sandbox", "certs": HERE}
        publishers = ["push@parley-sandbox.iam.gserviceaccount.com"]
        account = {"credentials": service_account(), "login": HERE, "api": HERE}
        return First(account, {"project": digits(12), "publishers": publishers, **hook})

    def id_of(self, seat: Seat) -> str:
        return seat.name

    def new_id(self, chat: Chat) -> str:
        return f"{space_of(chat)}/messages/{digits(11)}.{digits(11)}"

    def post(self, seat: Seat, event: Json) -> Post:
        """What was subscribed to comes by Pub/Sub, whose push is signed by an account of its own."""
        email = seat.app["publishers"][0] if "subscription" in event else CHAT
        about = {"aud": seat.app["audience"], "email": email, "email_verified": True, "iat": int(time.time())}
        token = Signer(self.shelf).token({"iss": "https://accounts.google.com", **about}, lives=HOUR)
        return Post(self.hook(seat), orjson.dumps(event), {"Authorization": f"Bearer {token}"})

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        if "pressed" in view:
            told = {"choice": view["pressed"], "title": view["text"]}
            action = {"parameters": [{"key": name, "value": value} for name, value in told.items()]}
            yield _event(chat, "CARD_CLICKED", message={"name": view["reply_to"]}, action=action)
            return
        quotes = {"quotedMessageMetadata": {"name": view["reply_to"]}} if "reply_to" in view else {}
        yield _event(chat, "MESSAGE", message={**_message(chat, view), **quotes})

    def edited(self, chat: Chat, view: Json) -> Iterator[Json]:
        yield _subscribed("message.v1.updated", {"message": _message(chat, view)})

    def removed(self, chat: Chat, view: Json) -> Iterator[Json]:
        yield _subscribed("message.v1.deleted", {"message": {"name": view["id"]}})

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> Iterator[Json]:
        for kind, shown in (("deleted", view.get("reactions", {}).get("person")), ("created", emoji)):
            if shown:
                about = {"name": f"{view['id']}/reactions/{digits(21)}", "emoji": {"unicode": shown}}
                yield _subscribed(f"reaction.v1.{kind}", {"reaction": {**about, "user": _who(chat)}})

    def blocked(self, chat: Chat, *, blocked: bool) -> Iterator[Json]:
        yield _event(chat, "REMOVED_FROM_SPACE" if blocked else "ADDED_TO_SPACE")


def _event(chat: Chat, kind: str, **about: Any) -> Json:
    user, space = {**_who(chat), "displayName": chat.name}, {**DIRECT, "name": space_of(chat)}
    return {"type": kind, "eventTime": now(), "user": user, "space": space, "common": COMMON, **about}


def _subscribed(kind: str, event: Json) -> Json:
    about = {"ce-id": secrets.token_hex(12), "ce-type": f"google.workspace.chat.{kind}", "ce-time": now()}
    return pushed(event, **about)


def _message(chat: Chat, view: Json) -> Json:
    said: Json = {"text": words_of(view), "argumentText": words_of(view), "createTime": now()}
    if media := view.get("media"):
        about = {"contentName": media["name"], "contentType": media["mime_type"], "source": "UPLOADED_CONTENT"}
        said["attachment"] = [{**about, "attachmentDataRef": {"resourceName": media["id"]}}]
    return {"name": view["id"], "sender": _who(chat), "space": {"name": space_of(chat)}, **said}


def _who(chat: Chat) -> Json:
    return {"name": f"users/{chat.user}", "type": "HUMAN"}


def space_of(chat: Chat) -> str:
    """A person's own chat with the app."""
    return f"spaces/dm{chat.user}"
