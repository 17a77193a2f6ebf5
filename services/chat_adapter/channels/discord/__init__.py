"""Discord: gateway, interactions, HTTP API — https://docs.discord.com/developers/reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Final
from urllib.parse import quote

import orjson
from pydantic import Field as Described, SecretStr

from services.chat_adapter.channels.discord import gateway, inbound as events, places
from services.chat_adapter.channels.discord.errors import limit, outcome
from services.chat_adapter.channels.discord.outbound import (
    FILES,
    ID,
    LABEL,
    ROW,
    ROWS,
    TEXT,
    compose,
    form,
    so_far,
    words,
)
from shared.contract import channel
from shared.contract.channel import (
    Amendment,
    Capabilities,
    Channel,
    Context,
    DeletePiece,
    Download,
    EditPiece,
    Form,
    Http,
    Incoming,
    Malformed,
    Piece,
    React,
    Request,
    Response,
    SendFailed,
    Sent,
    Socket,
    Steps,
    TypingMark,
    Unverified,
    file_at,
    is_trusted,
    unless_gone,
)
from shared.contract.envelope import Media
from shared.contract.readable import each, otherwise
from shared.dialects.stamped import check_ed25519, check_time

FILE_BYTES: Final = 10 * 1024 * 1024  # …/developers/reference#uploading-files
GROWS: Final = timedelta(seconds=2)  # ours; how many edits there may be Discord tells with its answers
PONG, MESSAGE, LATER, SUGGESTED = 1, 4, 6, 8  # …#interaction-response-object-interaction-callback-type
EPHEMERAL: Final = 64
# …/events/gateway#list-of-intents: messages and reactions in servers, both and typing in direct messages, what they hold
INTENTS: Final = 1 << 9 | 1 << 10 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15
NAME: Final = r"^\d{17,20}$"


class App(channel.App):
    """One Discord application: it signs interactions."""

    public_key: str = Described(
        pattern=r"^[0-9a-f]{64}$", description="the application's public key, of its General Information"
    )


class Account(channel.Account):
    """One bot."""

    called_by: ClassVar[str] = "application_id"
    application_id: str = Described(pattern=NAME, description="the application's id, of its General Information")
    token: SecretStr = Described(min_length=1, description="the bot's token, of its Bot page")
    bot_id: str = Described(
        default="",
        pattern=r"^(\d{17,20})?$",
        description="the bot's own user id, of bots from before 2016, where it is not the application's",
    )
    intents: int = Described(
        default=INTENTS, ge=0, lt=1 << 31, description="which events Discord tells, as the sum of its gateway intents"
    )
    shards: int = Described(default=1, ge=1, le=1000, description="connections that share the bot's servers")
    api: str = Described(default="https://discord.com/api/v10", description="where the HTTP API is")

    @property
    def bot(self) -> str:
        return self.bot_id or self.application_id


def verify(app: App, request: Request, context: Context) -> None:
    """…/interactions/overview#setting-up-an-endpoint: Ed25519 over the time and the body as it was sent."""
    stamp = request.headers.get("x-signature-timestamp", "")
    check_time(stamp, context.now)
    given = request.headers.get("x-signature-ed25519", "")
    if len(given) != 128 or given != given.lower():
        raise Unverified("no signature")
    check_ed25519(bytes.fromhex(app.public_key), bytes.fromhex(given), stamp.encode() + request.body)


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming | Malformed]:
    """Interactions alone come by webhook; what is said comes over the gateway."""
    told = request.json()
    known = events.Known(told["application_id"], told["application_id"], context.now)
    return each(lambda one: events.interaction(one, known), [told])


