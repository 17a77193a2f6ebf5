"""Slack: Events API by webhook or socket, interactivity, Web API — https://docs.slack.dev."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode, urlsplit

import orjson
from pydantic import Field as Described, SecretStr

from services.chat_adapter.channels.slack import inbound as requests, places
from services.chat_adapter.channels.slack.errors import outcome
from services.chat_adapter.channels.slack.outbound import (
    BUTTONS,
    FILES,
    LABEL,
    TEXT,
    VALUE,
    comment,
    compose,
    files,
    so_far,
    words,
)
from services.chat_adapter.channels.slack.socket import talk
from services.chat_adapter.channels.slack.words import short_name
from shared.contract import channel
from shared.contract.channel import (
    Amendment,
    Blob,
    Capabilities,
    Channel,
    Context,
    DeletePiece,
    Download,
    EditPiece,
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
)
from shared.contract.envelope import Media, Model, Party
from shared.contract.readable import otherwise

SKEW: Final = 300  # seconds: …/authentication/verifying-requests-from-slack
FILE_BYTES: Final = 200 * 1024 * 1024  # of the 1 GB that Slack keeps, what one call carries in its time
LONG: Final = timedelta(minutes=2)
GROWS: Final = timedelta(seconds=3)  # chat.update is tier 3, 50 a minute in a workspace: …/apis/web-api/rate-limits


class App(channel.App):
    """One Slack app, which may be installed in many workspaces: Slack signs with its secret."""

    secret: SecretStr = Described(min_length=1, description="the signing secret, of the app's Basic Information")


class Account(channel.Account):
    """One installation: a workspace, or all of an organisation's."""

    team: str = Described(
        pattern=r"^[TE][A-Z0-9]{2,30}$",
        description="the workspace's id (T…); of an installation for a whole organisation the organisation's (E…)",
    )
    token: SecretStr = Described(min_length=1, description="the bot token (xoxb-…), of the app's OAuth & Permissions")
    agent: bool = Described(
        default=False,
        description="the app is an agent (agent_view or assistant_view): in direct messages each message is answered "
        "in its own thread",
    )
    app_token: SecretStr = Described(
        default=SecretStr(""),
        description="the app's own token (xapp-…, scope connections:write), for one of its accounts: what people write comes by "
        "Socket Mode then, where Slack cannot reach us",
    )
    connections: int = Described(default=1, ge=1, le=10, description="how many sockets are open at once in Socket Mode")
    api: str = Described(default="https://slack.com/api", description="where the Web API is")

    @property
    def key(self) -> str:
        return self.team


def verify(app: App, request: Request, context: Context) -> None:
    """https://docs.slack.dev/authentication/verifying-requests-from-slack."""
    stamp = request.headers.get("x-slack-request-timestamp", "")
    if not (stamp.isascii() and stamp.isdecimal()) or abs(context.now.timestamp() - int(stamp)) > SKEW:
        raise Unverified("signed too long ago")
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


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """Slack documents no key by which a post may be repeated. Its echo carries the piece's id, as metadata."""
    place, person = places.split(piece.to)
    where, thread = places.target(piece, agent=account.agent)
    if piece.grown and (sent := (yield from _whole(account, piece, piece.grown))):
        return sent
    if files(piece):
        if person:
            raise SendFailed("unsupported", "Slack takes no file that one person of a channel alone would see")
        return (yield from _share(account, piece, where, thread))
    content = compose(piece)
    if person:
        return (yield from _whisper(account, piece, place, person, content))
    message = {"channel": where, **({"thread_ts": thread} if thread else {}), **content}
    told = (yield _call(account, "chat.postMessage", message, commits=True)).json()
    name, others = places.names(told["channel"], told["ts"], thread)
    return Sent(external_ids=(name, *others))


def _whole(account: Account, piece: Piece, grown: str) -> Steps[Sent | None]:
    """The answer in the place of what showed it so far; None where that has gone, or cannot say it and is taken away."""
    channel, ts = places.stands(grown)
    if files(piece):
        yield from _delete(account, channel, ts)
        return None
    try:
        yield _call(account, "chat.update", {"channel": channel, "ts": ts, **compose(piece)})
    except SendFailed as failed:
        if not failed.detail.startswith("message_not_found"):
            raise
        return None
    name, plain = grown, f"{channel}:{ts}"
    return Sent(external_ids=(name, plain) if name != plain else (name,))


