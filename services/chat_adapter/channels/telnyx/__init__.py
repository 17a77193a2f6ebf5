"""SMS and MMS by Telnyx — https://developers.telnyx.com/docs/messaging."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, urlsplit

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field as Described, SecretStr

from services.chat_adapter.channels.telnyx import inbound as webhooks
from services.chat_adapter.channels.telnyx.errors import outcome
from shared.contract import channel
from shared.contract.channel import (
    Capabilities,
    Channel,
    Context,
    Download,
    Http,
    Incoming,
    Malformed,
    Piece,
    Request,
    Sent,
    Steps,
    Unverified,
    bearer,
)
from shared.contract.envelope import Media
from shared.dialects import sms

MEDIA_BYTES: Final = 1024 * 1024  # of a message: https://developers.telnyx.com/api-reference/messages/send-a-message
SKEW: Final = 300  # seconds between the signature and us


class App(channel.App):
    """One Telnyx account: its key signs what comes."""

    public_key: str = Described(
        pattern=r"^[A-Za-z0-9+/]{43}=$", description="the account's public key, of Keys & Credentials in the portal"
    )


class Account(sms.Sender):
    """One sender."""

    token: SecretStr = Described(min_length=1, description="an API key (v2)")
    profile: str = Described(
        default="", pattern=r"^[0-9a-f-]{0,36}$", description="the messaging profile; a name that sends needs it"
    )
    api: str = Described(default="https://api.telnyx.com", description="where the API is")


def able(account: Account) -> Capabilities:
    return sms.of(account, CAPABILITIES)


def verify(app: App, request: Request, context: Context) -> None:
    """https://developers.telnyx.com/docs/development/api-fundamentals/webhooks: Ed25519 over time, bar and the body as it was sent."""
    stamp = request.headers.get("telnyx-timestamp", "")
    if not (stamp.isascii() and stamp.isdecimal()) or abs(context.now.timestamp() - int(stamp[:15])) > SKEW:
        raise Unverified("signed too long ago")
    try:
        signature = base64.b64decode(request.headers.get("telnyx-signature-ed25519", ""), validate=True)
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(app.public_key))
        key.verify(signature, f"{stamp}|".encode() + request.body)
    except (InvalidSignature, ValueError):
        raise Unverified("another signature") from None


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming | Malformed]:
    yield from webhooks.read(request.json(), request.query.get(sms.PIECE), context.now)


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """Telnyx takes no key of ours: what was not answered is known by its first status, whose address names the piece."""
    words, files = sms.content_of(piece)
    message = {
        "from": account.number,
        "to": piece.to,
        **({"messaging_profile_id": account.profile} if account.profile else {}),
        **({"text": words} if words else {}),
        **({"media_urls": [context.link(file) for file in files]} if files else {}),
        **({"webhook_url": f"{context.hook}?{sms.PIECE}={quote(piece.id)}"} if context.hook else {}),
    }
    url = f"{account.api}/v2/messages"
    answer = yield Http.post_json(url, message, token=account.token, commits=True)
    return Sent(external_ids=(answer.json()["data"]["id"],), join_key=piece.id)


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    """Where it stands, for whoever has the address: the key goes to the API alone."""
    yield from ()
    address = media.handle or ""
    ours = urlsplit(address)[:2] == urlsplit(account.api)[:2]
    request = Http(method="GET", url=address, headers=bearer(account.token) if ours else {}, stranger=not ours)
    return Download(request=request, mime_type=media.mime_type, name=media.name)


def register(app: App, account: Account, context: Context) -> Steps[None]:
    """Where what comes to the profile's numbers goes: …/messaging-profiles-overview."""
    if account.profile:
        headers = {"content-type": "application/json", **bearer(account.token)}
        body = orjson.dumps({"webhook_url": context.hook, "webhook_api_version": "2"})
        url = f"{account.api}/v2/messaging_profiles/{account.profile}"
        yield Http(method="PATCH", url=url, headers=headers, body=body)


CAPABILITIES: Final = sms.capabilities(media_bytes=MEDIA_BYTES)
CHANNEL = Channel(
    name="telnyx",
    docs="https://developers.telnyx.com/docs/messaging",
    app=App,
    account=Account,
    capabilities=CAPABILITIES,
    able=able,
    proof="telnyx-signature-ed25519",
    body_limit=256 * 1024,
    verify=verify,
    inbound=inbound,
    proves=sms.proves,
    outbound=outbound,
    outcome=outcome,
    fetch=fetch,
    register=register,
)
