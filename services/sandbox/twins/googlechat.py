"""Google Chat in small — https://developers.google.com/workspace/chat/api/reference/rest."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiohttp import web

from services.sandbox.chats import Chat
from services.sandbox.said import choice_view, words_of
from services.sandbox.twins.proofs import Signer
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.serviced import HOUR, Serviced
from services.sandbox.twins.twin import Call, Post, digits

Json = dict[str, Any]
BYTES: Final = 32_000  # of a message
CHAT: Final = "chat@system.gserviceaccount.com"
MESSAGES: Final = "/v1/spaces/{space}/messages"
COMMON: Final = {"userLocale": "km", "hostApp": "CHAT", "platform": "WEB", "timeZone": {"id": "Asia/Phnom_Penh"}}
DIRECT: Final = {"type": "DM", "singleUserBotDm": True, "spaceType": "DIRECT_MESSAGE"}


class GoogleChat(Serviced):
    channel = "googlechat"
    name = "Google Chat"
    person = ("1", 20)
    can = ("media", "caption", "reply", "edit", "remove")
    emoji = ("👍", "❤️", "😂", "😮", "😢", "🎉")
    stranger = "token_is_not_good"
    malformed = "bad_argument"
    gone = "edits_what_is_gone"

    def id_of(self, seat: Seat) -> str:
        return seat.name

    def new_id(self, chat: Chat) -> str:
        return f"{_space(chat)}/messages/{digits(11)}.{digits(11)}"

    def calls(self) -> Iterator[web.RouteDef]:
        yield self.call("GET", "/service_accounts/v1/jwk/{name}", self._keys, anyone=True)
        yield self.call("GET", "/oauth2/v3/certs", self._keys, anyone=True)
        yield self.call("POST", "/token", self.token, anyone=True)
        yield self.call("GET", "/v1/spaces:findDirectMessage", self._found)
        yield self.call("POST", MESSAGES, self._sent, sends=True)
        yield self.call("PATCH", f"{MESSAGES}/{{id}}", self._changed)
        yield self.call("DELETE", f"{MESSAGES}/{{id}}", self._deleted)
        yield self.call("GET", "/v1/media/{id}", self.serve)

    # what the adapter is told

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

    # what the adapter calls

    def _keys(self, call: Call) -> Json:
        return {"keys": [Signer(self.shelf).public()]}

    def _found(self, call: Call) -> Json:
        name = str(call.values["name"]).removeprefix("users/")
        return {"name": _space(self.reached(call, name, self.no("nobody_who_has_the_app")))}

    async def _sent(self, call: Call) -> Json:
        """The name of a request is remembered with the message that it made."""
        chat = self._chat(call)
        if (name := self.shelf.get(key := f"request/{chat.user}/{call.values['requestId']}")) is None:
            name = self.show(chat, {"id": self.new_id(chat), **await self._view(chat, call.values)})["id"]
            self.shelf.put(key, name)
        return {"name": name, "createTime": _now()}

    async def _changed(self, call: Call) -> Json:
        chat, view = self._standing(call)
        chat.show({**view, **await self._view(chat, call.values), "edited": True})
        return {"name": view["id"], "createTime": _now()}

    def _deleted(self, call: Call) -> Json:
        chat, view = self._standing(call)
        chat.show({"id": view["id"], "direction": "in", "removed": True})
        return {}

    def _chat(self, call: Call) -> Chat:
        if len(orjson.dumps(call.values)) > BYTES:
            raise self.no("too_large")
        return self.reached(call, call.path["space"].removeprefix("dm"), self.no("no_such_space"))

    def _standing(self, call: Call) -> tuple[Chat, Json]:
        chat, name = self._chat(call), f"spaces/{call.path['space']}/messages/{call.path['id']}"
        return chat, self.standing(chat, name, gone=self.no("edits_what_is_gone"), theirs=self.no("somebody_elses"))

    async def _view(self, chat: Chat, message: Json) -> Json:
        words = {"text": message["text"]} if message.get("text") else {}
        match [one["card"]["sections"][0]["widgets"][0] for one in message.get("cardsV2", ())]:
            case []:
                return words
            case [{"image": {"imageUrl": address}}]:
                return {"media": await self.fetched(chat, address, "image"), "caption": message["text"]}
            case [{"buttonList": {"buttons": buttons}}]:
                return {**words, "choices": [_choice(one) for one in buttons]}
        raise self.no("bad_argument")


def _event(chat: Chat, kind: str, **about: Any) -> Json:
    user, space = {**_who(chat), "displayName": chat.name}, {**DIRECT, "name": _space(chat)}
    return {"type": kind, "eventTime": _now(), "user": user, "space": space, "common": COMMON, **about}


def _subscribed(kind: str, event: Json) -> Json:
    about = {"ce-id": secrets.token_hex(12), "ce-type": f"google.workspace.chat.{kind}", "ce-time": _now()}
    pushed = {"data": base64.b64encode(orjson.dumps(event)).decode(), "attributes": about, "messageId": digits(16)}
    return {"message": pushed, "subscription": "projects/sandbox/subscriptions/parley"}


def _message(chat: Chat, view: Json) -> Json:
    said: Json = {"text": words_of(view), "argumentText": words_of(view), "createTime": _now()}
    if media := view.get("media"):
        about = {"contentName": media["name"], "contentType": media["mime_type"], "source": "UPLOADED_CONTENT"}
        said["attachment"] = [{**about, "attachmentDataRef": {"resourceName": media["id"]}}]
    return {"name": view["id"], "sender": _who(chat), "space": {"name": _space(chat)}, **said}


def _who(chat: Chat) -> Json:
    return {"name": f"users/{chat.user}", "type": "HUMAN"}


def _space(chat: Chat) -> str:
    """A person's own chat with the app."""
    return f"spaces/dm{chat.user}"


def _choice(button: Json) -> Json:
    if link := button["onClick"].get("openLink"):
        return choice_view(link["url"], button["text"], link["url"])
    told = {one["key"]: one["value"] for one in button["onClick"]["action"]["parameters"]}
    return choice_view(told["choice"], button["text"])


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
