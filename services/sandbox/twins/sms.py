"""Twilio in small — https://www.twilio.com/docs/messaging/api/message-resource."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Any, Final
from urllib.parse import parse_qsl, urldefrag, urlencode

from aiohttp import web

from services.sandbox.access import same
from services.sandbox.bodies import read_bytes
from services.sandbox.chats import Chat
from services.sandbox.files import download
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import No, Post, Twin
from shared.contract.envelope import kind_of
from shared.contract.segments import segments
from shared.dialects.sms import word_of

Json = dict[str, Any]
AT: Final = "/2010-04-01/Accounts/{sid}"
LONGEST: Final = 1600
FILES: Final = 10


class Sms(Twin):
    channel = "sms"
    name = "SMS"
    person = ("+855", 8)

    @staticmethod
    def id_of(seat: Seat) -> str:
        return str(seat.account["number"])

    def calls(self) -> list[web.RouteDef]:
        return [
            self.call("GET", f"{AT}/IncomingPhoneNumbers.json", self._numbers),
            self.call("POST", f"{AT}/IncomingPhoneNumbers/{{number}}.json", self._number),
            self.call("GET", f"{AT}/Messages/{{message}}/Media/{{id}}", self._file),
            self.call("POST", f"{AT}/Messages.json", self._send, sends=True),
        ]

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        sid = str(seat.account.get("sid"))
        pair = base64.b64encode(f"{sid}:{seat.account.get('token')}".encode()).decode()
        return request.match_info["sid"] == sid and same(request.headers.get("Authorization", ""), f"Basic {pair}")

    def unknown(self) -> No:
        return _no(20003, "Authenticate", 401)

    # what the adapter is told

    def post(self, seat: Seat, event: Json) -> Post:
        """To the number's webhook, or where the message said; what stands behind # is for Twilio itself."""
        url = urldefrag(event["url"] or self.shelf.get(f"hook/{self.id_of(seat)}") or self.hook(seat)).url
        fields = {**event["fields"], "AccountSid": seat.account["sid"], "ApiVersion": "2010-04-01"}
        signed = url + "".join(name + fields[name] for name in sorted(fields))
        digest = hmac.digest(str(seat.app["token"]).encode(), signed.encode(), hashlib.sha1)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "X-Twilio-Signature": base64.b64encode(digest).decode(),
        }
        return Post(url, urlencode(fields).encode(), headers)

    def new_id(self, chat: Chat) -> str:
        return f"SM{secrets.token_hex(16)}"

    def said(self, chat: Chat, view: Json) -> None:
        """Whoever writes STOP gets no more until they write START."""
        seat, text = self.seat(chat.account), view.get("text") or view.get("caption") or ""
        word = word_of(text)
        if word in {"stop", "start"}:
            chat.remember(stopped=word == "stop")
        files = [view["media"]] if "media" in view else []
        media = {
            name: value
            for number, file in enumerate(files)
            for name, value in (
                (f"MediaUrl{number}", f"{self._at(seat)}/Messages/{view['id']}/Media/{file['id']}"),
                (f"MediaContentType{number}", file["mime_type"]),
            )
        }
        fields = {
            **dict.fromkeys(("MessageSid", "SmsSid", "SmsMessageSid"), view["id"]),
            "SmsStatus": "received",
            "From": chat.user,
            "To": chat.account,
            "Body": text,
            "NumMedia": str(len(files)),
            "NumSegments": str(segments(text)),
            **media,
        }
        self.tell(chat, {"url": "", "fields": fields})

    def _at(self, seat: Seat | None) -> str:
        return f"{seat.account['api']}{AT.format(sid=seat.account['sid'])}" if seat else ""

    # what the adapter calls

    async def _numbers(self, seat: Seat, request: web.Request) -> Json:
        number = self.id_of(seat)
        found = request.query.get("PhoneNumber") == number
        return {"incoming_phone_numbers": [{"sid": f"PN{number[1:]}", "phone_number": number}] if found else []}

    async def _number(self, seat: Seat, request: web.Request) -> Json:
        self.shelf.put(f"hook/{self.id_of(seat)}", dict(await _fields(request))["SmsUrl"])
        return {"sid": request.match_info["number"]}

    async def _file(self, seat: Seat, request: web.Request) -> web.Response:
        if (file := self.files.get(request.match_info["id"])) is None:
            raise _no(20404, "The requested resource was not found", 404)
        return download(self.files.data(file), file.mime_type)

    async def _send(self, seat: Seat, request: web.Request) -> web.Response:
        pairs = await _fields(request)
        fields, links = dict(pairs), [value for name, value in pairs if name == "MediaUrl"]
        chat = self.reached(seat, fields.get("To", ""), _no(21211, "Invalid 'To' Phone Number"))
        if chat.about.get("stopped"):
            raise _no(21610, "Attempt to send to unsubscribed recipient")
        text = fields.get("Body", "")
        if len(text) > LONGEST:
            raise _no(21617, "The concatenated message body exceeds the 1600 character limit")
        if fields.get("From") != self.id_of(seat) or not (text or links) or len(links) > FILES:
            raise _no(21603, "A From, and a Body or up to ten MediaUrl are required")
        sid = f"{'MM' if links else 'SM'}{secrets.token_hex(16)}"
        media = [await self._fetched(chat, link) for link in links]
        for number, file in enumerate(media[1:], 1):
            chat.show({"id": f"{sid}-{number}", "direction": "in", "status": "sent", "media": file})
        self.show(chat, {"id": sid, **({"text": text} if text else {}), **({"media": media[0]} if media else {})})
        self._report(chat, sid, fields.get("StatusCallback"))
        return web.json_response({"sid": sid, "status": "queued", "num_segments": str(segments(text))}, status=201)

    async def _fetched(self, chat: Chat, link: str) -> Json:
        media = await self.fetched(chat, link, "file")
        return {**media, "kind": kind_of(media["mime_type"])}

    def _report(self, chat: Chat, sid: str, url: str | None) -> None:
        for status in ("sent", "delivered") if url else ():
            fields = {"MessageSid": sid, "SmsSid": sid, "MessageStatus": status, "SmsStatus": status}
            self.tell(chat, {"url": url, "fields": {**fields, "From": chat.account, "To": chat.user}})


async def _fields(request: web.Request) -> list[tuple[str, str]]:
    return parse_qsl((await read_bytes(request)).decode(errors="replace"), keep_blank_values=True, max_num_fields=64)


def _no(code: int, words: str, status: int = 400) -> No:
    return No(status, {"code": code, "message": words, "status": status, "more_info": f"…/docs/errors/{code}"})
