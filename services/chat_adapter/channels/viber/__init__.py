"""Viber bots — https://creators.viber.com/docs/bots-api/welcome."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any, Final

from pydantic import Field as Described, SecretStr

from services.chat_adapter.channels.viber import inbound as webhooks
from services.chat_adapter.channels.viber.errors import cost_of, outcome
from services.chat_adapter.channels.viber.outbound import FILE_BYTES, ID, OPTIONS, SENDER, TEXT, TITLE, compose
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
    Response,
    SendFailed,
    Sent,
    Steps,
    Unverified,
    file_at,
)
from shared.contract.envelope import Media
from shared.contract.readable import otherwise

# …/getting-started/web-hooks#event-filtering: the others cannot be left out
EVENTS: Final = ("delivered", "seen", "failed", "subscribed", "unsubscribed", "conversation_started")


class App(channel.App):
    """One bot: Viber signs with its token."""

    token: SecretStr = Described(min_length=1, description="the bot's authentication token, with which Viber signs")
    welcome: str = Described(
        default="", max_length=TEXT, description="what whoever opens the chat reads before they have written"
    )
    sender: str = Described(default="", max_length=SENDER, description="the name above the welcome")


class Account(channel.Account):
    """The same bot, as it sends."""

    token: SecretStr = Described(min_length=1, description="the bot's authentication token")
    sender: str = Described(min_length=1, max_length=SENDER, description="the name above what is sent")
    api: str = Described(default="https://chatapi.viber.com", description="where the API is")


def verify(app: App, request: Request, context: Context) -> None:
    """https://developers.viber.com/docs/api/rest-bot-api/#callbacks."""
    digest = hmac.new(app.token.get_secret_value().encode(), request.body, hashlib.sha256).hexdigest()
    given = request.headers.get("x-viber-content-signature", "").encode(errors="surrogatepass")
    if not hmac.compare_digest(given, digest.encode()):
        raise Unverified("another signature")


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming | Malformed]:
    yield from webhooks.read(request.json(), app.account_key)


def accepted(app: App, request: Request, context: Context) -> Response:
    """One message may go to who has not written: in the answer to their opening the chat (…/resources/messaging/welcome-message)."""
    opened = otherwise(lambda: request.json()["event"] == "conversation_started", False)
    if not (opened and app.welcome):
        return Response()
    return Response.of_json({"sender": {"name": app.sender or app.name}, "type": "text", "text": app.welcome})


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """Viber takes no key of ours: what it did not answer is not sent again."""
    answer = yield _post(account, "send_message", compose(piece, account.sender, context.link), commits=True)
    said = answer.json()
    return Sent(external_ids=(str(said["message_token"]),), cost=cost_of(said))


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    """Where it stands, for whoever has the address; the token goes to the API alone."""
    yield from ()
    return Download.of(media, file_at(media.handle or "", account.api))


def register(app: App, account: Account, context: Context) -> Steps[None]:
    """Where Viber sends; it calls there before it answers (…/getting-started/web-hooks)."""
    if app.token.get_secret_value() != account.token.get_secret_value():
        raise SendFailed("auth", "the app's token and the account's differ: both are the token of the one bot")
    yield _post(account, "set_webhook", {"url": context.hook, "event_types": EVENTS, "send_name": True})


def _post(account: Account, path: str, content: dict[str, Any], *, commits: bool = False) -> Http:
    """A limit that is reached is of one person: 100 messages an hour without an answer (…/resources/messaging/send-message)."""
    headers = {"x-viber-auth-token": account.token.get_secret_value()}
    return Http.post_json(
        f"{account.api}/pa/{path}",
        content,
        headers=headers,
        commits=commits,
        throttles="peer" if commits else "account",
    )


CHANNEL = Channel(
    name="viber",
    docs="https://creators.viber.com/docs/bots-api/welcome",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=TEXT,
        unit="utf16",
        media={"image": "full", "video": "full", "file": "full", "audio": "degraded", "sticker": "degraded"},
        media_bytes=FILE_BYTES,
        choices="full",
        options=OPTIONS,
        option_title=TITLE,
        option_id=ID,
        linked=0,  # what opens a page would come back as words of the person's
        location="full",
    ),
    proof="x-viber-content-signature",
    verify=verify,
    inbound=inbound,
    accepted=accepted,
    outbound=outbound,
    outcome=outcome,
    fetch=fetch,
    register=register,
)
