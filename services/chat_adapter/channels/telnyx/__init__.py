"""SMS and MMS by Telnyx — https://developers.telnyx.com/docs/messaging."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

import orjson
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
    file_at,
)
from shared.contract.envelope import Media
from shared.dialects import sms
from shared.dialects.stamped import check_ed25519, check_time

MEDIA_BYTES: Final = 1024 * 1024  # of a message: https://developers.telnyx.com/api-reference/messages/send-a-message


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
    check_time(stamp, context.now)
    try:
        signature = base64.b64decode(request.headers.get("telnyx-signature-ed25519", ""), validate=True)
    except ValueError:
        raise Unverified("no signature") from None
    check_ed25519(base64.b64decode(app.public_key), signature, f"{stamp}|".encode() + request.body)


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
    return Download.of(media, file_at(media.handle or "", account.api, headers=bearer(account.token)))


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