def accepted(app: App, request: Request, context: Context) -> Response:
    """A button stays as it is; whoever sent a command or a form alone sees that it has arrived."""
    told = request.json()
    kind = otherwise(lambda: told["type"], None)
    if kind == events.PING:
        return Response.of_json({"type": PONG})
    if kind == events.SUGGEST:
        return Response.of_json({"type": SUGGESTED, "data": {"choices": []}})
    if kind == events.COMPONENT:
        return Response.of_json({"type": LATER})
    return Response.of_json({"type": MESSAGE, "data": {"content": "\u2705", "flags": EPHEMERAL}})


def connect(account: Account, cursor: Mapping[str, Any], context: Context) -> Steps[str]:
    """Where the session was, or where a new one begins: …/events/gateway#get-gateway-bot."""
    if (url := cursor.get("url")) and cursor.get("session") and _is_discords(account, url):
        yield from ()
        return f"{url.rstrip('/')}{gateway.QUERY}"
    told = (yield _call(account, "GET", "gateway/bot")).json()
    limit = told["session_start_limit"]
    if limit["remaining"] <= 0:
        wait = timedelta(milliseconds=limit["reset_after"])
        raise SendFailed("throttled", "no session may be begun any more today", retry_after=wait)
    if not _is_discords(account, told["url"]):
        raise SendFailed("refused", "the gateway is at an address that is not Discord's")
    return f"{told['url'].rstrip('/')}{gateway.QUERY}"


def _is_discords(account: Account, url: str) -> bool:
    """The token is shown there, so it is of discord.gg, or where the API is."""
    return is_trusted(url, account.api.replace("http", "ws", 1), ("discord.gg", ".discord.gg"), scheme="wss")


def socket(account: Account, cursor: Mapping[str, Any], context: Context) -> Socket:
    chance = int((context.nonce or "8")[:8], 16) / 16 ** len((context.nonce or "8")[:8])
    session = gateway.Session(
        token=account.token,
        key=account.key,
        bot=account.bot,
        intents=account.intents,
        shard=(context.shard, account.shards),
        cursor=dict(cursor),
        chance=chance,
    )
    return gateway.talk(session, context)


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """The nonce is remembered for a few minutes, and gives the same message then: …/resources/message#create-message."""
    place, message, sent = (yield from _place(account, piece.to)), compose(piece), piece.files
    if piece.grown and (yield from _is_whole(account, piece, f"channels/{place}/messages/{piece.grown}")):
        return Sent(external_ids=(piece.grown,))
    path = f"channels/{place}/messages"
    answer = yield _call(account, "POST", path, form(message, sent) if sent else message, commits=True)
    return Sent(external_ids=(answer.json()["id"],), join_key=join_key(piece))


def _is_whole(account: Account, piece: Piece, path: str) -> Steps[bool]:
    """Whether the answer stands in the place of what showed it so far; not where that has gone."""
    message, sent = {"content": "", **words(piece.part)}, piece.files
    change = _call(account, "PATCH", path, form(message, sent) if sent else message)
    return (yield from unless_gone(change)) is not None


def join_key(piece: Piece) -> str:
    return places.nonce(piece.id, piece.to)


def amend(account: Account, amendment: Amendment, context: Context) -> Steps[None]:
    """…/resources/message#edit-message, #delete-message, #create-reaction."""
    path = f"channels/{yield from _place(account, amendment.to)}/messages/{quote(amendment.external_id, safe='')}"
    match amendment:
        case EditPiece(part=part):
            yield _call(account, "PATCH", path, words(part))
        case DeletePiece():
            yield from unless_gone(_call(account, "DELETE", path))
        case React(emoji=None):
            shown = (yield _call(account, "GET", path)).json().get("reactions", ())
            for one in [one["emoji"] for one in shown if one["me"]]:
                yield _reaction(account, "DELETE", path, f"{one['name']}:{one['id']}" if one.get("id") else one["name"])
        case React(emoji=str(emoji), removed=removed):
            yield _reaction(account, "DELETE" if removed else "PUT", path, emoji)


def _reaction(account: Account, method: str, path: str, emoji: str) -> Http:
    return _call(account, method, f"{path}/reactions/{quote(emoji, safe='')}/@me")


