"""Apple Messages for Business in small — https://register.apple.com/resources/messages/msp-rest-api/."""

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
from aiohttp import web
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from services.sandbox.chats import Chat
from services.sandbox.files import download
from services.sandbox.said import choice_view, media_view, words_of
from services.sandbox.twins.proofs import b64
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import Call, Post, Twin

Json = dict[str, Any]
FRESH: Final = 300.0  # seconds of a token
PLACE: Final = "https://mmcs.example/"  # how attachments are called
FILE: Final = "\ufffc"
HEADS: Final = {"id": "id", "sourceId": "source-id", "destinationId": "destination-id"}
SHOWS: Final = "AUTH,AUTH2,FORM,LIST,QUICK,TIME"


class Apple(Twin):
    channel = "apple"
    name = "Apple Messages"
    key = "business_id"
    person = ("urn:mbid:AQAA", 20)
    can = ("media", "caption")
    offers = "beside"
    stranger = "token_of_another"
    malformed = "not_understood"
    gone = "picture_is_gone"

    def calls(self) -> Iterator[web.RouteDef]:
        yield self.call("POST", "/message", self._message, sends=True)
        yield self.call("GET", "/preUpload", self._pre_upload)
        yield self.call("GET", "/preDownload", self._pre_download)
        yield self.call("POST", "/mmcs/{id}", self._put, anyone=True, raw=True)
        yield self.call("GET", "/mmcs/{id}", self._get, anyone=True)

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        """A token that this MSP made just now, for one of its businesses."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(token, _key(seat.account), algorithms=["HS256"], issuer=seat.account["msp_id"])
            fresh = abs(time.time() - claims["iat"]) < FRESH
        except (jwt.PyJWTError, LookupError, TypeError, ValueError):
            return False
        return fresh and request.headers.get("source-id") == self.id_of(seat)

    # what the adapter is told

    def post(self, seat: Seat, event: Json) -> Post:
        """Packed, at /message behind the address."""
        claims = {"aud": seat.app["msp_id"], "iat": int(time.time())}
        token = {"Authorization": f"Bearer {jwt.encode(claims, _key(seat.app), algorithm='HS256')}"}
        heads = {head: event[name] for name, head in HEADS.items()} | {"capability-list": SHOWS}
        packed = gzip.compress(orjson.dumps(event))
        return Post(f"{self.hook(seat)}/message", packed, {**token, **heads, "Content-Encoding": "gzip"})

    def new_id(self, chat: Chat) -> str:
        return str(uuid.uuid4())

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        if "pressed" in view:
            data = {"requestIdentifier": view["reply_to"], **_reply(chat.views[view["reply_to"]], view["pressed"])}
            yield _event(chat, "interactive", view["id"], interactiveData={"data": data})
            return
        attachments = [self._attachment(view["media"])] if "media" in view else []
        more = {"attachments": attachments} if attachments else {}
        yield _event(chat, "text", view["id"], body=words_of(view) + FILE * len(attachments), **more)

    def blocked(self, chat: Chat, *, blocked: bool) -> Iterable[Json]:
        """The chat was closed; that it is open again, only the next message says."""
        return [_event(chat, "close", str(uuid.uuid4()))] if blocked else ()

    def _attachment(self, media: Json) -> Json:
        key = secrets.token_hex(32)
        self.shelf.put(f"key/{media['id']}", key)
        told = {"name": media["name"], "mimeType": media["mime_type"], "size": str(media["size"])}
        named = {"url": f"{PLACE}{media['id']}", "owner": media["id"], "signature": _checksum(media["id"]).hex()}
        return {**told, **named, "key": f"00{key}"}

    # what the adapter calls

    def _message(self, call: Call) -> web.Response:
        values, heads = call.values, call.request.headers
        if values["v"] != 1 or any(values[name] != heads.get(head) for name, head in HEADS.items()):
            raise self.no("not_understood")
        chat = self.chats.get(self.id_of(call.seat), values["destinationId"])
        if chat is None or chat.blocked:
            raise self.no("chat_is_closed" if chat else "nobody_of_that_id")
        match values["type"]:
            case "typing_start":
                chat.types()
            case "text":
                files = [self._received(chat, one) for one in values.get("attachments", ())]
                words = str(values["body"]).replace(FILE, "")
                self.show_files(chat, {"id": values["id"], "text": words}, files)
            case "interactive":
                self.show(chat, {"id": values["id"], **_question(values["interactiveData"])})
            case _:
                raise self.no("not_understood")
        return web.Response()

    def _pre_upload(self, call: Call) -> Json:
        name, heads = secrets.token_hex(12), call.request.headers
        self.shelf.put(f"promised/{name}", int(heads["MMCS-Size"]))
        address = f"{call.seat.account['api']}/mmcs/{name}"
        return {"upload-url": address, "mmcs-url": PLACE + name, "mmcs-owner": name}

    def _put(self, call: Call) -> Json:
        name = call.path["id"]
        if self.shelf.get(f"promised/{name}") != len(call.body):
            raise self.no("not_understood")
        self.files.keep(call.body, owner="", mime_type="application/octet-stream", name=name, file_id=name)
        return {"singleFile": {"fileChecksum": b64(_checksum(name))}}

    def _received(self, chat: Chat, told: Json) -> Json:
        """What was uploaded, as only the reader's key opens it."""
        name = told["url"].removeprefix(PLACE)
        if (told["owner"], told["signature-base64"]) != (name, b64(_checksum(name))):
            raise self.no("not_understood")
        data = _crypted(self.files.data(self.file(name)), bytes.fromhex(told["key"][2:]))
        return media_view(self.files.keep(data, owner=chat.account, mime_type=told["mimeType"], name=told["name"]))

    def _pre_download(self, call: Call) -> Json:
        name, heads = call.request.headers["MMCS-Owner"], call.request.headers
        if (heads["MMCS-Url"], heads["MMCS-Signature"]) != (PLACE + name, b64(_checksum(name))):
            raise self.no("picture_is_gone")
        return {"download-url": f"{call.seat.account['api']}/mmcs/{name}"}

    def _get(self, call: Call) -> web.Response:
        data, key = self.files.data(self.file(call.path["id"])), self.shelf.get(f"key/{call.path['id']}")
        return download(_crypted(data, bytes.fromhex(key)), "application/octet-stream")


