"""TikTok: direct messages to a business account, and comments under its videos — https://business-api.tiktok.com/portal/docs."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Final

from pydantic import Field as Described, SecretStr

from services.social_adapter.channels.tiktok import api, inbound as webhooks, media as files, outbound as sends, polling
from services.social_adapter.channels.tiktok.errors import outcome
from shared.contract import channel
from shared.contract.channel import (
    Amendment,
    Capabilities,
    Channel,
    Context,
    DeletePiece,
    Download,
    Handle,
    Http,
    Incoming,
    Malformed,
    MarkSeen,
    Message,
    Piece,
    Polled,
    React,
    Refusal,
    Request,
    Sent,
    Steps,
    Token,
    TypingMark,
    Unverified,
    unless_gone,
)
from shared.contract.envelope import PUBLIC, Media, Party, Window

PROOF: Final = re.compile(r"t=([0-9]{1,12}),s=([0-9a-f]{64})")
SKEW: Final = 300  # seconds; TikTok's sample takes five, which a clock or a busy minute is off by
WINDOW: Final = timedelta(hours=48)


class App(channel.App):
    """An app of TikTok's API for Business, which signs with its secret: each account that it may act for is received through it."""

    app_id: str = Described(min_length=1, description="the app's id, as its page at business-api.tiktok.com shows it")
    secret: SecretStr = Described(min_length=1, description="the app's secret")


class Account(channel.Account):
    """A TikTok business account that has authorized the app."""

    called_by: ClassVar[str] = "business_id"
    business_id: str = Described(min_length=1, description="`open_id` of the answer in which the tokens were given")
    client_id: str = Described(min_length=1, description="the app's id")
    client_secret: SecretStr = Described(min_length=1, description="the app's secret")
    refresh_token: SecretStr = Described(
        min_length=1, description="given once for the account; good for a year, renewed each day"
    )
    comments: bool = Described(
        default=False,
        description="whether comments are asked for, which needs TikTok's permission for the Accounts API",
    )
    api: str = Described(default="https://business-api.tiktok.com", description="where the API is")


def verify(app: App, request: Request, context: Context) -> None:
    """https://business-api.tiktok.com/portal/docs?id=1759978341579777."""
    given = PROOF.fullmatch(request.headers.get("tiktok-signature", ""))
    if given is None:
        raise Unverified("no signature")
    signed = given[1].encode() + b"." + request.body
    digest = hmac.new(app.secret.get_secret_value().encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(given[2], digest):
        raise Unverified("another signature")
    if abs(context.now.timestamp() - int(given[1])) > SKEW:
        raise Unverified("signed at another time")


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming | Malformed]:
    yield from webhooks.read(request.json())


def poll(account: Account, cursor: Mapping[str, Any], context: Context) -> Steps[Polled]:
    return polling.poll(account, cursor, context.token, context.now)


def asks_for_comments(account: Account) -> bool:
    return account.comments


def upload(account: Account, media: Media, context: Context) -> Steps[Handle]:
    return files.upload(account, media, context.token)


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """An answer to a comment is a comment, to a message a message, and never the other."""
    if under := sends.video(piece.to, piece.surface):
        answer = yield api.post(account, sends.ANSWER, sends.comment(piece, under), context.token, commits=True)
        return Sent(external_ids=(str(answer.json()["data"]["comment_id"]),))
    answer = yield api.post(account, sends.SEND, sends.message(piece), context.token, commits=True)
    return Sent(external_ids=(answer.json()["data"]["message"]["message_id"],))


