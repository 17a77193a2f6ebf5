"""What Discord tells: messages and what becomes of them, and what is pressed — https://docs.discord.com/developers/events/gateway-events."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any, Final

import orjson

from services.sandbox.chats import Chat
from services.sandbox.said import words_of
from services.sandbox.twins.proofs import public_key, signer
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import HERE, First, Post, Twin, digits

Json = dict[str, Any]
EPOCH: Final = 1_420_070_400_000  # …/developers/reference#snowflakes


class Tells(Twin):
    channel = "discord"
    name = "Discord"
    key = "application_id"
    person = ("2822656076", 8)
    can = ("media", "caption", "reply", "edit", "remove")
    emoji = ("👍", "❤️", "😂", "🔥", "🎉", "🙏")

    @classmethod
    def first(cls) -> First:
        token = f"{secrets.token_urlsafe(18)}.{secrets.token_urlsafe(4)}.{secrets.token_urlsafe(28)}"
        return First(
            {"application_id": digits(19), "token": token, "api": HERE}, {"public_key": public_key(token).hex()}
        )

    def post(self, seat: Seat, event: Json) -> Post:
        """An interaction: …/interactions/overview#setting-up-an-endpoint."""
        body, stamp = orjson.dumps(event["d"]), str(int(time.time()))
        proof = signer(seat.account["token"]).sign(stamp.encode() + body).hex()
        return Post(self.hook(seat), body, {"X-Signature-Ed25519": proof, "X-Signature-Timestamp": stamp})

    def new_id(self, chat: Chat) -> str:
        return str((int(1000 * time.time()) - EPOCH) << 22 | secrets.randbelow(1 << 22))

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        if "pressed" not in view:
            yield event("MESSAGE_CREATE", self.shown(chat, view))
            return
        row = {"type": 1, "components": [_button(one) for one in chat.views[view["reply_to"]]["choices"]]}
        stands = {"id": view["reply_to"], "channel_id": place_of(chat), "components": [row]}
        pressed = {"data": {"component_type": 2, "custom_id": view["pressed"]}, "message": stands}
        about = {"application_id": chat.account, "channel_id": place_of(chat), "context": 1, "user": _user(chat)}
        told = {"id": view["id"], "type": 3, "token": secrets.token_urlsafe(30), "version": 1}
        yield event("INTERACTION_CREATE", {**told, **about, **pressed})

    def edited(self, chat: Chat, view: Json) -> Iterator[Json]:
        yield event("MESSAGE_UPDATE", {**self.shown(chat, view), "edited_timestamp": _now()})

    def removed(self, chat: Chat, view: Json) -> Iterator[Json]:
        yield event("MESSAGE_DELETE", {"id": view["id"], "channel_id": place_of(chat)})

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> Iterator[Json]:
        about = {
            "user_id": chat.user,
            "channel_id": place_of(chat),
            "message_id": view["id"],
            "type": 0,
            "burst": False,
        }
        for kind, shown in (("REMOVE", view.get("reactions", {}).get("person")), ("ADD", emoji)):
            if shown:
                yield event(f"MESSAGE_REACTION_{kind}", {**about, "emoji": {"id": None, "name": shown}})

    def shown(self, chat: Chat, view: Json, **about: Any) -> Json:
        """…/resources/message#message-object."""
        answers = "reply_to" in view
        reply = {"type": 19, "message_reference": {"message_id": view["reply_to"]}} if answers else {"type": 0}
        files = [_attachment(self.api(chat), view["media"])] if "media" in view else []
        told = {"content": words_of(view), "attachments": files, "mentions": [], "embeds": [], "edited_timestamp": None}
        place = {"id": view["id"], "channel_id": place_of(chat), "author": _user(chat), "timestamp": _now()}
        return place | reply | told | about


def event(kind: str, told: Json) -> Json:
    return {"t": kind, "d": told}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00", time.gmtime())


def place_of(chat: Chat) -> str:
    return f"11{chat.user[2:]}"


def _user(chat: Chat) -> Json:
    return {"id": chat.user, "username": f"user{chat.user[-4:]}", "global_name": chat.name, "discriminator": "0"}


def bot(account: str) -> Json:
    return {"id": account, "username": "parley", "global_name": None, "discriminator": "0001", "bot": True}


def _attachment(api: str, media: Json) -> Json:
    about = {"id": media["id"], "filename": media["name"], "content_type": media["mime_type"], "size": media["size"]}
    return {**about, "url": f"{api}/attachments/{media['id']}"}


def _button(choice: Json) -> Json:
    return {"type": 2, "custom_id": choice["id"], "label": choice["title"]}