def _key(settings: Json) -> bytes:
    return base64.b64decode(settings["secret"])


def _checksum(name: str) -> bytes:
    return b"\x01" + hashlib.sha1(name.encode()).digest()  # noqa: S324 of a name, by nobody relied on


def _crypted(data: bytes, key: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor().update(data)


def _event(chat: Chat, kind: str, name: str, **about: Any) -> Json:
    place = {"id": name, "v": 1, "type": kind, "sourceId": chat.user, "destinationId": chat.account}
    return {**place, "locale": "km_KH", **about}


def _question(told: Json) -> Json:
    data = told["data"]
    if quick := data.get("quick-reply"):
        return {"text": quick["summaryText"], "choices": _choices(quick["items"]), "asked": "quick-reply"}
    items = [item for section in data["listPicker"]["sections"] for item in section["items"]]
    bubble = told["receivedMessage"]
    words = " ".join(filter(None, (bubble["title"], bubble.get("subtitle"))))
    return {"text": words, "choices": _choices(items), "asked": "listPicker"}


def _choices(items: list[Json]) -> list[Json]:
    return [choice_view(item["identifier"], item["title"]) for item in items]


def _reply(view: Json, pressed: str) -> Json:
    items = [{"identifier": choice["id"], "title": choice["title"]} for choice in view["choices"]]
    if view["asked"] == "quick-reply":
        return {"quick-reply": {"items": items, "selectedIdentifier": pressed}}
    return {"listPicker": {"sections": [{"items": [item for item in items if item["identifier"] == pressed]}]}}
