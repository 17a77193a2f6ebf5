"""Microsoft Teams, by the Bot Framework's protocol — https://learn.microsoft.com/en-us/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from pydantic import Field as Described, SecretStr

from services.chat_adapter.channels.teams import inbound as activities
from services.chat_adapter.channels.teams.errors import outcome
from services.chat_adapter.channels.teams.outbound import TEXT, compose
from services.chat_adapter.channels.teams.places import HOSTS, SHARED, known_place, names, path, taken_apart
from services.chat_adapter.channels.teams.proof import check_body, endorsed
from services.chat_adapter.channels.teams.reactions import TYPES
from services.chat_adapter.channels.teams.streams import Stream, has_ended, was_stopped
from shared.contract import channel
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
    Piece,
    React,
    Request,
    Response,
    SendFailed,
    Sent,
    Steps,
    Token,
    TypingMark,
    bearer,
    file_at,
    is_trusted,
    unless_gone,
)
from shared.contract.envelope import Media, Part, Text
from shared.contract.readable import otherwise
from shared.dialects.rs256 import claims_of, signers

Json = dict[str, Any]

UUID: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
FILE_BYTES: Final = 100 * 1024 * 1024  # ours: Teams only opens their address
GROWS: Final = timedelta(seconds=1.5)  # …/bots/streaming-ux: texts are gathered for so long, at least a second
# More are not shown, says nobody but who tried: https://github.com/atc0005/go-teams-notify/issues/161
OPTIONS: Final = 6


class App(channel.App):
    """One Azure Bot: Microsoft signs for its app id."""

    app_id: str = Described(pattern=UUID, description="the bot's Microsoft App ID, in small letters")
    openid: str = Described(
        default="https://login.botframework.com/v1/.well-known/openidconfiguration",
        description="where Microsoft tells its keys; in government clouds another address",
    )
    issuer: str = Described(
        default="https://api.botframework.com", description="who signs; in government clouds another"
    )


class Account(channel.Account):
    """One bot in one organisation."""

    app_id: str = Described(pattern=UUID, description="the bot's Microsoft App ID, in small letters")
    directory: str = Described(pattern=UUID, description="the directory (tenant) ID of the people who write")
    home: str = Described(default="", description="the directory that the bot is registered in, where that is another")
    secret: SecretStr = Described(min_length=1, description="a client secret of the bot's app registration")
    api: str = Described(default="https://smba.trafficmanager.net/teams", description="where first messages are sent")
    services: tuple[str, ...] = Described(
        default=(), description="further hosts of Microsoft's that messages may name to be answered at"
    )
    login: str = Described(default="https://login.microsoftonline.com", description="where access tokens are given")

    @property
    def key(self) -> str:
        return f"{self.app_id}@{self.directory}"


def keys(app: App, context: Context) -> Steps[Keys]:
    """In two hops: …/bot-framework-rest-connector-authentication#openid-metadata-document."""
    place = yield Http(method="GET", url=app.openid)
    answer = yield Http(method="GET", url=place.json()["jwks_uri"])
    return Keys(value=signers(answer.json(), endorsed), expires_in=answer.max_age)


def verify(app: App, request: Request, context: Context) -> None:
    """…/bot-framework-rest-connector-authentication#step-4-verify-the-jwt-token. The token does not sign the body, so what is not
    whole is `inbound`'s to refuse.
    """
    claims, signer = claims_of(
        request.headers.get("authorization", ""),
        context.keys,
        audience=[app.app_id],
        issuer=[app.issuer],
        now=context.now,
        require=["serviceurl"],
    )
    if (activity := otherwise(request.json, None)) is not None:
        check_body(activity, claims, signer)


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming | Malformed]:
    yield from activities.read(request.json(), app.app_id)


def accepted(app: App, request: Request, context: Context) -> Response:
    answer = activities.answer_to(request.json())
    return Response() if answer is None else Response.of_json(answer)


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """There is no key of ours that Teams knows a repeat by."""
    if piece.grown and (sent := (yield from _whole(account, piece.part, Stream.of(piece.grown), context))):
        return sent
    base, mentioned = _service(account, piece.route), (piece.reply_to, *reversed(piece.references))
    place = yield from _place(account, context, base, to=piece.to, thread_key=piece.thread_key, mentioned=mentioned)
    answered, name = taken_apart(piece.reply_to or "")
    reply = {"replyToId": name} if name and answered.partition(";")[0] == place.partition(";")[0] else {}
    activity = {**compose(piece.part, context), **reply}
    answer = yield _call(account, context, base, place, activity, commits=True)
    return Sent(external_ids=names(place, answer.json()["id"]))


def _whole(account: Account, part: Part, stream: Stream, context: Context) -> Steps[Sent | None]:
    """The answer in the place of what showed it so far; None where that has gone."""
    call, message = partial(_call, account, context, account.api, stream.place), compose(part, context)
    change = call(message, stream.activity, method="PUT")
    for request in [call(stream.whole(message)), change] if stream.number else [change]:
        try:
            yield request
        except SendFailed as failed:
            if not has_ended(failed) and failed.reason != "bad_address":
                raise
        else:
            return Sent(external_ids=names(stream.place, stream.activity))
    return None


def amend(account: Account, amendment: Amendment, context: Context) -> Steps[None]:
    """…/bots/how-to/update-and-delete-bot-messages, and for reactions https://microsoft.github.io/teams-sdk."""
    place, name = taken_apart(amendment.external_id)
    call = partial(_call, account, context, account.api, place)
    match amendment:
        case EditPiece(part=part):
            yield call(compose(part, context), name, method="PUT")
        case DeletePiece():
            yield from unless_gone(call(None, name, method="DELETE"))
        case React(emoji=str() as emoji) if emoji not in TYPES:
            raise SendFailed("unsupported", f"Teams has no reaction {emoji}")
        case React(emoji=str() as emoji, removed=False):
            yield call(None, name, "reactions", TYPES[emoji], method="PUT")
        case React(emoji=emoji):
            for kind in [TYPES[emoji]] if emoji else TYPES.values():
                yield from unless_gone(call(None, name, "reactions", kind, method="DELETE"))


