"""Apple Messages for Business — https://register.apple.com/resources/messages/msp-rest-api/."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final

import jwt
import orjson
from jwt.types import Options
from pydantic import AfterValidator, Field as Described, SecretStr

from services.chat_adapter.channels.apple import files, inbound as webhooks
from services.chat_adapter.channels.apple.errors import outcome
from services.chat_adapter.channels.apple.outbound import FILES, OPTIONS, TEXT, TITLE, compose
from shared.contract import channel
from shared.contract.channel import (
    Capabilities,
    Channel,
    Context,
    Download,
    Handle,
    Http,
    Incoming,
    Malformed,
    Piece,
    Request,
    SendFailed,
    Sent,
    Steps,
    TypingMark,
    Unverified,
)
from shared.contract.envelope import Media, derive

TOKEN_LIVES: Final = timedelta(hours=12)  # Apple does not say how long its own are good

CLOCKLESS: Final[Options] = {"verify_iat": False, "verify_nbf": False, "verify_exp": False}  # time is the context's


def _base64(secret: SecretStr) -> SecretStr:
    try:
        base64.b64decode(secret.get_secret_value(), validate=True)
    except binascii.Error:
        raise ValueError("not base64; copy the Messaging API secret as Apple shows it") from None
    return secret


Secret = Annotated[SecretStr, AfterValidator(_base64)]


class App(channel.App):
    """One Messaging Service Provider (MSP): Apple posts for all of its businesses to one address."""

    msp_id: str = Described(min_length=1, description="the MSP id, which Apple gives when it has approved the provider")
    secret: Secret = Described(
        min_length=1, description="the Messaging API secret of the MSP, in base64 as Apple shows it"
    )


class Account(channel.Account):
    """One business."""

    called_by: ClassVar[str] = "business_id"
    business_id: str = Described(min_length=1, description="the business id, as Apple Business Register shows it")
    msp_id: str = Described(min_length=1, description="the MSP id, as in the app")
    secret: Secret = Described(min_length=1, description="the Messaging API secret of the MSP, as in the app")
    api: str = Described(default="https://mspgw.push.apple.com/v1", description="where Apple's gateway is")


def verify(app: App, request: Request, context: Context) -> None:
    """A token (RFC 7519) for this MSP, which does not cover the body — …/msp-rest-api/common-specs#authorizing-messages."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer":
        raise Unverified("no bearer token")
    try:
        claims = jwt.decode(token, _key(app), algorithms=["HS256"], audience=app.msp_id, options=CLOCKLESS)
    except jwt.PyJWTError as error:
        raise Unverified(type(error).__name__) from None
    if "iat" in claims and abs(context.now.timestamp() - claims["iat"]) >= TOKEN_LIVES.total_seconds():
        raise Unverified("a token of another time")


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming | Malformed]:
    yield from webhooks.read(request.json(), request.headers.get("capability-list", ""), context.now)


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """Apple answers with nothing but yes: the id is ours, and what a person picks comes back with it."""
    automatic = {"auto-reply": "true"} if piece.automatic else {}
    yield _message(account, context, piece.to, piece.id, compose(piece), headers=automatic, commits=True)
    return Sent(external_ids=(piece.id,))


def typing(account: Account, mark: TypingMark, context: Context) -> Steps[None]:
    """Until a message comes — …/msp-rest-api/typing-indicators."""
    yield _message(account, context, mark.to, str(derive("fleeting", context.nonce)), {"type": "typing_start"})


def upload(account: Account, media: Media, context: Context) -> Steps[Handle]:
    return (yield from files.upload(f"{account.api}/preUpload", _signed(account, context), media, context))


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    return (yield from files.fetch(account.api, _signed(account, context), media))


def _message(
    account: Account,
    context: Context,
    to: str,
    id: str,  # noqa: A002 Apple's word
    content: dict[str, Any],
    *,
    headers: dict[str, str] = {},
    commits: bool = False,
) -> Http:
    """https://register.apple.com/resources/messages/msp-rest-api/common-specs: who and what stand in the head and in the body."""
    if not (to.isascii() and to.isprintable()):
        raise SendFailed("bad_address", "no opaque id of Apple's")
    about = {"v": 1, "id": id, "sourceId": account.business_id, "destinationId": to}
    return Http(
        url=f"{account.api}/message",
        headers={
            "content-type": "application/json",
            "id": id,
            "destination-id": to,
            **_signed(account, context),
            **headers,
        },
        body=orjson.dumps({**about, **content}),
        commits=commits,
    )


def _signed(account: Account, context: Context) -> dict[str, str]:
    """A token of our own for each request, which names the MSP and the time."""
    claims = {"iss": account.msp_id, "iat": int(context.now.timestamp())}
    return {
        "authorization": f"Bearer {jwt.encode(claims, _key(account), algorithm='HS256')}",
        "source-id": account.business_id,
    }


def _key(owner: App | Account) -> bytes:
    return base64.b64decode(owner.secret.get_secret_value())


CHANNEL = Channel(
    name="apple",
    docs="https://register.apple.com/resources/messages/msp-rest-api/",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=TEXT,
        media={"image": "full", "audio": "full", "video": "full", "file": "full", "sticker": "degraded"},
        media_bytes=files.BYTES,
        choices="full",
        options=OPTIONS,
        option_title=TITLE,
        linked=0,
        typing=True,
        starts="nothing",
        attachments=FILES,
    ),
    signed=False,
    proof="authorization",
    encodings=frozenset({"gzip"}),
    behind="message",
    verify=verify,
    inbound=inbound,
    upload=upload,
    outbound=outbound,
    typing=typing,
    outcome=outcome,
    fetch=fetch,
)
