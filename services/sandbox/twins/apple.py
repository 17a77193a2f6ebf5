"""Apple Messages for Business in small — https://register.apple.com/resources/messages/msp-rest-api/."""

from __future__ import annotations

import base64
import gzip
import hashlib
import secrets
import time
import uuid
from typing import Any, Final

import jwt
import orjson
from aiohttp import web
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from services.sandbox.bodies import UPLOAD_BYTES, read_values
from services.sandbox.chats import Chat
from services.sandbox.files import download
from services.sandbox.refusals import Refused
from services.sandbox.said import media_view
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import No, Post, Twin
from shared.runtime.port import body_of

Json = dict[str, Any]
FRESH: Final = 300.0  # seconds of a token
PLACE: Final = "https://mmcs.example/"  # how attachments are called
FILE: Final = "\ufffc"
SHOWS: Final = "AUTH,AUTH2,FORM,LIST,QUICK,TIME"
KINDS: Final = ("image", "audio", "video")


class Apple(Twin):
    channel = "apple"
    name = "Apple Messages"
    person = ("urn:mbid:AQAA", 20)
    can = ("caption",)
    offers = "beside"

    @staticmethod
    def id_of(seat: Seat) -> str:
        return str(seat.account["business_id"])

    def calls(self) -> list[web.RouteDef]:
        return [
            self.call("POST", "/message", self._message, sends=True),
            self.call("GET", "/preUpload", self._pre_upload),
            self.call("GET", "/preDownload", self._pre_download),
            web.post("/apple/mmcs/{id}", self._put),
            web.get("/apple/mmcs/{id}", self._get),
        ]

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        """A token that this MSP made just now, for one of its businesses."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(token, _key(seat.account), algorithms=["HS256"], issuer=seat.account["msp_id"])
            fresh = abs(time.time() - claims["iat"]) < FRESH
        except (jwt.PyJWTError, LookupError, TypeError, ValueError):
            return False
        return fresh and request.headers.get("source-id") == self.id_of(seat)

    def unknown(self) -> No:
        return No(403)

    # what the adapter is told

    def post(self, seat: Seat, event: Json) -> Post:
        """Packed, at /message behind the address."""
        claims = {"aud": seat.app["msp_id"], "iat": int(time.time())}
        headers = {
            "Authorization": f"Bearer {jwt.encode(claims, _key(seat.app), algorithm='HS256')}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "id": event["id"],
            "source-id": event["sourceId"],
            "destination-id": event["destinationId"],
            "capability-list": SHOWS,
        }
        return Post(f"{self.hook(seat)}/message", gzip.compress(orjson.dumps(event)), headers)

    def new_id(self, chat: Chat) -> str:
        return str(uuid.uuid4())

    def said(self, chat: Chat, view: Json) -> None:
        if "pressed" in view:
            data = {"requestIdentifier": view["reply_to"], **_reply(chat.views[view["reply_to"]], view["pressed"])}
            self._event(chat, "interactive", view["id"], interactiveData={"data": data})
            return
        attachments = [self._attachment(view["media"])] if "media" in view else []
        words = view.get("text") or view.get("caption") or ""
        if not words and not attachments:
            raise Refused(400, "a person sends words and files here")
        more = {"attachments": attachments} if attachments else {}
        self._event(chat, "text", view["id"], body=words + FILE * len(attachments), **more)

    def blocked(self, chat: Chat, *, blocked: bool) -> None:
        """The chat was closed; that it is open again, only the next message says."""
        if blocked:
            self._event(chat, "close", str(uuid.uuid4()))

    def _event(self, chat: Chat, kind: str, name: str, **about: Any) -> None:
        place = {"id": name, "v": 1, "type": kind, "sourceId": chat.user, "destinationId": chat.account}
        self.tell(chat, {**place, "locale": "km_KH", **about})

    def _attachment(self, media: Json) -> Json:
        key = secrets.token_bytes(32)
        self.shelf.put(f"key/{media['id']}", key.hex())
        told = {"name": media["name"], "mimeType": media["mime_type"], "size": str(media["size"])}
        named = {"url": f"{PLACE}{media['id']}", "owner": media["id"], "signature": _checksum(media["id"]).hex()}
        return {**told, **named, "key": f"00{key.hex()}"}

    # what the adapter calls

    async def _message(self, seat: Seat, request: web.Request) -> web.Response:
        values = await read_values(request)
        told = {"id": "id", "sourceId": "source-id", "destinationId": "destination-id"}
        if values.get("v") != 1 or any(values.get(name) != request.headers.get(head) for name, head in told.items()):
            raise No(400, "the head and the body say different things")
        chat = self.chats.get(self.id_of(seat), str(values["destinationId"]))
        if chat is None:
            raise No(404)
        if chat.blocked:
            raise No(410)
        if values.get("type") == "typing_start":
            chat.types()
        else:
            for view in self._views(chat, values):
                self.show(chat, {"id": values["id"], **view})
        return web.Response()

    def _views(self, chat: Chat, values: Json) -> list[Json]:
        """The words, then each file under a name of its own."""
        match values.get("type"):
            case "text":
                words = str(values["body"]).replace(FILE, "")
                files = [{"media": self._received(chat, one)} for one in values.get("attachments", ())]
                views: list[Json] = [*([{"text": words}] if words else []), *files]
                return [{**view, "id": f"{values['id']}{f'.{n}' if n else ''}"} for n, view in enumerate(views)]
            case "interactive":
                return [_question(values["interactiveData"])]
        raise No(400, "no such type")

    async def _pre_upload(self, seat: Seat, request: web.Request) -> Json:
        name = secrets.token_hex(12)
        self.shelf.put(f"promised/{name}", int(request.headers["MMCS-Size"]))
        return {
            "upload-url": f"{request.scheme}://{request.host}/apple/mmcs/{name}",
            "mmcs-url": PLACE + name,
            "mmcs-owner": name,
        }

    async def _put(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        async with body_of(request, UPLOAD_BYTES) as data:
            if self.shelf.get(f"promised/{name}") != len(data):
                return web.Response(status=400)
            self.files.keep(data, owner="", mime_type="application/octet-stream", name=name, file_id=name)
        checksum = base64.b64encode(_checksum(name)).decode()
        return web.json_response({"singleFile": {"fileChecksum": checksum}})

    def _received(self, chat: Chat, attachment: Json) -> Json:
        """What was uploaded, as only the reader's key opens it."""
        name = str(attachment["url"]).removeprefix(PLACE)
        file = self.files.get(name)
        known = (
            attachment["owner"] == name and attachment["signature-base64"] == base64.b64encode(_checksum(name)).decode()
        )
        if file is None or not known:
            raise No(400, "no such attachment")
        data = _crypted(self.files.data(file), bytes.fromhex(attachment["key"][2:]))
        kept = self.files.keep(data, owner=chat.account, mime_type=attachment["mimeType"], name=attachment["name"])
        kind = kept.mime_type.partition("/")[0]
        return media_view(kept, kind if kind in KINDS else "file")

    async def _pre_download(self, seat: Seat, request: web.Request) -> Json:
        name = request.headers["MMCS-Owner"]
        checksum = base64.b64encode(_checksum(name)).decode()
        if request.headers["MMCS-Url"] != PLACE + name or request.headers["MMCS-Signature"] != checksum:
            raise No(404)
        return {"download-url": f"{request.scheme}://{request.host}/apple/mmcs/{name}"}

    async def _get(self, request: web.Request) -> web.Response:
        file, key = self.files.get(request.match_info["id"]), self.shelf.get(f"key/{request.match_info['id']}")
        if file is None or key is None:
            return web.Response(status=404)
        return download(_crypted(self.files.data(file), bytes.fromhex(key)), "application/octet-stream")


def _key(settings: Json) -> bytes:
    return base64.b64decode(settings["secret"])


def _checksum(name: str) -> bytes:
    return b"\x01" + hashlib.sha1(name.encode()).digest()  # noqa: S324 of a name, by nobody relied on


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
    return [{"id": item["identifier"], "title": item["title"]} for item in items]


def _reply(view: Json, pressed: str) -> Json:
    items = [{"identifier": choice["id"], "title": choice["title"]} for choice in view["choices"]]
    if view["asked"] == "quick-reply":
        return {"quick-reply": {"items": items, "selectedIdentifier": pressed}}
    picked = [item for item in items if item["identifier"] == pressed]
    return {"listPicker": {"sections": [{"items": picked}]}}
