"""Apple Messages for Business in small — https://register.apple.com/resources/messages/msp-rest-api/."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any, Final

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from services.sandbox.chats import Chat
from services.sandbox.files import download
from services.sandbox.said import choice_view, media_view
from services.sandbox.twins.apple.events import FILE, HEADS, PLACE, Tells, checksum, key_of
from services.sandbox.twins.proofs import b64
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import Call

Json = dict[str, Any]
FRESH: Final = 300.0  # seconds of a token


class Apple(Tells):
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
            claims = jwt.decode(token, key_of(seat.account), algorithms=["HS256"], issuer=seat.account["msp_id"])
            fresh = abs(time.time() - claims["iat"]) < FRESH
        except (jwt.PyJWTError, LookupError, TypeError, ValueError):
            return False
        return fresh and request.headers.get("source-id") == self.id_of(seat)

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
        return {"singleFile": {"fileChecksum": b64(checksum(name))}}

    def _received(self, chat: Chat, told: Json) -> Json:
        """What was uploaded, as only the reader's key opens it."""
        name = told["url"].removeprefix(PLACE)
        if (told["owner"], told["signature-base64"]) != (name, b64(checksum(name))):
            raise self.no("not_understood")
        data = _crypted(self.files.data(self.file(name)), bytes.fromhex(told["key"][2:]))
        return media_view(self.files.keep(data, owner=chat.account, mime_type=told["mimeType"], name=told["name"]))

    def _pre_download(self, call: Call) -> Json:
        name, heads = call.request.headers["MMCS-Owner"], call.request.headers
        if (heads["MMCS-Url"], heads["MMCS-Signature"]) != (PLACE + name, b64(checksum(name))):
            raise self.no("picture_is_gone")
        return {"download-url": f"{call.seat.account['api']}/mmcs/{name}"}

    def _get(self, call: Call) -> web.Response:
        data, key = self.files.data(self.file(call.path["id"])), self.shelf.get(f"key/{call.path['id']}")
        return download(_crypted(data, bytes.fromhex(key)), "application/octet-stream")


def _crypted(data: bytes, key: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor().update(data)


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