def typing(account: Account, mark: TypingMark, context: Context) -> Steps[None]:
    """…/bot-framework-rest-connector-api-reference#activity-object: type."""
    place = yield from _place(
        account, context, account.api, to=mark.to, thread_key=mark.thread_key, mentioned=(mark.reply_to,)
    )
    yield _call(account, context, account.api, place, {"type": "typing"})


def grow(account: Account, piece: Piece, context: Context) -> Steps[str]:
    """Streamed, which only a person's own chat shows; after its two minutes it is a message that is changed."""
    mark = TypingMark(to=piece.to, reply_to=piece.reply_to, thread_key=piece.thread_key)
    if piece.to.startswith(SHARED) or not isinstance(piece.part, Text):
        yield from typing(account, mark, context)
        return ""
    stream = Stream.of(piece.grown) if piece.grown else None
    if stream is None:
        mentioned = (piece.reply_to, *reversed(piece.references))
        place = yield from _place(account, context, account.api, to=piece.to, thread_key=None, mentioned=mentioned)
        begun = Stream(place, "", 0).so_far(piece.part.text)
        answer = yield _call(account, context, account.api, place, begun, commits=True)
        return Stream(place, answer.json()["id"], 1).name
    call = partial(_call, account, context, account.api, stream.place)
    if stream.number:
        try:
            yield call(stream.so_far(piece.part.text))
        except SendFailed as failed:
            if not has_ended(failed) or was_stopped(failed):
                raise
        else:
            return replace(stream, number=stream.number + 1).name
    yield call(compose(piece.part, context), stream.activity, method="PUT")
    return replace(stream, number=0).name


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    """Pictures within a text lie at Teams, which wants the token; files where their sender keeps them, which does not get it."""
    yield from ()
    hosts = HOSTS | {*account.services}
    return Download.of(media, file_at(media.handle or "", account.api, hosts, headers=bearer(context.token)))


def refresh(account: Account, token: SecretStr | None, context: Context) -> Steps[Token]:
    """By client credentials: …/bot-framework-rest-connector-authentication#bot-to-connector."""
    asked = {
        "grant_type": "client_credentials",
        "client_id": account.app_id,
        "client_secret": account.secret.get_secret_value(),
        "scope": "https://api.botframework.com/.default",
    }
    answer = yield Http(
        url=f"{account.login}/{account.home or account.directory}/oauth2/v2.0/token",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=urlencode(asked).encode(),
    )
    told = answer.json()
    return Token(value=SecretStr(told["access_token"]), expires_in=timedelta(seconds=told["expires_in"]))


def _service(account: Account, route: str | None) -> str:
    """Where a message is answered: at the address that came with it, if the token may go there."""
    return route if route and is_trusted(route, account.api, HOSTS | {*account.services}) else account.api


def _place(
    account: Account, context: Context, base: str, *, to: str, thread_key: str | None, mentioned: Iterable[str | None]
) -> Generator[Http, Response, str]:
    """The conversation; with a person of whom nothing is known yet it is asked for, and is always the same one.

    …/bot-framework-rest-connector-api-reference#create-conversation
    """
    if place := known_place(to, thread_key, mentioned):
        return place
    asked = {
        "isGroup": False,
        "bot": {"id": f"28:{account.app_id}"},
        "members": [{"id": to}],
        "tenantId": account.directory,
        "channelData": {"tenant": {"id": account.directory}},
    }
    answer = yield _post(f"{base.rstrip('/')}/v3/conversations", asked, context)
    conversation: str = answer.json()["id"]
    return conversation


def _call(
    account: Account,
    context: Context,
    base: str,
    place: str,
    activity: Json | None,
    *name: str,
    method: str = "POST",
    commits: bool = False,
) -> Http:
    url = f"{base.rstrip('/')}/v3/conversations/{path(place, 'activities', *name)}"
    content = {} if activity is None else {**activity, "from": {"id": f"28:{account.app_id}"}}
    return _post(url, content, context, method=method, commits=commits)


def _post(url: str, content: Json, context: Context, *, method: str = "POST", commits: bool = False) -> Http:
    """Limits are counted by conversation above all: …/bots/how-to/rate-limit."""
    headers = {**bearer(context.token), **({"content-type": "application/json"} if content else {})}
    body = orjson.dumps(content) if content else b""
    return Http(method=method, url=url, headers=headers, body=body, commits=commits, throttles="peer")


CHANNEL = Channel(
    name="teams",
    docs="https://learn.microsoft.com/en-us/microsoftteams/platform/bots/what-are-bots",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=TEXT,
        unit="utf16",
        media={"image": "full", "video": "degraded", "audio": "degraded", "file": "full", "sticker": "degraded"},
        media_bytes=FILE_BYTES,
        choices="full",
        options=OPTIONS,
        option_title=50,
        option_id=500,
        reply_to=True,
        typing=True,
        grows=GROWS,
        changes={"edit": None, "delete": None, "react": None},
        reactions=tuple(TYPES),
        one_reaction=False,
        per_second=30,
        per_peer_second=2,
    ),
    signed=False,
    proof="authorization",
    keys=keys,
    verify=verify,
    inbound=inbound,
    accepted=accepted,
    outbound=outbound,
    amend=amend,
    typing=typing,
    grow=grow,
    outcome=outcome,
    fetch=fetch,
    refresh=refresh,
)