def typing(account: Account, mark: TypingMark, context: Context) -> Steps[None]:
    """For ten seconds: …/resources/channel#trigger-typing-indicator."""
    place = yield from _place(account, mark.to)
    yield _call(account, "POST", f"channels/{place}/typing")


def grow(account: Account, piece: Piece, context: Context) -> Steps[str]:
    """A message that is edited, as far as its channel's bucket allows: …/resources/message#edit-message."""
    path = f"channels/{yield from _place(account, piece.to)}/messages"
    if piece.grown:
        yield _call(account, "PATCH", f"{path}/{piece.grown}", words(piece.part))
        return piece.grown
    name: str = (yield _call(account, "POST", path, so_far(piece), commits=True)).json()["id"]
    return name


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    """Files are public to whoever has their address, which is good for a day; no token goes there."""
    yield from ()
    return Download.of(media, file_at(media.handle or "", account.api))


def register(app: App, account: Account, context: Context) -> Steps[None]:
    """Whether token, id and key are of one application; and where its interactions go, which Discord tries at once."""
    told = (yield _call(account, "GET", "applications/@me")).json()
    if (told["id"], told["verify_key"]) != (account.application_id, app.public_key):
        raise SendFailed("auth", f"the token is of the application {told['id']}: mend application_id or public_key")
    if context.hook and told.get("interactions_endpoint_url") != context.hook:
        yield _call(account, "PATCH", "applications/@me", {"interactions_endpoint_url": context.hook})


def _place(account: Account, to: str) -> Steps[str]:
    """A person's chat with the bot is opened, or is the one that there is: …/resources/user#create-dm."""
    if not places.is_person(to):
        return quote(to, safe="")
    opened = yield _call(account, "POST", "users/@me/channels", {"recipient_id": to[1:]})
    return quote(opened.json()["id"], safe="")


def _call(
    account: Account, method: str, path: str, content: Mapping[str, Any] | Form | None = None, *, commits: bool = False
) -> Http:
    """A bucket is of a kind of request and, where there is one, of a channel: …/topics/rate-limits."""
    body: bytes | Form = content if isinstance(content, tuple) else orjson.dumps(content) if content else b""
    headers = {"authorization": f"Bot {account.token.get_secret_value()}"}
    if isinstance(body, bytes) and body:
        headers["content-type"] = "application/json"
    first, place, *rest = (*path.split("/"), "", "")
    counts = (f"{method} {first}/{next(iter(rest), '')}", place) if first == "channels" else ()
    return Http(method=method, url=f"{account.api}/{path}", headers=headers, body=body, commits=commits, counts=counts)


CHANNEL = Channel(
    name="discord",
    docs="https://docs.discord.com/developers/intro",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=TEXT,
        unit="utf16",
        caption=TEXT,
        media={"image": "full", "audio": "full", "video": "full", "file": "full", "sticker": "full"},
        media_bytes=FILE_BYTES,
        choices="full",
        options=ROW * ROWS,
        option_title=LABEL,
        option_id=ID,
        option_id_unit="utf16",
        reply_to=True,
        typing=True,
        grows=GROWS,
        starts="free_text",
        attachments=FILES,
        changes={"edit": None, "delete": None, "react": None},
        one_reaction=False,
        per_second=40,  # of the 50 of …/topics/rate-limits#global-rate-limit
        per_peer_second=1,
        idempotent_for=timedelta(minutes=2),  # "the past few minutes"
    ),
    proof="x-signature-ed25519",
    verify=verify,
    inbound=inbound,
    accepted=accepted,
    connect=connect,
    socket=socket,
    shards=lambda account: account.shards,
    outbound=outbound,
    join_key=join_key,
    amend=amend,
    typing=typing,
    grow=grow,
    outcome=outcome,
    limit=limit,
    fetch=fetch,
    register=register,
)
