"""What a channel is: data and pure functions. It never fetches: it yields the request it wants made and is sent the answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field as Described, SecretStr

from shared.contract.codes import Failure, Status
from shared.contract.deliveries import Change, Cost
from shared.contract.envelope import (
    Assessment,
    ExternalId,
    Media,
    MediaKind,
    MessageContext,
    Model,
    Part,
    Party,
    Route,
    Surface,
    Thread,
    Way,
    Window,
)
from shared.contract.errors import AlreadySent, Malformed, Refusal, RouteGone, Scope, SendFailed, UnknownKey, Unverified
from shared.contract.links import no_link
from shared.contract.mend import loads
from shared.contract.requests import Control
from shared.contract.text import Unit

__all__ = [
    "Account",
    "AesCtr",
    "AlreadySent",
    "Alteration",
    "Amendment",
    "App",
    "Asked",
    "Blob",
    "Capabilities",
    "Channel",
    "Close",
    "Context",
    "DeletePiece",
    "Download",
    "EditPiece",
    "Encoded",
    "Field",
    "Form",
    "Frame",
    "Gzip",
    "Handle",
    "Http",
    "Incoming",
    "Keys",
    "Level",
    "Limit",
    "Mail",
    "MailRead",
    "Malformed",
    "MarkSeen",
    "Message",
    "Piece",
    "PieceChange",
    "Polled",
    "Publish",
    "Quota",
    "React",
    "Receipt",
    "Receive",
    "Refusal",
    "Request",
    "Response",
    "RouteGone",
    "Send",
    "SendFailed",
    "Sent",
    "Smtp",
    "Socket",
    "Steps",
    "ThreadControl",
    "Token",
    "TypingMark",
    "TypingSeen",
    "UnknownKey",
    "Unverified",
    "Version",
]

T = TypeVar("T")


class Settings(BaseModel):
    """One table of the accounts file. An unknown name in it is a mistake and refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Described(description="the table's own name; it is part of addresses and never changes")


class App(Settings):
    """What receives: the secrets that verify. One webhook address per app: /hooks/{channel}/{app}."""

    account: str = Described(default="", description="the account of an app that has only one; default: the app's name")

    @property
    def account_key(self) -> str:
        return self.account or self.name


class Account(Settings):
    """What sends: a number, a page, a bot, and its token."""

    tenant: str = Described(default="default", description="whose account this is")
    app: str = Described(default="", description="the app that receives for it; default: the account's name")

    @property
    def key(self) -> str:
        """What the provider calls this account in its payloads."""
        return self.name

    @property
    def receiver(self) -> str:
        return self.app or self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What a pure function may know of the world: the time, chance, fetched keys, the current access token.

    `secret`: this installation's key for the names that it signs (PARLEY_SECRET). `hook`: the public address of the app's own
    webhook, "" where PARLEY_PUBLIC_URL is not set. `link`: a public address of a stored file, good for a week, for providers that
    take files by address; raises Refusal where it cannot be made (shared.contract.links). `shard`: which of
    the account's sockets this is.
    """

    now: datetime
    nonce: str = ""
    keys: Mapping[str, Any] = field(default_factory=dict)
    token: SecretStr = SecretStr("")
    secret: SecretStr = SecretStr("")
    hook: str = ""
    link: Callable[[Media], str] = no_link
    shard: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request as it came in: raw bytes, lower-case header names, the public URL (not the proxy's)."""

    method: str = "POST"
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return loads(self.body)


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """An answer, of ours or of a provider."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return loads(self.body)

    @property
    def max_age(self) -> timedelta | None:
        """How long it may be kept, where it says so: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.1."""
        said = re.search(r"(?<![\w-])max-age=\"?(\d{1,9})", self.headers.get("cache-control", ""), re.IGNORECASE)
        return timedelta(seconds=int(said[1])) if said else None

    @classmethod
    def of_json(cls, value: object, *, status: int = 200) -> Self:
        return cls(status=status, headers={"content-type": "application/json"}, body=orjson.dumps(value))


@dataclass(frozen=True, slots=True)
class AesCtr:
    """AES in counter mode (NIST SP 800-38A §6.5), by a key of 16, 24 or 32 bytes: encrypts and decrypts, and keeps the length."""

    key: bytes = field(repr=False)
    counter: bytes = bytes(16)


@dataclass(frozen=True, slots=True)
class Gzip:
    """RFC 1952. Nobody knows the length before, so it goes out in chunks (RFC 9112 §7.1)."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes of the blob store, streamed by the driver; a channel names them and never holds them.

    `start`, `length`: only these of its bytes, for what is uploaded in slices. `through`: what they become on their way.
    """

    ref: str
    mime_type: str = "application/octet-stream"
    name: str = "file"
    size: int | None = None
    start: int = 0
    length: int | None = None
    through: AesCtr | Gzip | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a multipart form (RFC 7578)."""

    name: str
    value: str | Blob


