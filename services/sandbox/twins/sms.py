"""Twilio in small — https://www.twilio.com/docs/messaging/api/message-resource."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, urldefrag, urlencode

from aiohttp import web

from services.sandbox.access import same
from services.sandbox.chats import Chat
from services.sandbox.said import words_of
from services.sandbox.twins.proofs import b64, mac
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import Call, Post, Twin
from shared.contract.segments import segments
from shared.dialects.sms import FILES, word_of

Json = dict[str, Any]
AT: Final = "/2010-04-01/Accounts/{sid}"
LONGEST: Final = 1600


class Sms(Twin):
    channel = "sms"
    name = "SMS"
    key = "number"
    person = ("+855", 8)
    can = ("media", "caption")
    gone = "file_is_gone"

    def calls(self) -> Iterator[web.RouteDef]:
        yield self.call("GET", f"{AT}/IncomingPhoneNumbers.json", self._numbers)
        yield self.call("POST", f"{AT}/IncomingPhoneNumbers/{{number}}.json", self._number)
        yield self.call("GET", f"{AT}/Messages/{{message}}/Media/{{id}}", self.serve)
        yield self.call("POST", f"{AT}/Messages.json", self._send, sends=True, raw=True)

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        sid = str(seat.account.get("sid"))
        pair = base64.b64encode(f"{sid}:{seat.account.get('token')}".encode()).decode()
        return request.match_info["sid"] == sid and same(request.headers.get("Authorization", ""), f"Basic {pair}")

    # what the adapter is told

    def post(self, seat: Seat, event: Json) -> Post:
        """To the number's webhook, or where the message said; what stands behind # is for Twilio itself."""
        url = urldefrag(event["url"] or self.hook(seat)).url
        fields = {**event["fields"], "AccountSid": seat.account["sid"], "ApiVersion": "2010-04-01"}
        signed = url + "".join(name + fields[name] for name in sorted(fields))
        proof = b64(mac(seat.app["token"], signed.encode(), hashlib.sha1))
        kind = "application/x-www-form-urlencoded; charset=UTF-8"
        return Post(url, urlencode(fields).encode(), {"Content-Type": kind, "X-Twilio-Signature": proof})

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

    def _numbers(self, call: Call) -> Json:
        number = self.id_of(call.seat)
        found = call.values.get("PhoneNumber") == number
        return {"incoming_phone_numbers": [{"sid": f"PN{number[1:]}", "phone_number": number}] if found else []}

    def _number(self, call: Call) -> Json:
        self.set_hook(call.seat, call.values["SmsUrl"])
        return {"sid": call.path["number"]}

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
