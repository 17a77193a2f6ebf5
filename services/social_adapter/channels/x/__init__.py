"""X: posts that mention or answer an account, and its direct messages — https://docs.x.com/x-api/activity/introduction."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar, Final, Self
from urllib.parse import quote, urlencode

from pydantic import Field as Described, SecretStr, model_validator

from services.social_adapter.channels.x import (
    api,
    chat,
    inbound as webhooks,
    media as files,
    outbound as sends,
    registering,
)
from services.social_adapter.channels.x.errors import limit, outcome
from shared.contract import channel
from shared.contract.channel import (
    Amendment,
    Capabilities,
    Channel,
    Context,
    DeletePiece,
    Download,
    Http,
    Incoming,
    Keys,
    Malformed,
    Piece,
    React,
    Request,
    Response,
    Sent,
    Steps,
    Token,
    Unverified,
    unless_gone,
)
from shared.contract.envelope import Media, Party

# Of either secret: https://docs.x.com/x-api/webhooks/introduction#signature-headers.
HEADERS: Final = ("x-twitter-webhooks-signature-oauth2", "x-twitter-webhooks-signature")
CHALLENGE: Final = re.compile(r"[\w=+/.-]{1,500}", re.ASCII)


class App(channel.App):
    """An app of X's developer console: X signs with its secret. Each account that it may act for is received through it."""

    client_secret: SecretStr = Described(
        default=SecretStr(""), description="the OAuth 2.0 client secret, by which X signs"
    )
    consumer_secret: SecretStr = Described(
        default=SecretStr(""),
        description="the API key secret of an app of OAuth 1.0, by which X signs where there is no client secret",
    )
    bearer_token: SecretStr = Described(
        default=SecretStr(""),
        description="the app's bearer token: with it the webhook is entered and subscribed by itself",
    )

    @model_validator(mode="after")
    def _signed(self) -> Self:
        if not (self.client_secret.get_secret_value() or self.consumer_secret.get_secret_value()):
            raise ValueError("client_secret or consumer_secret: without either nothing that comes can be proved")
        return self


class Account(channel.Account):
    """An account on X, by the OAuth 2.0 client of an app."""

    called_by: ClassVar[str] = "user_id"
    user_id: str = Described(pattern=r"^[0-9]{1,19}$", description="the account's number; GET /2/users/me tells it")
    client_id: str = Described(min_length=1, description="the OAuth 2.0 client's id")
    client_secret: SecretStr = Described(min_length=1, description="the OAuth 2.0 client's secret")
    refresh_token: SecretStr = Described(
        min_length=1,
        description="given once for the account, with offline.access, tweet.read, tweet.write, users.read, dm.read, dm.write, like.read, like.write, media.write",
    )
    long_posts: bool = Described(default=False, description="whether the account has X Premium, whose posts are longer")
    events: tuple[str, ...] = Described(
        default=registering.EVENTS, description="what is subscribed to; X bills most by the event"
    )
    pay_per_use: bool = Described(
        default=True,
        description="whether X bills by the request, so that what a send is billed as is told with its status",
    )
    chat_keys: SecretStr = Described(
        default=SecretStr(""), description="the account's private keys of X Chat, as X's kit exports them, in Base64"
    )
    chat_key_version: str = Described(default="", description="the version under which X knows the public keys of them")
    api: str = Described(default="https://api.x.com", description="where the API is")

    @model_validator(mode="after")
    def _versioned(self) -> Self:
        if self.chat_keys.get_secret_value() and not self.chat_key_version:
            raise ValueError("chat_key_version: without it the kit cannot tell what is encrypted for chat_keys")
        return self


def _digest(secret: SecretStr, body: bytes) -> bytes:
    digest = hmac.digest(secret.get_secret_value().encode(), body, hashlib.sha256)
    return b"sha256=" + base64.b64encode(digest)


def handshake(app: App, request: Request, context: Context) -> Response | None:
    """https://docs.x.com/x-api/webhooks/quickstart#2-the-crc-check.

    Whoever asks gets their word signed as X signs its events; so no word is signed that could be one.
    """
    if request.method != "GET":
        return None
    token = request.query.get("crc_token", "")
    if not CHALLENGE.fullmatch(token):
        raise Unverified("no challenge of X's")
    secret = app.client_secret if app.client_secret.get_secret_value() else app.consumer_secret
    return Response.of_json({"response_token": _digest(secret, token.encode()).decode()})


