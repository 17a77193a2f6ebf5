"""Telnyx in small — https://developers.telnyx.com/docs/messaging."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiohttp import web

from services.sandbox.chats import Chat
from services.sandbox.said import words_of
from services.sandbox.twins.proofs import b64, public_key, signer
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import HERE, Call, First, Post, Twin, digits
from shared.contract.segments import segments
from shared.dialects.sms import FILES, SEGMENTS, word_of

Json = dict[str, Any]
COST: Final = {"amount": "0.0051", "currency": "USD"}


class Telnyx(Twin):
    channel = "telnyx"
    name = "SMS (Telnyx)"
    key = "number"
    person = ("+855", 8)
    can = ("media", "caption")
    stranger = "bad_key"

    @classmethod
    def first(cls) -> First:
        token = f"KEY{secrets.token_urlsafe(32)}"
        sender = {"number": f"+1{digits(10)}", "mms": True, "per_second": 100}
        return First(
            {**sender, "token": token, "profile": str(uuid.uuid4()), "api": HERE},
            {"public_key": b64(public_key(token))},
        )

    def calls(self) -> Iterator[web.RouteDef]:
        yield self.call("PATCH", "/v2/messaging_profiles/{profile}", self._profile)
        yield self.call("POST", "/v2/messages", self._send, sends=True)
        yield self.call("GET", "/media/{id}", self.serve)

    # what the adapter is told

    def post(self, seat: Seat, event: Json) -> Post:
        """Signed with the key that stands beside the token, as the accounts of the first start have it."""
        url, stamp = event["url"] or self.hook(seat), str(int(time.time()))
        body = orjson.dumps({"data": event["data"], "meta": {"attempt": 1, "delivered_to": url}})
        signature = b64(signer(seat.account["token"]).sign(f"{stamp}|".encode() + body))
        return Post(url, body, {"Telnyx-Timestamp": stamp, "Telnyx-Signature-Ed25519": signature})

    def new_id(self, chat: Chat) -> str:
        return str(uuid.uuid4())

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        """Whoever writes STOP gets no more until they write START."""
        text = words_of(view)
        if (word := word_of(text)) in {"stop", "start"}:
            chat.remember(stopped=word == "stop")
        files = [view["media"]] if "media" in view else []
        media = [
            {"url": f"{self.api(chat)}/media/{file['id']}", "content_type": file["mime_type"], "size": file["size"]}
            for file in files
        ]
        about = {"id": view["id"], "direction": "inbound", "from": _phone(chat.user), "to": [_phone(chat.account)]}
        yield _event("message.received", {**about, "cc": [], "text": text, "media": media})

    # what the adapter calls

    def _profile(self, call: Call) -> Json:
        self.set_hook(call.seat, call.values["webhook_url"])
        return {"data": {"id": call.path["profile"]}}

    async def _send(self, call: Call) -> Json:
        text, links = call.values.get("text") or "", call.values.get("media_urls") or []
        chat = self.reached(call, call.values["to"], self.no("no_number"))
        if chat.about.get("stopped"):
            raise self.no("opted_out")
        if segments(text) > SEGMENTS:
            raise self.no("too_long")
        if call.values["from"] != self.id_of(call.seat):
            raise self.no("not_allowed")
        if not (text or links) or len(links) > FILES:
            raise self.no("malformed")
        name, files = str(uuid.uuid4()), [await self.fetched(chat, link) for link in links]
        self.show_files(chat, {"id": name, "text": text}, files)
        about = {"id": name, "direction": "outbound", "from": _phone(chat.account), "text": text, "media": links}
        for kind, status in (("message.sent", "sent"), ("message.finalized", "delivered")):
            payload = {**about, "to": [{**_phone(chat.user), "status": status}], "cost": COST}
            self.tell(chat, _event(kind, payload, call.values.get("webhook_url", "")))
        return {"data": {**about, "to": [{**_phone(chat.user), "status": "queued"}]}}


def _event(kind: str, payload: Json, url: str = "") -> Json:
    size = {"type": "MMS" if payload["media"] else "SMS", "parts": segments(payload["text"]), "encoding": "UCS-2"}
    about = {"event_type": kind, "id": str(uuid.uuid4()), "occurred_at": datetime.now(UTC).isoformat()}
    return {"url": url, "data": {**about, "payload": {**size, "errors": [], **payload}}}


def _phone(number: str) -> Json:
    return {"phone_number": number, "carrier": "", "line_type": "Wireless"}
