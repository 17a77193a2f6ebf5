"""Telnyx in small — https://developers.telnyx.com/docs/messaging."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.sandbox.access import same
from services.sandbox.bodies import read_values
from services.sandbox.chats import Chat
from services.sandbox.files import download
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import No, Post, Twin
from shared.contract.envelope import kind_of
from shared.contract.segments import segments
from shared.dialects.sms import FILES, SEGMENTS, word_of

Json = dict[str, Any]
BLOCKED: Final = ("40300", "Blocked due to STOP message")
NO_NUMBER: Final = ("40310", "Invalid 'to' address")


class Telnyx(Twin):
    channel = "telnyx"
    name = "SMS (Telnyx)"
    person = ("+855", 8)

    @staticmethod
    def id_of(seat: Seat) -> str:
        return str(seat.account["number"])

    def calls(self) -> list[web.RouteDef]:
        return [
            self.call("PATCH", "/v2/messaging_profiles/{profile}", self._profile),
            self.call("POST", "/v2/messages", self._send, sends=True),
            self.call("GET", "/media/{id}", self._file),
        ]

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        return same(request.headers.get("Authorization", ""), f"Bearer {seat.account.get('token', '')}")

    def unknown(self) -> No:
        return _no("10009", "Authentication failed", 401)

    # what the adapter is told

    def post(self, seat: Seat, event: Json) -> Post:
        """Signed with the key that stands beside the token, as the accounts of the first start have it."""
        url = event["url"] or self.shelf.get(f"hook/{self.id_of(seat)}") or self.hook(seat)
        body, stamp = (
            orjson.dumps({"data": event["data"], "meta": {"attempt": 1, "delivered_to": url}}),
            int(time.time()),
        )
        signature = _key(str(seat.account["token"])).sign(f"{stamp}|".encode() + body)
        headers = {"Telnyx-Timestamp": str(stamp), "Telnyx-Signature-Ed25519": base64.b64encode(signature).decode()}
        return Post(url, body, {"Content-Type": "application/json", **headers})

    def new_id(self, chat: Chat) -> str:
        return str(uuid.uuid4())

    def said(self, chat: Chat, view: Json) -> None:
        """Whoever writes STOP gets no more until they write START."""
        seat, text = self.seat(chat.account), view.get("text") or view.get("caption") or ""
        if (word := word_of(text)) in {"stop", "start"}:
            chat.remember(stopped=word == "stop")
        base = seat.account["api"] if seat else ""
        media = [
            {"url": f"{base}/media/{file['id']}", "content_type": file["mime_type"], "size": file["size"]}
            for file in ([view["media"]] if "media" in view else [])
        ]
        about = {"id": view["id"], "direction": "inbound", "from": _phone(chat.user), "to": [_phone(chat.account)]}
        self._event(chat, "message.received", {**about, "cc": [], "text": text, "media": media})

    def _event(self, chat: Chat, kind: str, payload: Json, url: str = "") -> None:
        size = {
            "type": "MMS" if payload["media"] else "SMS",
            "parts": segments(payload["text"] or ""),
            "encoding": "UCS-2",
        }
        data = {"event_type": kind, "id": str(uuid.uuid4()), "occurred_at": datetime.now(UTC).isoformat()}
        self.tell(chat, {"url": url, "data": {**data, "payload": {**size, "errors": [], **payload}}})

    # what the adapter calls

    async def _profile(self, seat: Seat, request: web.Request) -> Json:
        self.shelf.put(f"hook/{self.id_of(seat)}", (await read_values(request))["webhook_url"])
        return {"data": {"id": request.match_info["profile"]}}

    async def _file(self, seat: Seat, request: web.Request) -> web.Response:
        if (file := self.files.get(request.match_info["id"])) is None:
            raise _no("10005", "Resource not found", 404)
        return download(self.files.data(file), file.mime_type)

    async def _send(self, seat: Seat, request: web.Request) -> Json:
        values = await read_values(request)
        text, links = values.get("text") or "", values.get("media_urls") or []
        chat = self.reached(seat, values.get("to", ""), _no(*NO_NUMBER))
        if chat.about.get("stopped"):
            raise _no(*BLOCKED)
        if segments(text) > SEGMENTS:
            raise _no("40302", "Message too large")
        if values.get("from") != self.id_of(seat) or not (text or links) or len(links) > FILES:
            raise _no("10004", "Missing required parameter")
        name, media = str(uuid.uuid4()), [await self._fetched(chat, link) for link in links]
        for number, file in enumerate(media[1:], 1):
            chat.show({"id": f"{name}-{number}", "direction": "in", "status": "sent", "media": file})
        self.show(chat, {"id": name, **({"text": text} if text else {}), **({"media": media[0]} if media else {})})
        about = {"id": name, "direction": "outbound", "from": _phone(chat.account), "text": text, "media": links}
        for kind, status in (("message.sent", "sent"), ("message.finalized", "delivered")):
            cost = {"amount": "0.0051", "currency": "USD"}
            payload = {**about, "to": [{**_phone(chat.user), "status": status}], "cost": cost}
            self._event(chat, kind, payload, values.get("webhook_url", ""))
        return {"data": {**about, "to": [{**_phone(chat.user), "status": "queued"}]}}

    async def _fetched(self, chat: Chat, link: str) -> Json:
        media = await self.fetched(chat, link, "file")
        return {**media, "kind": kind_of(media["mime_type"])}


def public_key(token: str) -> str:
    """Of the key with which this Telnyx signs for whoever has the token; the accounts of the first start have it."""
    return base64.b64encode(_key(token).public_key().public_bytes_raw()).decode()


def _key(token: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(token.encode()).digest())


def _phone(number: str) -> Json:
    return {"phone_number": number, "carrier": "", "line_type": "Wireless"}


def _no(code: str, title: str, status: int = 400) -> No:
    return No(status, {"errors": [{"code": code, "title": title, "detail": title}]})
