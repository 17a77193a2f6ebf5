"""SMS and MMS by Twilio, or who speaks like it — https://www.twilio.com/docs/messaging/api/message-resource."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from pydantic import Field as Described, SecretStr

from services.chat_adapter.channels.sms import inbound as webhooks
from services.chat_adapter.channels.sms.errors import outcome
from shared.contract import channel
from shared.contract.channel import (
    Capabilities,
    Channel,
    Context,
    Download,
    Http,
    Incoming,
    Piece,
    Request,
    Response,
    SendFailed,
    Sent,
    Steps,
    Unverified,
)
from shared.contract.envelope import Media
from shared.dialects import sms

MEDIA_BYTES: Final = 5 * 1024 * 1024  # of a message: https://www.twilio.com/docs/messaging/guides/accepted-mime-types
FIELDS: Final = 1000  # of a form
# Twilio asks again for what failed only where the address says so: https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
AGAIN: Final = "#rc=5&rp=all"


class App(channel.App):
    """One Twilio account or subaccount: its token signs what comes."""

    token: SecretStr = Described(min_length=1, description="the account's primary Auth Token, with which Twilio signs")


class Account(sms.Sender):
    """One sender."""

    sid: str = Described(pattern=r"^AC[0-9a-zA-Z-]{8,64}$", description="the Account SID")
    api_key: str = Described(default="", description="an API key's SID (SK…), where it sends instead of the Auth Token")
    token: SecretStr = Described(min_length=1, description="the Auth Token, or the API key's secret")
    service: str = Described(
        default="", pattern=r"^(MG[0-9a-f]{32})?$", description="the Messaging Service that the number belongs to"
    )
    api: str = Described(default="https://api.twilio.com", description="where the API is")

    def at(self, path: str) -> str:
        return f"{self.api}/2010-04-01/Accounts/{self.sid}/{path}"

    @property
    def credentials(self) -> dict[str, str]:
        pair = f"{self.api_key or self.sid}:{self.token.get_secret_value()}"
        return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def able(account: Account) -> Capabilities:
    return sms.of(account, CAPABILITIES)


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


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming]:
    yield from webhooks.read(dict(_pairs(request)), request.query.get(sms.PIECE), context.now)


def _pairs(request: Request) -> list[tuple[str, str]]:
    return parse_qsl(request.body.decode(), keep_blank_values=True, max_num_fields=FIELDS, errors="surrogateescape")


def accepted(app: App, request: Request, context: Context) -> Response:
    """TwiML that says nothing; any other answer would go to the person as a text."""
    return Response(headers={"content-type": "text/xml"}, body=b"<Response/>")


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """Twilio takes no key of ours: what was not answered is known by its first status, whose address names the piece."""
    words, files = sms.content_of(piece)
    fields = [
        ("To", piece.to),
        ("From", account.number),
        *([("MessagingServiceSid", account.service)] if account.service else ()),
        *([("Body", words)] if words else ()),
        *(("MediaUrl", context.link(file)) for file in files),
        *([("StatusCallback", f"{context.hook}?{sms.PIECE}={quote(piece.id)}{AGAIN}")] if context.hook else ()),
    ]
    answer = yield _post(account, "Messages.json", fields, commits=True)
    return Sent(external_ids=(answer.json()["sid"],), join_key=piece.id)


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    """The API, asked with the token, says where the file is; what is elsewhere never sees the token."""
    file = Http(method="GET", url=media.handle or "", stranger=True)
    if urlsplit(file.url)[:2] == urlsplit(account.api)[:2]:
        asked = Http(method="GET", url=file.url, headers=account.credentials)
        answer = yield asked
        moved = 300 <= answer.status < 400
        file = Http(method="GET", url=answer.headers["location"], stranger=True) if moved else asked
    return Download(request=file, mime_type=media.mime_type, name=media.name)


def register(app: App, account: Account, context: Context) -> Steps[None]:
    """Where what comes to the number goes: …/docs/phone-numbers/api/incomingphonenumber-resource. A name takes nothing."""
    if not account.number.startswith("+"):
        return
    query = urlencode({"PhoneNumber": account.number})
    url = account.at(f"IncomingPhoneNumbers.json?{query}")
    found = (yield Http(method="GET", url=url, headers=account.credentials)).json()["incoming_phone_numbers"]
    if not found:
        raise SendFailed("auth", f"{account.number} is no number of {account.sid}")
    fields = [("SmsUrl", context.hook + AGAIN), ("SmsMethod", "POST")]
    yield _post(account, f"IncomingPhoneNumbers/{found[0]['sid']}.json", fields)


def _post(account: Account, path: str, fields: list[tuple[str, Any]], *, commits: bool = False) -> Http:
    headers = {"content-type": "application/x-www-form-urlencoded", **account.credentials}
    return Http(url=account.at(path), headers=headers, body=urlencode(fields).encode(), commits=commits)


CAPABILITIES: Final = sms.capabilities(media_bytes=MEDIA_BYTES)
CHANNEL = Channel(
    name="sms",
    docs="https://www.twilio.com/docs/messaging",
    app=App,
    account=Account,
    capabilities=CAPABILITIES,
    able=able,
    proof="x-twilio-signature",
    body_limit=256 * 1024,
    verify=verify,
    inbound=inbound,
    accepted=accepted,
    outbound=outbound,
    outcome=outcome,
    fetch=fetch,
    register=register,
)