def _whisper(account: Account, piece: Piece, place: str, person: str, content: dict[str, Any]) -> Steps[Sent]:
    """What only this person sees: where their command or press said, which needs no membership; else as a member of the
    channel. Neither has an echo.
    """
    if piece.route:
        answer = {name: value for name, value in content.items() if name != "metadata"}
        body = orjson.dumps({"response_type": "ephemeral", "replace_original": False, **answer})
        kind, secret = {"content-type": "application/json"}, _path(piece.route)
        yield Http(url=piece.route, headers=kind, body=body, commits=True, stranger=True, secret=secret)
        return Sent(join_key=piece.id)
    ephemeral = {"channel": place, "user": person, **content}
    told = (yield _call(account, "chat.postEphemeral", ephemeral, commits=True)).json()
    return Sent(external_ids=(places.names(place, told["message_ts"], None)[0],))


def _share(account: Account, piece: Piece, where: str, thread: str | None) -> Steps[Sent]:
    """All files in one message, with the words above them: https://docs.slack.dev/messaging/working-with-files#upload.

    The answer does not name the message; its echo has the file. Where no answer came, the file tells whether it was shared.
    """
    uploaded: list[dict[str, str]] = []
    for file in files(piece):
        uploaded += [(yield from _upload(account, file))]
    place = {
        "channels" if places.is_person(where) else "channel_id": where,
        **({"thread_ts": thread} if thread else {}),
    }
    above = {"initial_comment": said} if (said := comment(piece)) else {}
    try:
        yield _call(account, "files.completeUploadExternal", {"files": uploaded, **place, **above}, commits=True)
    except SendFailed as failed:
        if failed.reason != "unknown":
            raise
        found = yield from _shared_as(account, uploaded[0]["id"], failed)
        return Sent(external_ids=found)
    return Sent(join_key=uploaded[0]["id"])


def _upload(account: Account, file: Media) -> Steps[dict[str, str]]:
    """Not seen by anybody until it is shared."""
    if file.blob is None or file.size is None:
        raise SendFailed("malformed", "the file is not stored; upload it first")
    name = file.name or "file"
    told = (yield _ask(account, "files.getUploadURLExternal", {"filename": name, "length": str(file.size)})).json()
    blob = Blob(file.blob, file.mime_type or "application/octet-stream", name, file.size)
    yield Http(url=told["upload_url"], body=blob, secret=_path(told["upload_url"]), timeout=LONG)
    return {"id": told["file_id"], "title": name}


def _shared_as(account: Account, file: str, failed: SendFailed) -> Steps[tuple[str, ...]]:
    """What the message is called that has the file; `failed` where that cannot be learned, or is none yet."""
    try:
        told = (yield _ask(account, "files.info", {"file": file})).json()
    except SendFailed:
        raise failed from None
    shares = [one for kind in told["file"].get("shares", {}).values() for one in kind.items()]
    if not shares:
        raise failed
    place, messages = shares[0]
    name, others = places.names(place, messages[0]["ts"], messages[0].get("thread_ts"))
    return (name, *others)


def amend(account: Account, wanted: Amendment, context: Context) -> Steps[None]:
    """https://docs.slack.dev/reference/methods/chat.update, …/chat.delete, …/reactions.add. What is so already is a success."""
    channel, ts = places.stands(wanted.external_id)
    match wanted:
        case EditPiece(part=part):
            yield _call(account, "chat.update", {"channel": channel, "ts": ts, **words(part)})
        case DeletePiece():
            yield from _delete(account, channel, ts)
        case React(emoji=str(emoji), removed=removed):
            yield _react(account, channel, ts, short_name(emoji), removed=removed)
        case React():
            yield from _take_back(account, channel, ts)
        case _:
            raise SendFailed("unsupported", "Slack shows nobody what an app has read")


def _delete(account: Account, channel: str, ts: str) -> Steps[None]:
    try:
        yield _call(account, "chat.delete", {"channel": channel, "ts": ts})
    except SendFailed as failed:
        if not failed.detail.startswith("message_not_found"):
            raise


def _react(account: Account, channel: str, ts: str, name: str, *, removed: bool) -> Http:
    method = "reactions.remove" if removed else "reactions.add"
    return _call(account, method, {"channel": channel, "timestamp": ts, "name": name})


def _take_back(account: Account, channel: str, ts: str) -> Steps[None]:
    """All of ours, which the message tells: https://docs.slack.dev/reference/methods/reactions.get."""
    bot = (yield _call(account, "auth.test", {})).json()["user_id"]
    about = {"channel": channel, "timestamp": ts, "full": "true"}
    message = (yield _ask(account, "reactions.get", about)).json()["message"]
    for one in message.get("reactions", ()):
        if bot in one["users"]:
            yield _react(account, channel, ts, one["name"], removed=True)


