"""Google Chat, by its API for apps — https://developers.google.com/workspace/chat/api/reference/rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

from pydantic import SecretStr

from services.chat_adapter.channels.googlechat import inbound as events
from services.chat_adapter.channels.googlechat.errors import outcome
from services.chat_adapter.channels.googlechat.outbound import TEXT, compose
from services.chat_adapter.channels.googlechat.places import split
from services.chat_adapter.channels.googlechat.proof import ACCOUNTS, ADDRESSES, CHAT, check
from services.chat_adapter.channels.googlechat.requests import ask, change
from services.chat_adapter.channels.googlechat.sending import grow, outbound, own_name
from services.chat_adapter.channels.googlechat.settings import Account, App
from shared.contract.channel import (
    Amendment,
    Capabilities,
    Channel,
    Context,
    DeletePiece,
    Download,
    EditPiece,
    Http,
    Incoming,
    Keys,
    Malformed,
    Request,
    Response,
    Steps,
    Token,
    bearer,
    unless_gone,
)
from shared.contract.envelope import Media, Party
from shared.dialects import google
from shared.dialects.rs256 import claims_of, signers

Json = dict[str, Any]

SCOPE: Final = "https://www.googleapis.com/auth/chat.bot"
GROWS: Final = timedelta(seconds=2)  # a space takes one write a second, of all apps in it: …/workspace/chat/limits


def keys(app: App, context: Context) -> Steps[Keys]:
    """Of Chat and of Google's ID tokens: …/workspace/chat/verify-requests-from-chat."""
    found: dict[str, Json] = {}
    ages = []
    for of, address in ADDRESSES:
        answer = yield Http(method="GET", url=address.format(app.certs))
        found |= signers(answer.json(), lambda _, of=of: {"of": of})  # type: ignore[misc]
        ages += [answer.max_age] if answer.max_age else []
    return Keys(value=found, expires_in=min(ages, default=None))


def verify(app: App, request: Request, context: Context) -> None:
    """The token does not sign the body, so what is not whole is `inbound`'s to refuse."""
    endpoint = app.audience or context.hook
    claims, signer = claims_of(
        request.headers.get("authorization", ""),
        context.keys,
        audience=[app.project, *([endpoint] if endpoint else [])],
        issuer=[CHAT, *ACCOUNTS],
        now=context.now,
        require=["iat"],
    )
    check(claims, signer, project=app.project, endpoint=endpoint, publishers=app.publishers)


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming | Malformed]:
    yield from events.read(request.json(), app)


def accepted(app: App, request: Request, context: Context) -> Response:
    """Nothing is said in the answer, which Chat shows as it is: …/workspace/chat/receive-respond-interactions."""
    return Response.of_json({})


def amend(account: Account, amendment: Amendment, context: Context) -> Steps[None]:
    """…/workspace/chat/update-messages, …/delete-messages. Only people react: …/spaces.messages.reactions/create "requires user authentication"."""
    match amendment:
        case EditPiece(part=part, external_id=name):
            yield change(account, name, compose(part, context.link, context.hook), context)
        case DeletePiece(external_id=name):
            url = f"{account.api}/v1/{quote(name)}"
            yield from unless_gone(Http(method="DELETE", url=url, headers=bearer(context.token), throttles="peer"))


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    """…/reference/rest/v1/media/download. A GIF lies elsewhere, and does not get the token."""
    yield from ()
    handle = media.handle or ""
    if handle.startswith(("https://", "http://")):
        file = Http(method="GET", url=handle, stranger=True)
    else:
        file = ask(account, f"media/{quote(handle)}?alt=media", context)
    return Download.of(media, file)


def profile(account: Account, address: str, peer: str, context: Context) -> Steps[Party]:
    """A member of a space, since subscriptions tell of people by their ids only: …/reference/rest/v1/spaces.members/get."""
    space, _ = split(peer)
    if not space or not address.startswith("users/"):
        return Party(address=address)
    answer = yield ask(account, f"{quote(space)}/members/{quote(address.removeprefix('users/'))}", context)
    return Party(address=address, name=answer.json()["member"].get("displayName"), verified="provider")


def refresh(account: Account, token: SecretStr | None, context: Context) -> Steps[Token]:
    return google.access(account, SCOPE, context)


CHANNEL = Channel(
    name="googlechat",
    docs="https://developers.google.com/workspace/chat/overview",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=TEXT,
        unit="bytes",
        caption=4000,
        media={"image": "full", "file": "full", "video": "degraded", "audio": "degraded", "sticker": "degraded"},
        media_bytes=100 * 1024 * 1024,  # ours: Chat only opens their address
        choices="full",
        options=10,
        option_title=40,
        option_title_unit="code_points",
        option_id=500,
        option_id_unit="bytes",
        grows=GROWS,
        changes={"edit": None, "delete": None},
        per_second=50,
        per_peer_second=1,
        idempotent_for=timedelta(days=1),
    ),
    signed=False,
    proof="authorization",
    keys=keys,
    verify=verify,
    inbound=inbound,
    accepted=accepted,
    outbound=outbound,
    join_key=own_name,
    amend=amend,
    grow=grow,
    outcome=outcome,
    fetch=fetch,
    profile=profile,
    refresh=refresh,
)
