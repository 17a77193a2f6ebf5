"""What TikTok tells: messages, reactions and what was read — https://business-api.tiktok.com/portal/docs?id=1832190670631937."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any, Final

import orjson

from services.sandbox.chats import Chat
from services.sandbox.refusals import Refused
from services.sandbox.twins.proofs import mac
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import HERE, First, Post, Twin, digits

Json = dict[str, Any]
KINDS: Final = ("image", "video", "sticker")


class Tells(Twin):
    channel = "tiktok"
    family = "social"
    name = "TikTok"
    key = "business_id"
    person = ("tt-", 12)
    can = ("media", "reply")
    emoji = ("❤️", "😂", "👍")

    @classmethod
    def first(cls) -> First:
        app, secret = digits(19), secrets.token_hex(20)
        client = {"client_id": app, "client_secret": secret, "refresh_token": f"rft.{secrets.token_urlsafe(48)}"}
        return First(
            {"business_id": f"_000{secrets.token_urlsafe(24)}", **client, "api": HERE},
            {"app_id": app, "secret": secret},
        )

    def post(self, seat: Seat, event: Json) -> Post:
        about = {"client_key": seat.app["app_id"], "create_time": int(time.time()), "user_openid": self.id_of(seat)}
        body = orjson.dumps({**about, "event": event["event"], "content": orjson.dumps(event["content"]).decode()})
        at = str(int(time.time()))
        proof = mac(seat.app["secret"], f"{at}.".encode() + body).hex()
        return Post(self.hook(seat), body, {"Tiktok-Signature": f"t={at},s={proof}"})

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        yield self._event(chat, "im_receive_msg", message_id=view["id"], **self._content(chat, view))

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> Iterator[Json]:
        before = view.get("reactions", {}).get("person")
        for operation, one in (("REMOVE", before), ("ADD", emoji)):
            if one and before != emoji:
                about = {"operation": operation, "type": "EMOJI", "emoji": one, "timestamp": _now()}
                entry = {**about, "unique_identifier": chat.user, "original_msg_id": view["id"]}
                yield self._event(
                    chat, "im_receive_msg", message_id=self.new_id(chat), type="reaction", reaction=[entry]
                )

    def read(self, chat: Chat, views: list[Json]) -> Iterator[Json]:
        yield self._event(chat, "im_mark_read_msg", read={"last_read_timestamp": _now()})

    def _event(self, chat: Chat, event: str, **content: Any) -> Json:
        both = (chat.user, "personal_account"), (chat.account, "business_account")
        (one, role), (other, their) = both[::-1] if event == "im_send_msg" else both
        names = {"from": f"@{one[-6:]}", "to": f"@{other[-6:]}", "unique_identifier": chat.user}
        users = {"from_user": {"id": one, "role": role}, "to_user": {"id": other, "role": their}}
        return {
            "event": event,
            "content": {**names, **users, "conversation_id": conversation_of(chat), "timestamp": _now(), **content},
        }

    def _content(self, chat: Chat, view: Json) -> Json:
        """A press comes as the words that were pressed."""
        above = {"referenced_message_info": {"referenced_message_id": view["reply_to"]}} if "reply_to" in view else {}
        if file := view.get("media"):
            if file["kind"] not in KINDS:
                raise Refused(400, "TikTok sends pictures, films and stickers")
            where = (
                {"url": f"{self.api(chat)}/kept/{file['id']}"}
                if file["kind"] == "sticker"
                else {"media_id": file["id"]}
            )
            return {"type": file["kind"], file["kind"]: where, **above}
        if pressed := view.get("pressed"):
            above = {
                "reply_source_payload": {"reply_source_msg_id": view["reply_to"], "reply_source_unique_id": pressed}
            }
        return {"type": "text", "text": {"body": view["text"]}, **above}


def conversation_of(chat: Chat) -> str:
    return f"{chat.user}=="


def _now() -> int:
    return int(1000 * time.time())