Form = tuple[Field, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Http:
    """A request to make.

    `body`: bytes, a form, or a blob as it is: streamed, from its beginning whenever it is tried again. `commits`: a person will see its effect, so the ledger turns to `sending` just before it and it is never repeated;
    all others are safe to repeat (docs/architecture.md, Sending). `stranger`: someone else chose the address, so only public ones are reached.
    `secret`: a part of the URL that no log may show. `throttles`: who must wait after a "too many" that does not say it itself.
    `cost`: units of the channel's quota that it spends, whatever comes of it. `counts`: what it is, and of what, where the provider
    tells with its answers how many more of these there may be (Channel.limit).
    """

    method: str = "POST"
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Form | Blob = b""
    commits: bool = False
    stranger: bool = False
    secret: SecretStr | None = None
    throttles: Scope = "account"
    cost: int = 0
    counts: tuple[str, ...] = ()
    timeout: timedelta = timedelta(seconds=20)

    @classmethod
    def post_json(
        cls,
        url: str,
        value: object,
        *,
        headers: Mapping[str, str] = {},
        token: SecretStr | None = None,
        secret: SecretStr | None = None,
        commits: bool = False,
        throttles: Scope = "account",
        cost: int = 0,
        timeout: timedelta = timedelta(seconds=20),
    ) -> Self:
        bearer = {"authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        return cls(
            url=url,
            headers={"content-type": "application/json", **bearer, **headers},
            body=orjson.dumps(value),
            commits=commits,
            secret=secret,
            cost=cost,
            throttles=throttles,
            timeout=timeout,
        )

    @property
    def shown_url(self) -> str:
        """The URL for logs and metrics: its secret replaced."""
        return self.url.replace(self.secret.get_secret_value(), "***") if self.secret else self.url


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """What an answer tells of a limit: its name, how many more requests it allows, and when it is full again."""

    bucket: str
    remaining: int
    resets_in: timedelta


@dataclass(frozen=True, slots=True)
class Encoded:
    """The bytes of a blob as base64 in lines of 76 characters (RFC 2045 §6.8), streamed by the driver."""

    blob: Blob


Security = Literal["none", "starttls", "tls"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Smtp:
    """One mail to hand over (RFC 5321), answered by a Response: the reply's code and text.

    What is in the other's hands begins with the final dot: before it, a broken connection has sent nothing.
    """

    host: str
    port: int
    security: Security = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")
    sender: str
    recipients: tuple[str, ...]
    data: tuple[bytes | Encoded, ...]
    commits: bool = True
    timeout: timedelta = timedelta(minutes=2)


Asked = Http | Smtp
Steps = Generator[Asked, Response, T]


# in -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message as a channel reads it; the service stamps tenant, account, id and time on it and makes an envelope.

    `account_key`: the provider's name of the account it came to. `event_key`: unique per event, an edit is not its original.
    `peer`: whose conversation this is: the customer, or the container of a group or post, for echoes too.
    `route`: what the provider lets it be answered by for a while. `read_mark`: by what it is shown as read, where that is not
    its external id.
    """

    account_key: str
    event_key: str
    peer: str
    sender: Party
    parts: tuple[Part, ...]
    occurred_at: datetime
    external_id: str | None = None
    external_ids: tuple[str, ...] = ()
    join_key: str | None = None
    recipients: tuple[Party, ...] = ()
    surface: Surface = "direct"
    container: str | None = None
    thread: Thread = Thread()
    assessment: Assessment = Assessment()
    context: MessageContext | None = None
    responder: str | None = None
    answer_to: Party | None = None
    route: Route | None = None
    read_mark: str | None = None
    echo: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What a provider says of something we sent: by external ids, or everything up to a watermark."""

    account_key: str
    peer: str
    status: Status
    occurred_at: datetime
    external_ids: tuple[ExternalId, ...] = ()
    join_key: str | None = None
    watermark: datetime | None = None
    failure: Failure | None = None
    cost: Cost | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TypingSeen:
    """The customer is typing."""

    account_key: str
    peer: str
    occurred_at: datetime


Incoming = Message | Receipt | TypingSeen


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """What the provider signs with at the moment, each by its id; how long that may be kept, where the answer says it."""

    value: Mapping[str, Any]
    expires_in: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as a transport delivered it: its bytes, the envelope's sender and recipients (RFC 5321).

    `sender` is "<>" where the envelope says that nobody is to be answered, "" where there was no envelope. `transaction`:
    which of several alike it is, where nothing in the mail tells; the same when that one is tried again. `unread`: why it
    could not be read, after which only its head is: who wrote, and the mail itself as a file.
    """

    raw: bytes
    sender: str = ""
    recipients: tuple[str, ...] = ()
    transaction: str = ""
    unread: str = ""


@dataclass(frozen=True, slots=True)
class MailRead:
    """What a mail says. `files`: the bytes of its media parts, by their `handle`; the service stores them before it answers."""

    records: tuple[Incoming, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Polled:
    """One page of a poll: its records, where to go on (stored when they are durable), how long to wait before the next.

    `page`: the provider's answer that they were read from, which each of them keeps as its raw payload.
    """

    records: tuple[Incoming | Malformed, ...]
    page: bytes
    cursor: Mapping[str, Any]
    again_in: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Send:
    """A frame to send, as text (RFC 6455 §5.6). What cannot be sent shows as `closed` in the next frame."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for a frame until this moment. A deadline that has passed is told before any frame that waits: with plain
    timeouts steady traffic would starve the heartbeat.
    """

    until: datetime


@dataclass(frozen=True, slots=True)
class Publish:
    """Does not block the socket: when the records are durable, in the order of publishing, `then` is sent and the cursor moves
    there; None: it stays.

    The records keep the frame that came last as their raw payload. The first of a connection says that the account works.
    """

    records: tuple[Incoming | Malformed, ...] = ()
    cursor: Mapping[str, Any] | None = None
    then: Send | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """What became of a step. Of a Receive: `data`, a frame's bytes; or `closed`, the other side's code, 1006 where the connection
    broke and 1009 where a frame was too large (RFC 6455 §7.4); or `stop`: this process gives the connection up; else the deadline passed.
    """

    now: datetime
    data: bytes | None = None
    closed: int | None = None
    stop: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Close:
    """How a socket ends: the code that is sent where it is still open, and how long to wait at least before it is opened again."""

    code: int = 1000
    again_in: timedelta = timedelta(0)


Socket = Generator[Send | Receive | Publish, Frame, Close]


# out ----------------------------------------------------------------------------------------------------------------


class Piece(Model):
    """What goes out in one send: one part that fits, and the files that go along. `id` is the same however often it is tried.

    `reply_to`: the message answered, where the request named one. `references`: the conversation's first and newest
    external ids, oldest first. `thread_token`: our signed name of the conversation. `automatic`: a program wrote it.
    `grown`: what already shows the answer that this piece is the whole of, by the name that `grow` gave it.
    `handle`, `handles`: what the provider calls the part and each of the attachments, where the channel uploads first.
    `route`: what came with the message that is answered, while it is good (shared.contract.envelope.Route); where the provider says
    that it is not, the channel raises RouteGone, and the piece comes again without it.
    """

    id: str
    to: str
    part: Part
    attachments: tuple[Media, ...] = ()
    surface: Surface = "direct"
    way: Way = "free_text"
    reply_to: str | None = None
    thread_key: str | None = None
    subject: str | None = None
    references: tuple[ExternalId, ...] = ()
    thread_token: str | None = None
    handle: str | None = None
    handles: tuple[str | None, ...] = ()
    route: Annotated[str | None, Described(repr=False)] = None
    grown: str | None = None
    automatic: bool = False


class Alteration(Model):
    """What is to be otherwise at the provider. It is asked for again until there is an answer, so a channel's request must be safe
    to repeat: what is so already is a success (AlreadySent).

    `id`: ours, the same however often it is tried.
    """

    id: str = ""
    to: str


class PieceChange(Alteration):
    """One piece is to change, by what it is called there.

    `external_id`: its first name, `external_ids`: all of them. `surface`, `way`, `thread_key`: where it stands.
    """

    external_id: ExternalId
    external_ids: tuple[ExternalId, ...] = ()
    surface: Surface = "direct"
    way: Way = "free_text"
    thread_key: str | None = None


class EditPiece(PieceChange):
    """Our piece reads otherwise from now on: `part` is of the kind that stands there; of a file only the caption is another."""

    change: Literal["edit"] = "edit"
    part: Part


class DeletePiece(PieceChange):
    """Our piece is taken back."""

    change: Literal["delete"] = "delete"


class React(PieceChange):
    """Show a reaction at a message, theirs or `ours`. No `emoji`: all of ours are taken back; `removed`: this one is."""

    change: Literal["react"] = "react"
    emoji: str | None = None
    removed: bool = False
    ours: bool = False


class MarkSeen(PieceChange):
    """The customer's message, and all before it, are read. `read_mark`: what came with it for that."""

    change: Literal["seen"] = "seen"
    read_mark: str | None = None


Amendment = Annotated[EditPiece | DeletePiece | React | MarkSeen, Described(discriminator="change")]


class ThreadControl(Alteration):
    """The thread is to be somebody else's (`target`, where the channel lets one choose; `note`: words for them), ours, or nobody's."""

    change: Literal["handover"] = "handover"
    action: Control
    target: str | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TypingMark:
    """Someone is about to answer this person. `reply_to`: the customer's newest message; `thread_key`: the topic of a group."""

    to: str
    reply_to: str | None = None
    thread_key: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What the provider calls the piece. No id at once, and a `join_key` that its echo will carry, where it tells only later."""

    external_ids: tuple[str, ...] = ()
    join_key: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Handle:
    """Media at the provider, uploaded once per account and kept by the service until it expires."""

    value: str
    expires_in: timedelta | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """The request that gives the bytes, streamed by the service; `decrypt`: what they are encrypted with."""

    request: Http
    decrypt: AesCtr | None = None
    mime_type: str | None = None
    name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """Units a day that the calls of a provider's customer share, whichever account they are for (`name`: what the provider knows
    that customer by). The day begins at midnight in `zone`. `reserve`: units that no poll may spend.
    """

    name: str
    units: int
    reserve: int
    zone: str = "UTC"


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    value: SecretStr
    expires_in: timedelta
    refresh: SecretStr | None = None


Level = Literal["full", "degraded", "refused"]


class Capabilities(Model):
    """What a channel can show. Degraded: sent as text; refused: the reply is refused early. Limits count in `unit`.

    `option_id`: the longest name of an option that is pressed, in units of its own; a longer one is refused early. `starts`: what may be sent to someone who has not written. `attachments`: files that one send carries beside its text.
    `linked`: options of a question that has links among them, at most, and `link_text`: the characters of its words; where it
    does not fit, links stand in the words. `comment`: what a public comment can show, where that is something else. `private_reply`: it may be answered in private.
    `changes`: what can be done to a message that stands at the provider, and for how long after it was sent; None: for ever.
    `reactions`: the only emoji that can be shown as one, where not any; `one_reaction`: a new one stands in place of the last.
    `grows`: how often at the most an answer may be shown that is still written, where it can be.
    `handovers`: what can be asked of who has the thread, where several answer there.
    """

    text: int
    unit: Unit = "code_points"
    caption: int = 0
    media: dict[MediaKind, Level] = {}
    media_bytes: int = 20 * 1024 * 1024
    choices: Level = "degraded"
    options: int = 10
    option_title: int = 20
    option_id: int | None = None
    option_id_unit: Unit = "code_points"
    linked: int | None = None
    link_text: int | None = None
    location: Level = "degraded"
    contact: Level = "degraded"
    template: Level = "refused"
    reply_to: bool = False
    typing: bool = False
    grows: timedelta | None = None
    starts: Literal["free_text", "template", "nothing"] = "free_text"
    attachments: int = 0
    comment: Capabilities | None = None
    private_reply: bool = False
    changes: dict[Change, timedelta | None] = {}
    reactions: tuple[str, ...] = ()
    one_reaction: bool = True
    handovers: tuple[Control, ...] = ()
    pieces: int = 20
    per_second: float = 20.0
    per_peer_second: float = 1.0
    idempotent_for: timedelta | None = None

    def reaction(self, emoji: str) -> str | None:
        """The emoji as the channel writes it; None where it cannot show it."""
        if not self.reactions:
            return emoji
        return next((one for one in self.reactions if _bare(one) == _bare(emoji)), None)

    def shown(self, surface: Surface, way: Way) -> Capabilities:
        """What can be shown there: a private answer to a comment is an ordinary message, but only one, in words of its own."""
        if way == "private":
            return self.model_copy(update={"pieces": 1, "template": "refused"})
        return self.comment if self.comment and surface == "comment" else self


def _bare(emoji: str) -> str:
    """Without the sign that asks for its coloured form, which some write and some leave out."""
    return emoji.replace("\ufe0f", "")


def taken(app: Any, request: Request, context: Context) -> Response:
    return Response()


def no_handshake(app: Any, request: Request, context: Context) -> Response | None:
    return None


def own_id(piece: Piece) -> str:
    return piece.id


def every_account(account: Any) -> bool:
    return True


def no_limit(response: Response) -> Limit | None:
    return None


def one_socket(account: Any) -> int:
    return 1


def always_open(account: Any, message: Message) -> Window | None:
    return Window()


@dataclass(frozen=True, slots=True)
class Version:
    """What a provider calls a version of its API, and when it takes it away, where it has said so."""

    name: str
    ends_at: datetime | None = None


def no_version(account: Any) -> Version | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One channel, whole. The fields stand in the order in which every channel file is written.

    `able`: the capabilities of an account, where they are not the same for all of them. `signed`: the signature covers the body, so what verifies is what the provider sent; otherwise a body that is not even
    JSON may be torn on the way and is answered 400. `proof`: the header (lower case) without which a body proves nothing and
    is not read. `encodings`: the Content-Encodings in which bodies are taken (gzip): what proves them is looked at over the
    bytes as they were sent, then they are unpacked, to `body_limit` at the most. `behind`: what the provider puts behind the address of a webhook. `keys`: asks for what the provider signs with, which `verify` then finds in the context
    (`shared/provider/keys.py`); an id that is not among them is UnknownKey. `inbound`: a Malformed among its records stands for an event that
    cannot be read (shared.contract.readable.each), so that it takes no other along. `accepted`: how a request is answered whose
    records are durable. `mail`: reads what a mail transport delivered. `polled`: whether this account is one that is
    polled. `connect`: the address of an account's socket, given its cursor; `socket`: what is said on it, until it should be closed;
    raises SendFailed where it cannot be used (`auth`: only a person can mend that). `shards`: how many sockets the account has.
    `join_key`: by what the echo of a piece can be known when its answer was lost: what was sent along and comes
    back, the piece's id; or what is known of it on both sides. `amend`: what changes a message that stands there, as far as the
    capabilities say (`changes`). `handover`: asks that somebody else, or we, have a thread (`handovers` of the capabilities).
    `grow`: shows an answer as far as it is written, all of it each time, and gives the name of what shows it, "" where that passes by
    itself; the piece has the name from then on (`grown`), and `outbound` makes the answer of it.
    `profile`: who someone is by their address, and by the peer
    of a message of theirs, where messages do not say it: names, language and time zone, no pictures. `quota`: the units that
    an account's calls (`Http.cost`) may spend in a day. `version`: the one of the provider's API that an account uses. `window`: what a message
    of the customer, just received, allows; None where it is nothing that they wrote.
    """

    name: str
    docs: str
    app: type[App]
    account: type[Account]
    capabilities: Capabilities
    outcome: Callable[[Response], None]
    limit: Callable[[Response], Limit | None] = no_limit
    able: Callable[[Any], Capabilities] | None = None
    signed: bool = True
    proof: str = ""
    encodings: frozenset[str] = frozenset()
    behind: str = ""
    body_limit: int = 1024 * 1024
    handshake: Callable[[Any, Request, Context], Response | None] = no_handshake
    keys: Callable[[Any, Context], Steps[Keys]] | None = None
    verify: Callable[[Any, Request, Context], None] | None = None
    inbound: Callable[[Any, Request, Context], Iterable[Incoming | Malformed]] | None = None
    accepted: Callable[[Any, Request, Context], Response] = taken
    mail: Callable[[Any, Mail, Context], MailRead] | None = None
    poll: Callable[[Any, Mapping[str, Any], Context], Steps[Polled]] | None = None
    polled: Callable[[Any], bool] = every_account
    connect: Callable[[Any, Mapping[str, Any], Context], Steps[str]] | None = None
    socket: Callable[[Any, Mapping[str, Any], Context], Socket] | None = None
    shards: Callable[[Any], int] = one_socket
    upload: Callable[[Any, Media, Context], Steps[Handle]] | None = None
    outbound: Callable[[Any, Piece, Context], Steps[Sent]] | None = None
    join_key: Callable[[Piece], str] = own_id
    amend: Callable[[Any, Amendment, Context], Steps[None]] | None = None
    handover: Callable[[Any, ThreadControl, Context], Steps[None]] | None = None
    typing: Callable[[Any, TypingMark, Context], Steps[None]] | None = None
    grow: Callable[[Any, Piece, Context], Steps[str]] | None = None
    fetch: Callable[[Any, Media, Context], Steps[Download]] | None = None
    profile: Callable[[Any, str, str, Context], Steps[Party]] | None = None
    quota: Callable[[Any], Quota] | None = None
    refresh: Callable[[Any, SecretStr | None, Context], Steps[Token]] | None = None
    register: Callable[[Any, Any, Context], Steps[None]] | None = None
    version: Callable[[Any], Version | None] = no_version
    window: Callable[[Any, Message], Window | None] = always_open

    def capabilities_of(self, owner: App | Account) -> Capabilities:
        """What this account can show, which may be less than the channel's others can."""
        return self.able(owner) if self.able and isinstance(owner, Account) else self.capabilities


TRANSIENT: Final = frozenset({"throttled", "unreachable"})
