"""What Apple tells: messages, what was picked, and that the chat was closed."""

from __future__ import annotations

import base64
import gzip
import hashlib
import secrets
import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, Final

import jwt
import orjson

from services.sandbox.chats import Chat
from services.sandbox.said import words_of
from services.sandbox.twins.proofs import b64
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import HERE, First, Post, Twin

Json = dict[str, Any]
PLACE: Final = "https://mmcs.example/"  # how attachments are called
FILE: Final = "\ufffc"
HEADS: Final = {"id": "id", "sourceId": "source-id", "destinationId": "destination-id"}
SHOWS: Final = "AUTH,AUTH2,FORM,LIST,QUICK,TIME"


class Tells(Twin):
    channel = "apple"
    name = "Apple Messages"
    key = "business_id"
    person = ("urn:mbid:AQAA", 20)
    can = ("media", "caption")
    offers = "beside"
    stranger = "token_of_another"
    malformed = "not_understood"
    gone = "picture_is_gone"

    @classmethod
    def first(cls) -> First:
        shared = {"msp_id": str(uuid.uuid4()), "secret": b64(secrets.token_bytes(32))}
        return First({"business_id": str(uuid.uuid4()), **shared, "api": HERE}, shared)

    def post(self, seat: Seat, event: Json) -> Post:
        """Packed, at /message behind the address."""
        claims = {"aud": seat.app["msp_id"], "iat": int(time.time())}
        token = {"Authorization": f"Bearer {jwt.encode(claims, key_of(seat.app), algorithm='HS256')}"}
        heads = {head: event[name] for name, head in HEADS.items()} | {"capability-list": SHOWS}
        packed = gzip.compress(orjson.dumps(event))
        return Post(f"{self.hook(seat)}/message", packed, {**token, **heads, "Content-Encoding": "gzip"})

    def new_id(self, chat: Chat) -> str:
        return str(uuid.uuid4())

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        if "pressed" in view:
            data = {"requestIdentifier": view["reply_to"], **_reply(chat.views[view["reply_to"]], view["pressed"])}
            yield event(chat, "interactive", view["id"], interactiveData={"data": data})
            return
        attachments = [self._attachment(view["media"])] if "media" in view else []
        more = {"attachments": attachments} if attachments else {}
        yield event(chat, "text", view["id"], body=words_of(view) + FILE * len(attachments), **more)

    def blocked(self, chat: Chat, *, blocked: bool) -> Iterable[Json]:
        """The chat was closed; that it is open again, only the next message says."""
        return [event(chat, "close", str(uuid.uuid4()))] if blocked else ()

    def _attachment(self, media: Json) -> Json:
        key = secrets.token_hex(32)
        self.shelf.put(f"key/{media['id']}", key)
        told = {"name": media["name"], "mimeType": media["mime_type"], "size": str(media["size"])}
        named = {"url": f"{PLACE}{media['id']}", "owner": media["id"], "signature": checksum(media["id"]).hex()}
        return {**told, **named, "key": f"00{key}"}


def key_of(settings: Json) -> bytes:
    return base64.b64decode(settings["secret"])


def checksum(name: str) -> bytes:
    return b"\x01" + hashlib.sha1(name.encode()).digest()  # noqa: S324 of a name, by nobody relied on


def event(chat: Chat, kind: str, name: str, **about: Any) -> Json:
    place = {"id": name, "v": 1, "type": kind, "sourceId": chat.user, "destinationId": chat.account}
    return {**place, "locale": "km_KH", **about}


def _reply(view: Json, pressed: str) -> Json:
    items = [{"identifier": choice["id"], "title": choice["title"]} for choice in view["choices"]]
    if view["asked"] == "quick-reply":
        return {"quick-reply": {"items": items, "selectedIdentifier": pressed}}
    return {"listPicker": {"sections": [{"items": [item for item in items if item["identifier"] == pressed]}]}}
