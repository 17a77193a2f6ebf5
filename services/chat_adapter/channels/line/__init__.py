"""LINE Messaging API — https://developers.line.biz/en/reference/messaging-api/."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar, Final
from urllib.parse import quote

import orjson
from pydantic import Field as Described, SecretStr

from services.chat_adapter.channels.line import inbound as webhooks
from services.chat_adapter.channels.line.errors import outcome
from services.chat_adapter.channels.line.outbound import (
    LABEL,
    POSTBACK,
    QUICK_REPLIES,
    TEXT,
    compose,
)
from shared.contract import channel
from shared.contract.channel import (
    Amendment,
    Capabilities,
    Channel,
    Context,
    Download,
    Http,
    Incoming,
    Malformed,
    MarkSeen,
    Piece,
    Request,
    SendFailed,
    Sent,
    Steps,
    TypingMark,
    Unverified,
    bearer,
)
from shared.contract.envelope import Media, Model, Party, derive

LOADING: Final = 20  # seconds, of 5 to 60: …/messaging-api/#display-a-loading-indicator
FILE_BYTES: Final = 200 * 1024 * 1024  # of what people send, and of what is sent by address


class App(channel.App):
    """One Messaging API channel: LINE signs with its secret."""

    secret: SecretStr = Described(min_length=1, description="the channel secret, of the console's Basic settings")


class Account(channel.Account):
    """One LINE Official Account."""

    called_by: ClassVar[str] = "user_id"
    user_id: str = Described(
        pattern=r"^U[0-9a-f]{32}$", description="the bot's own user id, of the console's Basic settings (Your user ID)"
    )
    token: SecretStr = Described(min_length=1, description="a long-lived channel access token")
    api: str = Described(default="https://api.line.me", description="where the Messaging API is")
    data_api: str = Described(default="https://api-data.line.me", description="where people's files are")


def verify(app: App, request: Request, context: Context) -> None:
    """https://developers.line.biz/en/reference/messaging-api/#signature-validation."""
    digest = hmac.digest(app.secret.get_secret_value().encode(), request.body, hashlib.sha256)
    given = request.headers.get("x-line-signature", "").encode(errors="surrogatepass")
    if not hmac.compare_digest(given, base64.b64encode(digest)):
        raise Unverified("another signature")


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming | Malformed]:
    yield from webhooks.read(request.json(), context.now)


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """By the reply token while it is good, which costs nothing and takes no retry key; else as a push, which counts.

    https://developers.line.biz/en/docs/messaging-api/retrying-api-request/
    """
    content = {"messages": [compose(piece, context.link)]}
    if piece.route:
        answer = yield _post(account, "message/reply", {"replyToken": piece.route, **content}, commits=True)
    else:
        key = {"x-line-retry-key": str(derive("piece", piece.id))}
        answer = yield _post(account, "message/push", {"to": piece.to, **content}, commits=True, headers=key)
    return Sent(external_ids=tuple(sent["id"] for sent in answer.json()["sentMessages"]))


def amend(account: Account, change: Amendment, context: Context) -> Steps[None]:
    """By the token that came with the message, which is good for ever; all before it is read too: …/docs/messaging-api/mark-as-read/."""
    if not isinstance(change, MarkSeen) or not change.read_mark:
        raise SendFailed(
            "unsupported", "LINE shows only that messages are read, and this one came without a token for it"
        )
    yield _post(account, "chat/markAsRead", {"markAsReadToken": change.read_mark})


def typing(account: Account, mark: TypingMark, context: Context) -> Steps[None]:
    """Only in a chat of two: …/messaging-api/#display-a-loading-indicator."""
    if not _is_shared(mark.to):
        yield _post(account, "chat/loading/start", {"chatId": mark.to, "loadingSeconds": LOADING})


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    """By the message's id, with the token. What stands at another address was put there by whoever sent it, or is a sticker."""
    yield from ()
    handle = media.handle or ""
    if handle.isascii() and handle.isdecimal():
        file = Http(
            method="GET", url=f"{account.data_api}/v2/bot/message/{handle}/content", headers=bearer(account.token)
        )
    else:
        file = Http(method="GET", url=handle, stranger=True)
    return Download.of(media, file)


class Profile(Model):
    """…/messaging-api/#get-profile and …/#get-group-member-profile, which tells no language."""

    name: Annotated[str | None, Described(alias="displayName")] = None
    language: Annotated[str | None, Described(max_length=35)] = None


def profile(account: Account, address: str, peer: str, context: Context) -> Steps[Party]:
    """Of a group's or a room's member there, since not everyone in it is a friend of the account."""
    if _is_shared(address):  # some people's ids are not told: …/messaging-api/group-chats/
        return Party(address=address)
    person, place = quote(address, safe=""), quote(peer, safe="")
    kind = {"C": "group", "R": "room"}.get(peer[:1])
    path = f"{kind}/{place}/member/{person}" if kind else f"profile/{person}"
    answer = yield _get(account, path)
    found = Profile.model_validate_json(answer.body)
    return Party(address=address, name=found.name, verified="provider", locale=found.language)


def register(app: App, account: Account, context: Context) -> Steps[None]:
    """Where LINE sends, and whether the token is this account's. That webhooks are used at all is switched on in the console."""
    answer = yield _get(account, "info")
    if (found := answer.json()["userId"]) != account.user_id:
        raise SendFailed("auth", f"the token is of the bot {found}, and user_id is {account.user_id}")
    body = orjson.dumps({"endpoint": context.hook})
    headers = {"content-type": "application/json", **bearer(account.token)}
    yield Http(method="PUT", url=f"{account.api}/v2/bot/channel/webhook/endpoint", headers=headers, body=body)


def _is_shared(place: str) -> bool:
    """A group or a room; a person's id begins with U."""
    return place[:1] in {"C", "R"}


def _get(account: Account, path: str) -> Http:
    return Http.get(f"{account.api}/v2/bot/{path}", token=account.token)


def _post(
    account: Account, path: str, content: dict[str, object], *, commits: bool = False, headers: dict[str, str] = {}
) -> Http:
    url = f"{account.api}/v2/bot/{path}"
    return Http.post_json(url, content, token=account.token, commits=commits, headers=headers)


CHANNEL = Channel(
    name="line",
    docs="https://developers.line.biz/en/reference/messaging-api/",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=TEXT,
        unit="utf16",
        media={"image": "full", "file": "full", "video": "degraded", "audio": "degraded", "sticker": "degraded"},
        media_bytes=FILE_BYTES,
        choices="full",
        options=QUICK_REPLIES,
        option_title=LABEL,
        option_id=POSTBACK,
        option_id_unit="utf16",
        location="full",
        reply_to=True,
        typing=True,
        changes={"seen": None},
        per_second=1000,
        idempotent_for=timedelta(hours=23),  # of 24, from LINE's first sight of the retry key
    ),
    proof="x-line-signature",
    verify=verify,
    inbound=inbound,
    outbound=outbound,
    amend=amend,
    typing=typing,
    outcome=outcome,
    fetch=fetch,
    profile=profile,
    register=register,
)
