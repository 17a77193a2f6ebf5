"""Slack: Events API by webhook or socket, interactivity, Web API — https://docs.slack.dev."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from services.chat_adapter.channels.slack import inbound as requests
from services.chat_adapter.channels.slack.amending import amend
from services.chat_adapter.channels.slack.calls import call
from services.chat_adapter.channels.slack.errors import outcome
from services.chat_adapter.channels.slack.outbound import BUTTONS, FILES, LABEL, TEXT, VALUE
from services.chat_adapter.channels.slack.people import profile
from services.chat_adapter.channels.slack.sending import grow, outbound, typing
from services.chat_adapter.channels.slack.settings import Account, App
from services.chat_adapter.channels.slack.sharing import fetch
from services.chat_adapter.channels.slack.socket import talk
from shared.contract.channel import (
    Capabilities,
    Channel,
    Context,
    Http,
    Incoming,
    Malformed,
    Request,
    Response,
    SendFailed,
    Socket,
    Steps,
    Unverified,
)
from shared.contract.readable import otherwise
from shared.dialects.stamped import check_time

FILE_BYTES: Final = 200 * 1024 * 1024  # of the 1 GB that Slack keeps, what one call carries in its time
GROWS: Final = timedelta(seconds=3)  # chat.update is tier 3, 50 a minute in a workspace: …/apis/web-api/rate-limits


def verify(app: App, request: Request, context: Context) -> None:
    """https://docs.slack.dev/authentication/verifying-requests-from-slack."""
    stamp = request.headers.get("x-slack-request-timestamp", "")
    check_time(stamp, context.now)
    signed = b"v0:%b:%b" % (stamp.encode(), request.body)
    digest = hmac.digest(app.secret.get_secret_value().encode(), signed, hashlib.sha256).hex()
    given = request.headers.get("x-slack-signature", "").encode(errors="surrogatepass")
    if not hmac.compare_digest(given, f"v0={digest}".encode()):
        raise Unverified("another signature")


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming | Malformed]:
    yield from requests.read(requests.payload(request.body), context.now)


def accepted(app: App, request: Request, context: Context) -> Response:
    """An address is taken when it says the word back: https://docs.slack.dev/reference/events/url_verification."""
    if b'"url_verification"' in request.body:
        word = otherwise(lambda: requests.payload(request.body)["challenge"], None)
        return Response.of_json({"challenge": word}) if isinstance(word, str) else Response()
    return Response()


def connect(account: Account, cursor: Mapping[str, Any], context: Context) -> Steps[str]:
    """https://docs.slack.dev/reference/methods/apps.connections.open."""
    told = (yield Http.post_json(f"{account.api}/apps.connections.open", {}, token=account.app_token)).json()
    address: str = told["url"]
    return address


def socket(account: Account, cursor: Mapping[str, Any], context: Context) -> Socket:
    """Slack keeps what is not acknowledged, so there is no place to go on from."""
    return (yield from talk(context.now))


def register(app: App, account: Account, context: Context) -> Steps[None]:
    """Whether the token is of this workspace. Where Slack sends is entered in the app's settings (docs/channels/slack.md)."""
    told = (yield call(account, "auth.test", {})).json()
    found = told.get("enterprise_id") if account.team.startswith("E") else told["team_id"]
    if found != account.team:
        raise SendFailed("auth", f"the token is of {found}, and team is {account.team}")


CHANNEL = Channel(
    name="slack",
    docs="https://docs.slack.dev",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=TEXT,
        caption=TEXT,
        media={"image": "full", "audio": "full", "video": "full", "file": "full", "sticker": "full"},
        media_bytes=FILE_BYTES,
        choices="full",
        options=BUTTONS,
        option_title=LABEL,
        option_id=VALUE,
        reply_to=True,
        typing=True,
        grows=GROWS,
        attachments=FILES,
        changes={"edit": None, "delete": None, "react": None},
        one_reaction=False,
        per_second=5,  # "several hundred messages per minute" for a workspace: …/apis/web-api/rate-limits
        per_peer_second=1,
    ),
    proof="x-slack-signature",
    verify=verify,
    inbound=inbound,
    accepted=accepted,
    connect=connect,
    socket=socket,
    shards=lambda account: account.connections if account.app_token.get_secret_value() else 0,
    outbound=outbound,
    amend=amend,
    typing=typing,
    grow=grow,
    outcome=outcome,
    fetch=fetch,
    profile=profile,
    register=register,
)
