"""What Twilio's texts and calls have alike: who calls, how it signs, whose number it is — https://www.twilio.com/docs/usage/api."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urldefrag, urlencode

from aiohttp import web

from services.sandbox.access import same
from services.sandbox.twins.proofs import b64, mac
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import HERE, Call, First, Post, Twin, digits

Json = dict[str, Any]
AT: Final = "/2010-04-01/Accounts/{sid}"


class Twilio(Twin):
    """`hook_field`: where a number's own address for this stands."""

    key = "number"
    person = ("+855", 8)
    gone = "file_is_gone"
    hook_field: str

    @classmethod
    def first(cls) -> First:
        token = secrets.token_hex(16)
        sender = {"number": f"+1{digits(10)}", "mms": True, "per_second": 100}
        return First({**sender, "sid": f"AC{secrets.token_hex(16)}", "token": token, "api": HERE}, {"token": token})

    def numbers(self) -> list[web.RouteDef]:
        """The calls that say where what comes to a number goes."""
        return [
            self.call("GET", f"{AT}/IncomingPhoneNumbers.json", self._numbers),
            self.call("POST", f"{AT}/IncomingPhoneNumbers/{{number}}.json", self._number),
        ]

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        sid = str(seat.account.get("sid"))
        pair = base64.b64encode(f"{sid}:{seat.account.get('token')}".encode()).decode()
        return request.match_info["sid"] == sid and same(request.headers.get("Authorization", ""), f"Basic {pair}")

    def form(self, seat: Seat, url: str, fields: Mapping[str, str]) -> Post:
        """Signed, to this address, or to the number's; what stands behind # is for Twilio itself."""
        url = urldefrag(url or self.hook(seat)).url
        told = {**fields, "AccountSid": str(seat.account["sid"]), "ApiVersion": "2010-04-01"}
        signed = url + "".join(name + told[name] for name in sorted(told))
        proof = b64(mac(seat.app["token"], signed.encode(), hashlib.sha1))
        kind = "application/x-www-form-urlencoded; charset=UTF-8"
        return Post(url, urlencode(told).encode(), {"Content-Type": kind, "X-Twilio-Signature": proof})

    def _numbers(self, call: Call) -> Json:
        number = self.id_of(call.seat)
        found = call.values.get("PhoneNumber") == number
        return {"incoming_phone_numbers": [{"sid": f"PN{number[1:]}", "phone_number": number}] if found else []}

    def _number(self, call: Call) -> Json:
        self.set_hook(call.seat, call.values[self.hook_field])
        return {"sid": call.path["number"]}