def verify(app: App, request: Request, context: Context) -> None:
    """https://docs.x.com/x-api/webhooks/introduction#signature-headers. Only an object is an event: a challenge is none."""
    if not request.body.lstrip().startswith(b"{"):
        raise Unverified("no event")
    for header, secret in zip(HEADERS, (app.client_secret, app.consumer_secret), strict=True):
        if header in request.headers and secret.get_secret_value():
            given = request.headers[header].encode(errors="surrogatepass")
            if hmac.compare_digest(given, _digest(secret, request.body)):
                return
            raise Unverified("another signature")
    raise Unverified("no signature by a secret of this app")


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming | Malformed]:
    yield from webhooks.read(request.json())


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """An answer to a post is a post, to a message a message, and never the other."""
    public, file = sends.is_public(piece), None
    content = sends.post if public else sends.message
    content(piece, None)  # what cannot be sent is known before its file goes
    if isinstance(piece.part, Media):
        file = yield from files.upload(account, piece.part, context.token, place="tweet" if public else "dm")
    if public:
        answer = yield api.send(account, "tweets", content(piece, file), context.token, counts="posts")
        name = answer.json()["data"]["id"]
    else:
        path = f"dm_conversations/with/{quote(piece.to, safe='')}/messages"
        answer = yield api.send(account, path, content(piece, file), context.token, counts="messages")
        name = answer.json()["data"]["dm_event_id"]
    return Sent(external_ids=(name,), cost=sends.cost(piece) if account.pay_per_use else None)


def amend(account: Account, wanted: Amendment, context: Context) -> Steps[None]:
    """Of posts: https://docs.x.com/x-api/posts/delete-post, …/users/like-post. A message that is deleted is gone for us only."""
    match wanted:
        case DeletePiece():
            yield from unless_gone(api.delete(account, f"tweets/{quote(wanted.external_id, safe='')}", context.token))
        case React(removed=False, emoji=str()):
            path = f"users/{account.user_id}/likes"
            yield api.post(account, path, {"tweet_id": wanted.external_id}, context.token)
        case React():
            path = f"users/{account.user_id}/likes/{quote(wanted.external_id, safe='')}"
            yield api.delete(account, path, context.token)


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    return files.fetch(account, media, context.token)


def profile(account: Account, address: str, peer: str, context: Context) -> Steps[Party]:
    """https://docs.x.com/x-api/users/get-user-by-id."""
    if not address.isdecimal():
        return Party(address=address)
    about = (yield api.get(account, f"users/{address}", context.token)).json()["data"]
    return Party(address=address, name=about.get("name"), username=about.get("username"), verified="provider")


def refresh(account: Account, known: SecretStr | None, context: Context) -> Steps[Token]:
    """Each refresh token is good once: https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code#refresh-tokens."""
    secret = (known or account.refresh_token).get_secret_value()
    form = {"grant_type": "refresh_token", "refresh_token": secret, "client_id": account.client_id}
    client = f"{quote(account.client_id, safe='')}:{quote(account.client_secret.get_secret_value(), safe='')}"
    answer = yield Http(
        url=api.url(account, "oauth2/token"),
        headers={
            "content-type": "application/x-www-form-urlencoded",
            "authorization": f"Basic {base64.b64encode(client.encode()).decode()}",
        },
        body=urlencode(form).encode(),
    )
    told: dict[str, Any] = answer.json()
    rotated = told.get("refresh_token")
    return Token(
        value=SecretStr(told["access_token"]),
        expires_in=timedelta(seconds=told["expires_in"]),
        refresh=SecretStr(rotated) if rotated else None,
    )


def register(app: App, account: Account, context: Context) -> Steps[None]:
    """Without the app's bearer token it is done by hand: docs/channels/x.md."""
    if app.bearer_token.get_secret_value():
        yield from registering.register(
            account, account.user_id, account.events, hook=context.hook, app=app.bearer_token, token=context.token
        )


def lookup(account: Account, name: str, context: Context) -> Steps[Keys]:
    return chat.lookup(account, name, context.token)


def unseals(account: Account) -> bool:
    return bool(account.chat_keys.get_secret_value())


def able(account: Account) -> Capabilities:
    able, posts = CHANNEL.capabilities, CHANNEL.capabilities.comment
    assert posts is not None
    longer = {"text": sends.LONG_POST, "caption": sends.LONG_POST} if account.long_posts else {}
    return able.model_copy(update={"comment": posts.model_copy(update=longer)})


CHANNEL = Channel(
    name="x",
    docs="https://docs.x.com/x-api/activity/introduction",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=sends.MESSAGE,
        unit="utf16",  # "characters", they say: what fits so fits in any reading
        caption=sends.MESSAGE,
        media={"image": "full", "video": "full"},
        media_bytes=files.VIDEO_BYTES,
        comment=Capabilities(
            text=sends.POST,
            unit="weighted",
            caption=sends.POST,
            media={"image": "full", "video": "full"},
            media_bytes=files.VIDEO_BYTES,
            reply_to=True,
            changes={"delete": None, "react": None},
            reactions=sends.REACTIONS,
        ),
        per_second=5,
        per_peer_second=1,
    ),
    able=able,
    proof=" ".join(HEADERS),
    handshake=handshake,
    verify=verify,
    inbound=inbound,
    lookup=lookup,
    unseal=chat.unseal,
    unseals=unseals,
    outbound=outbound,
    join_key=sends.join_key,
    amend=amend,
    outcome=outcome,
    limit=limit,
    fetch=fetch,
    profile=profile,
    refresh=refresh,
    register=register,
)