def amend(account: Account, wanted: Amendment, context: Context) -> Steps[None]:
    """Of comments: …/portal/docs?id=1762228483080193 (delete), …=1762228456608770 (like). What is gone already is deleted."""
    under = sends.video(wanted.to, wanted.surface)
    match wanted:
        case MarkSeen() if under is None:
            yield api.post(account, sends.SEND, sends.action(wanted.to, "MARK_READ"), context.token)
        case DeletePiece() if under:
            named = {"comment_id": wanted.external_id}
            yield from unless_gone(api.post(account, "business/comment/delete", named, context.token))
        case React() if under:
            does = "LIKE" if wanted.emoji and not wanted.removed else "UNLIKE"
            about = {"video_id": under, "comment_id": wanted.external_id, "action": does}
            yield api.post(account, "business/comment/like", about, context.token)
        case _:
            raise Refusal(
                "unsupported", "TikTok changes no message, and of comments only whether they are there and liked"
            )


def typing(account: Account, mark: TypingMark, context: Context) -> Steps[None]:
    """For five seconds. Nobody sees who writes under a video."""
    if ":" not in mark.to:
        yield api.post(account, sends.SEND, sends.action(mark.to, "TYPING"), context.token)


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    return files.fetch(account, media, context.token)


def profile(account: Account, address: str, peer: str, context: Context) -> Steps[Party]:
    """Of the one person of a conversation; a comment says itself who wrote it."""
    if ":" in peer:
        return Party(address=address)
    answer = yield api.get(account, "business/message/content/list", context.token, conversation_id=peer)
    people = answer.json()["data"].get("participants") or ()
    name = next((one.get("display_name") for one in people if one.get("role") == "PERSONAL_ACCOUNT"), None)
    return Party(address=address, name=name or None, verified="provider")


def refresh(account: Account, known: SecretStr | None, context: Context) -> Steps[Token]:
    """Each refresh token is good until the next is given: https://business-api.tiktok.com/portal/docs?id=1738084387220481."""
    wanted = {
        "client_id": account.client_id,
        "client_secret": account.client_secret.get_secret_value(),
        "grant_type": "refresh_token",
        "refresh_token": (known or account.refresh_token).get_secret_value(),
    }
    answer = yield Http.post_json(api.url(account, "tt_user/oauth2/refresh_token"), wanted)
    told = answer.json()["data"]
    return Token(
        value=SecretStr(told["access_token"]),
        expires_in=timedelta(seconds=told["expires_in"]),
        refresh=SecretStr(told["refresh_token"]),
    )


def register(app: App, account: Account, context: Context) -> Steps[None]:
    """Once for the app, whichever of its accounts asks: https://business-api.tiktok.com/portal/docs?id=1810521279479810."""
    for event in ("DIRECT_MESSAGE", *(("COMMENT",) if account.comments else ())):
        wanted = {"app_id": app.app_id, "secret": app.secret.get_secret_value(), "event_type": event}
        yield Http.post_json(api.url(account, "business/webhook/update"), {**wanted, "callback_url": context.hook})


def window(account: Account, message: Message) -> Window:
    return Window() if message.surface in PUBLIC else Window(until=message.occurred_at + WINDOW)


CHANNEL = Channel(
    name="tiktok",
    docs="https://business-api.tiktok.com/portal/docs?id=1832184403754242",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=sends.TEXT,
        unit="utf16",  # "characters", they say: what fits so fits in any reading
        media={"image": "full"},
        media_bytes=files.MEDIA_BYTES,
        choices="full",
        question=sends.QUESTION,
        options=sends.BUTTONS,
        option_title=sends.BUTTON,
        option_id=sends.BUTTON_ID,
        option_id_unit="utf16",
        reply_to=True,
        typing=True,
        changes={"seen": None},
        starts="nothing",
        comment=Capabilities(
            text=sends.COMMENT,
            unit="utf16",
            changes={"delete": None, "react": None},
            reactions=(sends.LIKE,),
        ),
        per_second=10,
        per_peer_second=1,
    ),
    proof="tiktok-signature",
    verify=verify,
    inbound=inbound,
    poll=poll,
    polled=asks_for_comments,
    upload=upload,
    outbound=outbound,
    join_key=sends.join_key,
    amend=amend,
    typing=typing,
    outcome=outcome,
    fetch=fetch,
    profile=profile,
    refresh=refresh,
    register=register,
    window=window,
)
