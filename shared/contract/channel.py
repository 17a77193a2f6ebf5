"""What a channel is: data and pure functions. It never fetches: it yields the request it wants made and is sent the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from shared.contract.accounts import Account, App, Settings
from shared.contract.bodies import AesCtr, Blob, Encoded, Field, Form, Gzip
from shared.contract.calls import (
    Asked,
    Http,
    Limit,
    Request,
    Response,
    Security,
    Smtp,
    Steps,
    bearer,
    judge,
    unless_gone,
)
from shared.contract.capabilities import Capabilities, Level
from shared.contract.envelope import Media, Party, Proof, Window
from shared.contract.errors import (
    TRANSIENT,
    AlreadySent,
    Malformed,
    Refusal,
    RouteGone,
    SendFailed,
    StaysSealed,
    UnknownKey,
    Unverified,
)
from shared.contract.incoming import Incoming, Mail, MailRead, Message, Polled, Receipt, Sealed, TypingSeen
from shared.contract.links import no_link
from shared.contract.pieces import (
    Alteration,
    Amendment,
    DeletePiece,
    Download,
    EditPiece,
    Handle,
    MarkSeen,
    Piece,
    PieceChange,
    React,
    Sent,
    ThreadControl,
    TypingMark,
)
from shared.contract.sockets import Close, Frame, Publish, Receive, Send, Socket
from shared.contract.trust import file_at, is_trusted

__all__ = [
    "TRANSIENT",
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
    "Sealed",
    "Security",
    "Send",
    "SendFailed",
    "Sent",
    "Settings",
    "Smtp",
    "Socket",
    "StaysSealed",
    "Steps",
    "ThreadControl",
    "Token",
    "TypingMark",
    "TypingSeen",
    "UnknownKey",
    "Unverified",
    "Version",
    "bearer",
    "file_at",
    "is_trusted",
    "judge",
    "no_handshake",
    "taken",
    "unless_gone",
]


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
class Keys:
    """What the provider signs with at the moment, each by its id; how long that may be kept, where the answer says it."""

    value: Mapping[str, Any]
    expires_in: timedelta | None = None


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


def no_more(account: Any, sender: Party) -> tuple[Proof, ...]:
    return ()


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

    What it is. `able`: the capabilities of an account, where they are not the same for all of them.

    What comes in. `signed`: the signature covers the body, so what verifies is what the provider sent; otherwise a body that is
    not even JSON may be torn on the way and is answered 400. `proof`: the header (lower case) without which a body proves nothing
    and is not read; of several, with spaces between, one is enough. `encodings`: the Content-Encodings in which bodies are taken (gzip): what proves them is looked at over the
    bytes as they were sent, then they are unpacked, to `body_limit` at the most. `behind`: what the provider puts behind the
    address of a webhook. `keys`: asks for what the provider signs with, which `verify` then finds in the context
    (`shared/provider/keys.py`); an id that is not among them is UnknownKey. `inbound`: a Malformed among its records stands for
    an event that cannot be read (shared.contract.readable.each), so that it takes no other along. `lookup`: asks for what a
    sealed message needs (`Sealed.needs`), one name at a time; each answer is kept as long as it says, five minutes at least
    (shared/provider/lookups.py). `unseal`: opens such a message with what is known under its names, nothing under one that was
    not told; raises StaysSealed with a sentence for whoever reads it, in whose place it then is `unsupported`. `unseals`: whether
    this account has the keys for that. `accepted`: how a request is answered whose records are durable. `mail`: reads what a mail transport delivered. `polled`: whether this account is one that
    is polled. `connect`: the address of an account's socket, given its cursor; `socket`: what is said on it, until it should be
    closed; raises SendFailed where it cannot be used (`auth`: only a person can mend that). `shards`: how many sockets the
    account has. `window`: what a message of the customer, just received, allows; None where it is nothing that they wrote.
    `proves`: what a sender's address proves besides, by the account's settings.

    What goes out. `join_key`: by what the echo of a piece can be known when its answer was lost: what was sent along and comes
    back, the piece's id; or what is known of it on both sides. `amend`: what changes a message that stands there, as far as the
    capabilities say (`changes`). `handover`: asks that somebody else, or we, have a thread (`handovers` of the capabilities).
    `grow`: shows an answer as far as it is written, all of it each time, and gives the name of what shows it, "" where that
    passes by itself; the piece has the name from then on (`grown`), and `outbound` makes the answer of it.

    What is asked beside them. `refreshed`: whether this account's token is one that ends; another's stands in its settings. `profile`: who someone is by their address, and by the peer of a message of theirs, where messages
    do not say it: names, language and time zone, no pictures. `quota`: the units that an account's calls (`Http.cost`) may spend
    in a day. `version`: the one of the provider's API that an account uses.
    """

    name: str
    docs: str
    account: type[Account]
    app: type[App] = App
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
    lookup: Callable[[Any, str, Context], Steps[Keys]] | None = None
    unseal: Callable[[Any, Message, Mapping[str, Mapping[str, Any]]], Message] | None = None
    unseals: Callable[[Any], bool] = every_account
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
    refreshed: Callable[[Any], bool] = every_account
    register: Callable[[Any, Any, Context], Steps[None]] | None = None
    version: Callable[[Any], Version | None] = no_version
    window: Callable[[Any, Message], Window | None] = always_open
    proves: Callable[[Any, Party], tuple[Proof, ...]] = no_more

    def refreshes(self, account: Account) -> bool:
        return self.refresh is not None and self.refreshed(account)

    def capabilities_of(self, owner: App | Account) -> Capabilities:
        """What this account can show, which may be less than the channel's others can."""
        if not isinstance(owner, Account):
            return self.capabilities
        able = self.able(owner) if self.able else self.capabilities
        return able if owner.per_second is None else able.model_copy(update={"per_second": owner.per_second})

    def change(self, account: Account, wanted: Amendment, context: Context) -> Steps[None]:
        """What `amend` asks for. Raises Refusal for what the capabilities do not have: a router of another version may want it."""
        able = self.capabilities_of(account).shown(wanted.surface, wanted.way)
        if self.amend is None or wanted.change not in able.changes:
            raise Refusal("unsupported", f"{self.name} has no {wanted.change} of what stands there")
        return self.amend(account, wanted, context)
