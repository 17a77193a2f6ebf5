"""Twilio's API and webhooks, the same for texts and for calls — https://www.twilio.com/docs/usage/api."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from pydantic import Field as Described, SecretStr

from shared.contract import channel
from shared.contract.channel import (
    Context,
    Download,
    Http,
    Piece,
    Receipt,
    Request,
    SendFailed,
    Sent,
    Steps,
    Unverified,
)
from shared.contract.codes import Status
from shared.contract.envelope import Media
from shared.dialects import sms
from shared.dialects.twilio.errors import failure_of

Form = Mapping[str, str]

FIELDS: Final = 1000  # of a form
PROOF: Final = "x-twilio-signature"
# Twilio asks again for what failed only where the address says so: https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
AGAIN: Final = "#rc=5&rp=all"

# https://www.twilio.com/docs/messaging/api/message-resource#message-status-values; what has not left says nothing
STATUSES: Final[Mapping[str, Status | None]] = {
    "accepted": None,
    "scheduled": None,
    "queued": None,
    "sending": None,
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "cancelled",
}


class App(channel.App):
    """One Twilio account or subaccount: its token signs what comes."""

    token: SecretStr = Described(min_length=1, description="the account's primary Auth Token, with which Twilio signs")


class Sender(channel.Account):
    """Who calls the API."""

    sid: str = Described(pattern=r"^AC[0-9a-zA-Z-]{8,64}$", description="the Account SID")
    api_key: str = Described(default="", description="an API key's SID (SK…), where it sends instead of the Auth Token")
    token: SecretStr = Described(min_length=1, description="the Auth Token, or the API key's secret")
    api: str = Described(default="https://api.twilio.com", description="where the API is")

    def at(self, path: str) -> str:
        return f"{self.api}/2010-04-01/Accounts/{self.sid}/{path}"

    @property
    def credentials(self) -> dict[str, str]:
        pair = f"{self.api_key or self.sid}:{self.token.get_secret_value()}"
        return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def verify(app: App, request: Request, context: Context) -> None:
    """Over the whole address and the fields by their names: https://www.twilio.com/docs/usage/webhooks/webhooks-security."""
    signed = request.url + _signed_body(request)
    key = app.token.get_secret_value().encode()
    digest = hmac.digest(key, signed.encode(errors="surrogatepass"), hashlib.sha1)
    given = request.headers.get("x-twilio-signature", "").encode(errors="surrogatepass")
    if not hmac.compare_digest(given, base64.b64encode(digest)):
        raise Unverified("another signature")


def _signed_body(request: Request) -> str:
    """A form's fields by their names. Of anything else the digest is signed, in the address. Raises Unverified."""
    if digest := request.query.get("bodySHA256"):
        if hashlib.sha256(request.body).hexdigest() != digest.lower():
            raise Unverified("another body")
        return ""
    try:
        return "".join(name + value for name, value in sorted(set(_pairs(request))))
    except ValueError as error:
        raise Unverified("not a form") from error


def form_of(request: Request) -> dict[str, str]:
    return dict(_pairs(request))


def _pairs(request: Request) -> list[tuple[str, str]]:
    return parse_qsl(request.body.decode(), keep_blank_values=True, max_num_fields=FIELDS, errors="surrogateescape")


def receipt(form: Form, piece: str | None, now: datetime) -> Iterator[Receipt]:
    """https://www.twilio.com/docs/messaging/guides/track-outbound-message-status. It tells no price. `piece`: which of
    ours it is of, where the callback's address says so.
    """
    status = STATUSES[form["MessageStatus"]]
    if status is not None:
        yield Receipt(
            account_key=form["From"],
            peer=form["To"],
            status=status,
            occurred_at=now,
            external_ids=(form["MessageSid"],),
            join_key=piece or None,
            failure=failure_of(form) if status == "failed" else None,
        )


def told_at(context: Context, piece: Piece) -> str:
    """Our address for what becomes of this piece: Twilio takes no key of ours, and an answer that was lost is known by it."""
    return f"{context.hook}?{sms.PIECE}={quote(piece.id)}{AGAIN}" if context.hook else ""


def create(account: Sender, path: str, fields: Iterable[tuple[str, str]], piece: Piece) -> Steps[Sent]:
    """A message or a call. A field without a value is left out."""
    answer = yield post(account, path, [(name, value) for name, value in fields if value], commits=True)
    return Sent(external_ids=(answer.json()["sid"],), join_key=piece.id)


def fetch(account: Sender, media: Media, context: Context) -> Steps[Download]:
    """The API, asked with the token, says where the file is; what is elsewhere never sees the token."""
    file = Http(method="GET", url=media.handle or "", stranger=True)
    if urlsplit(file.url)[:2] == urlsplit(account.api)[:2]:
        asked = Http(method="GET", url=file.url, headers=account.credentials, moves=True)
        answer = yield asked
        file = Http(method="GET", url=answer.headers["location"], stranger=True) if answer.moved else asked
    return Download.of(media, file)


def set_hooks(account: Sender, number: str, fields: list[tuple[str, str]]) -> Steps[None]:
    """Where what comes to the number goes: …/docs/phone-numbers/api/incomingphonenumber-resource. A name takes nothing."""
    if not number.startswith("+"):
        return
    asked = Http.get(account.at("IncomingPhoneNumbers.json"), {"PhoneNumber": number}, headers=account.credentials)
    found = (yield asked).json()["incoming_phone_numbers"]
    if not found:
        raise SendFailed("auth", f"{number} is no number of {account.sid}")
    yield post(account, f"IncomingPhoneNumbers/{found[0]['sid']}.json", fields)


def post(account: Sender, path: str, fields: list[tuple[str, Any]], *, commits: bool = False) -> Http:
    headers = {"content-type": "application/x-www-form-urlencoded", **account.credentials}
    return Http(url=account.at(path), headers=headers, body=urlencode(fields).encode(), commits=commits)