def typing(account: Account, mark: TypingMark, context: Context) -> Steps[None]:
    """In a thread, where Slack shows it until the answer: https://docs.slack.dev/reference/methods/assistant.threads.setStatus."""
    where, thread = places.target(mark, agent=account.agent)
    if thread and not places.split(mark.to)[1]:
        status = {"channel_id": where, "thread_ts": thread, "status": "is typing…"}
        yield _call(account, "assistant.threads.setStatus", status)


def grow(account: Account, piece: Piece, context: Context) -> Steps[str]:
    """A message that is updated, all of it each time. chat.startStream would need the one person in a channel who sees it grow, its
    appends cannot be repeated, it ends after some minutes, and its echo carries nothing of ours: …/reference/methods/chat.startStream.
    """
    where, thread = places.target(piece, agent=account.agent)
    if places.split(piece.to)[1]:
        return ""
    if piece.grown:
        channel, ts = places.stands(piece.grown)
        yield _call(account, "chat.update", {"channel": channel, "ts": ts, **so_far(piece)})
        return piece.grown
    message = {"channel": where, **({"thread_ts": thread} if thread else {}), **so_far(piece)}
    told = (yield _call(account, "chat.postMessage", message, commits=True)).json()
    return places.names(told["channel"], told["ts"], thread)[0]


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    """Where the file is now, and with the token only where that is Slack's own: https://docs.slack.dev/reference/methods/files.info."""
    told = (yield _ask(account, "files.info", {"file": media.handle or ""})).json()["file"]
    address = told.get("url_private_download") or told["url_private"]
    if _is_slacks(account, address):
        file = Http(method="GET", url=address, headers=_bearer(account))
    else:
        file = Http(method="GET", url=address, stranger=True)
    return Download(
        request=file, mime_type=media.mime_type or told.get("mimetype"), name=media.name or told.get("name")
    )


def _is_slacks(account: Account, address: str) -> bool:
    """Of slack.com, or of where the API is: an address with a name before its host, or one like it, is not."""
    parts, api = urlsplit(address), urlsplit(account.api)
    if (parts.scheme, parts.netloc) == (api.scheme, api.netloc):
        return True
    host = parts.netloc
    return parts.scheme == "https" and (host == "slack.com" or (host.endswith(".slack.com") and "@" not in host))


class About(Model):
    display_name: str | None = None
    real_name: str | None = None
    email: str | None = None


class User(Model):
    name: Annotated[str | None, Described(max_length=255)] = None
    locale: Annotated[str | None, Described(max_length=35)] = None
    tz: Annotated[str | None, Described(max_length=64)] = None
    profile: About = About()


class Known(Model):
    """https://docs.slack.dev/reference/methods/users.info."""

    user: User = User()


def profile(account: Account, address: str, peer: str, context: Context) -> Steps[Party]:
    """Of people; of an app all is known that it says of itself."""
    if not places.is_person(address):
        return Party(address=address)
    answer = yield _ask(account, "users.info", {"user": address, "include_locale": "true"})
    user = Known.model_validate_json(answer.body).user
    return Party(
        address=address,
        name=user.profile.display_name or user.profile.real_name,
        username=user.name,
        verified="provider",
        email=user.profile.email,
        locale=user.locale,
        time_zone=user.tz,
    )


def register(app: App, account: Account, context: Context) -> Steps[None]:
    """Whether the token is of this workspace. Where Slack sends is entered in the app's settings (docs/channels/slack.md)."""
    told = (yield _call(account, "auth.test", {})).json()
    found = told.get("enterprise_id") if account.team.startswith("E") else told["team_id"]
    if found != account.team:
        raise SendFailed("auth", f"the token is of {found}, and team is {account.team}")


def _call(account: Account, method: str, content: Mapping[str, Any], *, commits: bool = False) -> Http:
    """What is posted counts for its channel: "one message per second per channel", https://docs.slack.dev/apis/web-api/rate-limits."""
    return Http.post_json(
        f"{account.api}/{method}",
        content,
        token=account.token,
        commits=commits,
        throttles="peer" if commits else "account",
    )


def _ask(account: Account, method: str, content: Mapping[str, str]) -> Http:
    """Methods that read take no JSON: https://docs.slack.dev/apis/web-api#methods_supporting_json."""
    form = {"content-type": "application/x-www-form-urlencoded", **_bearer(account)}
    return Http(url=f"{account.api}/{method}", headers=form, body=urlencode(content).encode())


def _bearer(account: Account) -> dict[str, str]:
    return {"authorization": f"Bearer {account.token.get_secret_value()}"}


def _path(address: str) -> SecretStr:
    """Whoever has it may write there."""
    return SecretStr(urlsplit(address).path)


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
