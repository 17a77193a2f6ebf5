"""What a channel reads: messages, receipts and typing, of a request, a mail or a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.contract.codes import Failure, Status
from shared.contract.deliveries import Cost
from shared.contract.envelope import Assessment, Checks, ExternalId, MessageContext, Part, Party, Route, Surface, Thread
from shared.contract.errors import Malformed


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealed:
    """What of a message is encrypted for its account. `needs`: what the provider must be asked for before it can be opened
    (Channel.lookup), as the keys by which its sender signs. `content`: as it came; it travels no further than to `unseal`.
    """

    needs: tuple[str, ...]
    content: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message as a channel reads it; the service stamps tenant, account, id and time on it and makes an envelope.

    `account_key`: the provider's name of the account it came to. `event_key`: unique per event, an edit is not its original.
    `peer`: whose conversation this is: the customer, or the container of a group or post, for echoes too.
    `sealed`: what only the account's own keys open (Channel.unseal); until then `parts` say that.
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
    sealed: Sealed | None = None


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


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as a transport delivered it: its bytes, the envelope's sender and recipients (RFC 5321).

    `sender` is "<>" where the envelope says that nobody is to be answered, "" where there was no envelope. `transaction`:
    which of several alike it is, where nothing in the mail tells; the same when that one is tried again. `unread`: why it
    could not be read, after which only its head is: who wrote, and the mail itself as a file. `checks`: whether it is its
    sender's, as far as the transport found out; None: nobody looked.
    """

    raw: bytes
    sender: str = ""
    recipients: tuple[str, ...] = ()
    transaction: str = ""
    unread: str = ""
    checks: Checks | None = None


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
