"""Twilio in small — https://www.twilio.com/docs/messaging/api/message-resource."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

from aiohttp import web

from services.sandbox.chats import Chat
from services.sandbox.said import words_of
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twilio import AT, Twilio
from services.sandbox.twins.twin import Call, Post
from shared.contract.segments import segments
from shared.dialects.sms import FILES, word_of

Json = dict[str, Any]
LONGEST: Final = 1600


class Sms(Twilio):
    channel = "sms"
    name = "SMS"
    can = ("media", "caption")
    hook_field = "SmsUrl"

    def calls(self) -> Iterator[web.RouteDef]:
        yield from self.numbers()
        yield self.call("GET", f"{AT}/Messages/{{message}}/Media/{{id}}", self.serve)
        yield self.call("POST", f"{AT}/Messages.json", self._send, sends=True, raw=True)

    # what the adapter is told

    def post(self, seat: Seat, event: Json) -> Post:
        return self.form(seat, event["url"], event["fields"])

    def new_id(self, chat: Chat) -> str:
        return f"SM{secrets.token_hex(16)}"

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        """Whoever writes STOP gets no more until they write START."""
        text = words_of(view)
        if (word := word_of(text)) in {"stop", "start"}:
            chat.remember(stopped=word == "stop")
        fields = dict.fromkeys(("MessageSid", "SmsSid", "SmsMessageSid"), view["id"])
        fields |= {"SmsStatus": "received", "From": chat.user, "To": chat.account, "Body": text}
        fields |= {"NumMedia": str(int("media" in view)), "NumSegments": str(segments(text))}
        if seat := self.seat(chat.account) if "media" in view else None:
            place = f"{seat.account['api']}{AT.format(sid=seat.account['sid'])}/Messages/{view['id']}"
            fields["MediaUrl0"] = f"{place}/Media/{view['media']['id']}"
            fields["MediaContentType0"] = view["media"]["mime_type"]
        yield {"url": "", "fields": fields}

    # what the adapter calls

    async def _send(self, call: Call) -> web.Response:
        pairs = parse_qsl(call.body.decode(), keep_blank_values=True, max_num_fields=64)
        fields, links = dict(pairs), [value for name, value in pairs if name == "MediaUrl"]
        chat = self.reached(call, fields["To"], self.no("no_number"))
        if chat.about.get("stopped"):
            raise self.no("opted_out")
        text = fields.get("Body", "")
        if len(text) > LONGEST:
            raise self.no("too_long")
        if fields["From"] != self.id_of(call.seat) or not (text or links) or len(links) > FILES:
            raise self.no("malformed")
        sid = f"{'MM' if links else 'SM'}{secrets.token_hex(16)}"
        files = [await self.fetched(chat, link) for link in links]
        self.show_files(chat, {"id": sid, "text": text}, files)
        for status in ("sent", "delivered") if fields.get("StatusCallback") else ():
            told = {"MessageSid": sid, "SmsSid": sid, "MessageStatus": status, "SmsStatus": status}
            told |= {"From": chat.account, "To": chat.user}
            self.tell(chat, {"url": fields["StatusCallback"], "fields": told})
        return web.json_response({"sid": sid, "status": "queued", "num_segments": str(segments(text))}, status=201)
