"""What travels: every record, request, event, status and code, and the topics that carry them. All else is generated from this file."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, Field

from shared.envelope import (
    Address,
    Direction,
    Envelope,
    ExternalId,
    Many,
    MediaState,
    MessageContext,
    Model,
    Moment,
    Name,
    Notice,
    Part,
    Party,
    Shown,
    Surface,
    Thread,
    Way,
    Window,
)
from shared.text import on_one_line

Family = Literal["email", "social", "chat"]
FAMILIES: Final[tuple[Family, ...]] = get_args(Family)

CHANNELS: Final[Mapping[str, Family]] = {
    "email": "email",
    "facebook": "social",
    "instagram": "social",
    "x": "social",
    "tiktok": "social",
    "youtube": "social",
    "snapchat": "social",
    "webchat": "chat",
    "whatsapp": "chat",
    "telegram": "chat",
    "discord": "chat",
    "slack": "chat",
    "teams": "chat",
    "googlechat": "chat",
    "apple": "chat",
    "line": "chat",
    "viber": "chat",
    "sms": "chat",
    "rcs": "chat",
    "voicemail": "chat",
    "webhook": "chat",
}

Code = Literal[
    "throttled",
    "unreachable",
    "blocked",
    "opted_out",
    "bad_address",
    "window_closed",
    "template_required",
    "too_long",
    "unsupported",
    "refused",
    "auth",
    "malformed",
    "unknown_conversation",
    "unknown_account",
    "expired",
    "cancelled",
    "braked",
    "unknown",
]
CODES: Final[tuple[Code, ...]] = get_args(Code)

Status = Literal["queued", "unknown", "sent", "delivered", "read", "failed", "cancelled", "expired"]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)

# A status never goes backwards; failed is final for its attempt (docs/architecture.md, Sending).
TRANSITIONS: Final[Mapping[Status, frozenset[Status]]] = {
    "queued": frozenset({"unknown", "sent", "delivered", "read", "failed", "cancelled", "expired"}),
    "unknown": frozenset({"sent", "delivered", "read", "failed"}),
    "sent": frozenset({"delivered", "read", "failed"}),
    "delivered": frozenset({"read"}),
    "read": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
    "expired": frozenset(),
}


def advances(old: Status, new: Status) -> bool:
    """Whether a message in status `old` may take status `new`."""
    return new in TRANSITIONS[old]


class Failure(Model):
    """Why something did not happen. `code` is the one vocabulary of events, metrics and dead letters; `detail` is for people."""

    code: Code
    detail: Annotated[str, Field(max_length=2000), AfterValidator(on_one_line)] = (
        ""  # a provider's words, or a mail server's
    )


# inbound ------------------------------------------------------------------------------------------------------------


class MediaUpdate(Model):
    """What became of one media part of an inbound message: stored, or unavailable with the reason."""

    message_id: uuid.UUID
    tenant: Name
    channel: Name
    account: Name
    peer: Address
    part: Annotated[int, Field(ge=0)]
    state: MediaState
    blob: str | None = None
    mime_type: str | None = None
    size: Annotated[int, Field(ge=0)] | None = None
    sha256: str | None = None
    name: Shown | None = None
    reason: str | None = None
    occurred_at: Moment


class ProfileUpdate(Model):
    """Who someone is at the provider, as it said when it was asked; what it did not say is absent.

    `peer`: of the message that made us ask, so that both travel under one key.
    """

    tenant: Name
    channel: Name
    account: Name
    peer: Address
    party: Party
    occurred_at: Moment


class Typing(Model):
    """Someone is typing: true for a few seconds only, never stored, no sequence. From the customer on inbound, from an agent on outbound.

    On outbound, where there is one: `reply_to`, the customer's newest message, and `thread_key`, the topic of a group.
    """

    tenant: Name
    channel: Name
    account: Name
    peer: Address
    conversation: uuid.UUID | None = None
    reply_to: ExternalId | None = None
    thread_key: ExternalId | None = None
    occurred_at: Moment


class Cost(Model):
    """What a send costs, in the provider's words: no sum, since only its bill knows one."""

    billable: bool | None = None
    category: Annotated[str, Field(max_length=255)] | None = None
    model: Annotated[str, Field(max_length=255)] | None = None


# delivery -----------------------------------------------------------------------------------------------------------


class Delivery(Model):
    """What happened to a message that we sent. It names the message by id (our own sends), external ids (receipts) or watermark.

    `piece` of `pieces`: a long message goes in pieces, each with its own ids; the message is as far as its slowest piece.
    `watermark`: everything sent to this peer until then has this status. `taken_at`: when the adapter read it from outbound.
    """

    tenant: Name
    channel: Name
    account: Name
    peer: Address
    message_id: uuid.UUID | None = None
    piece: Annotated[int, Field(ge=0)] = 0
    pieces: Annotated[int, Field(ge=1)] = 1
    external_ids: Annotated[Many[ExternalId], Field(max_length=100)] = ()
    join_key: ExternalId | None = None
    watermark: Moment | None = None
    status: Status
    failure: Failure | None = None
    cost: Cost | None = None
    attempt: Annotated[int, Field(ge=1)] = 1
    taken_at: Moment | None = None
    occurred_at: Moment


# requests -----------------------------------------------------------------------------------------------------------


class Hop(Model):
    """Another way to the same customer, taken when the one before was not delivered, read or answered in time."""

    channel: Name
    unless: Literal["delivered", "read", "answered"] = "delivered"
    within: Annotated[int, Field(ge=1, description="seconds")] = 300


class Request(Model):
    """What every request may say. Its `ce_id` is the idempotency key; answers carry it as `request_id`."""

    tenant: Name = "default"
    not_before: Moment | None = None
    expires_at: Moment | None = None
    urgent: bool = False
    fallback: Many[Hop] = ()


Parts = Annotated[Many[Part], Field(min_length=1, max_length=20)]


class Written(Model):
    """Who wrote it. `author`: by what name; `automatic`: whether a program did, whatever the name. Where that is not said, a
    person is who has a name: what nobody answers for is a program's, so that no other program answers it (RFC 3834 §2).
    """

    author: str | None = None
    automatic: bool | None = None

    @property
    def by_person(self) -> bool:
        """Some channels give people longer than programs, and only programs are braked."""
        return bool(self.author) if self.automatic is None else not self.automatic


class Reply(Written, Request):
    """Answer in a conversation, on the channel and address that the customer last wrote from.

    `private`: answer a public comment so that only its writer reads it.
    """

    conversation: uuid.UUID
    parts: Parts
    in_reply_to: uuid.UUID | None = None
    private: bool = False


class Send(Written, Request):
    """Write first: to an address at one of our accounts. `subject`: of a mail."""

    channel: Name
    account: Name
    address: Address
    parts: Parts
    subject: Annotated[str, Field(max_length=998)] | None = None


class SendTyping(Request):
    """Show the customer that someone is writing: for a few seconds, never stored."""

    conversation: uuid.UUID


class Cancel(Request):
    """Take back a message that has not been sent."""

    message: uuid.UUID


class EditMessage(Request):
    """Put other content in the place of a message that was sent, where the channel can."""

    message: uuid.UUID
    parts: Parts


class DeleteMessage(Request):
    """Take back a message that was sent, where the channel can."""

    message: uuid.UUID


class Assign(Request):
    """Say who answers; nobody, without an assignee."""

    conversation: uuid.UUID
    assignee: str | None = None


class Tag(Request):
    """Put labels on a conversation, or take them off."""

    conversation: uuid.UUID
    add: Many[str] = ()
    remove: Many[str] = ()


class Close(Request):
    """The conversation is done."""

    conversation: uuid.UUID


class Reopen(Request):
    """The conversation goes on."""

    conversation: uuid.UUID


class Link(Request):
    """This address is that customer's: the evidence is the system that says so."""

    customer: uuid.UUID
    kind: Name
    address: Address


class Unlink(Request):
    """This address is not that customer's."""

    customer: uuid.UUID
    kind: Name
    address: Address


class Merge(Request):
    """These customers are one person: the oldest stays, the merge can be undone."""

    customers: Annotated[Many[uuid.UUID], Field(min_length=2)]
    reason: str


class Split(Request):
    """Undo the merge that made this customer."""

    customer: uuid.UUID
    reason: str


class Erase(Request):
    """Forget this person: messages, identities, files."""

    customer: uuid.UUID
    reason: str


# outbound -----------------------------------------------------------------------------------------------------------


class Outbound(Written):
    """A message to send: what the router asks an adapter for, once per message and attempt.

    `way`: what allows it to be sent, where a provider must be told.
    """

    id: uuid.UUID
    tenant: Name
    channel: Name
    account: Name
    peer: Address
    conversation: uuid.UUID
    sequence: Annotated[int, Field(ge=1)]
    request_id: str
    attempt: Annotated[int, Field(ge=1)] = 1
    thread: Thread = Thread()
    surface: Surface = "direct"
    way: Way = "free_text"
    parts: Parts
    urgent: bool = False
    not_after: Moment | None = None
    requested_at: Moment


# events -------------------------------------------------------------------------------------------------------------


class Step(Model):
    """A place that the message passed, and when. The times between them are the timeline of the page and of `parley trace`."""

    at: Moment
    place: Literal["webhook", "smtp", "request", "inbound", "requests", "router", "outbound", "provider", "delivery"]


class Event(Model):
    """What every event says. `sequence` counts 1, 2, 3 … per conversation (per customer for `customer.*`): drop what is not above the last one seen."""

    tenant: Name
    conversation: uuid.UUID | None = None
    customer: uuid.UUID | None = None
    sequence: Annotated[int, Field(ge=1)] | None = None
    occurred_at: Moment
    request_id: str | None = None
    cause: str | None = None
    trail: Many[Step] = ()


class MessageReceived(Event):
    """Someone wrote; or, with direction outbound, the business did, from elsewhere.

    `flagged`: it came with our own name for the conversation, but from someone who does not take part in it: agents may
    read it, nobody is answered because of it, and nothing else of the conversation changes.
    """

    message: Envelope
    flagged: Literal["stranger"] | None = None


class MessageEdited(Event):
    """A message has new content, which is whole in `message`; no id: the original is not known here."""

    message_id: uuid.UUID | None
    external_id: ExternalId
    message: Envelope


class MessageDeleted(Event):
    """A message was taken back."""

    message_id: uuid.UUID | None
    external_id: ExternalId


class MessageVisibility(Event):
    """A public message was hidden from others, or is shown again."""

    message_id: uuid.UUID | None
    external_id: ExternalId
    hidden: bool


class MessageReaction(Event):
    """One change of someone's reactions to a message, which are a set; no `emoji`: all of theirs were taken back.

    `removed`: this one was taken back, the others stand. `replaces`: it stands in the place of all that they showed before.
    """

    message_id: uuid.UUID | None
    external_id: ExternalId
    sender: Party
    emoji: str | None = None
    removed: bool = False
    replaces: bool = False


class MessageMedia(Event):
    """A file of a message is stored, or will never be."""

    media: MediaUpdate


class MessageQueued(Event):
    """A reply or first message was accepted and is on its way to the adapter."""

    message: Outbound


class MessageStatus(Event):
    """`pieces`: how far each piece of a long message is, by its number."""

    message_id: uuid.UUID
    status: Status
    failure: Failure | None = None
    cost: Cost | None = None
    external_ids: Many[ExternalId] = ()
    attempt: int = 1


class RequestRefused(Event):
    """A request that would fail is refused early, and one that cannot be read; without a conversation it has no sequence.

    `request_type`: `request.reply` and so on, or what was in `ce_type`.
    """

    request_type: str
    failure: Failure


class ConversationOpened(Event):
    """A conversation begins; its id stays for ever. `window`: until when it may be answered freely.

    `linked`: the conversation that its first message named, but whose participant its sender is not.
    """

    channel: Name
    account: Name
    peer: Address
    surface: Surface = "direct"
    container: ExternalId | None = None
    linked: uuid.UUID | None = None
    subject: str | None = None
    window: Window = Window()


class ConversationClosed(Event):
    """It is done; a new message may reopen it."""

    reason: str = ""


class ConversationReopened(Event):
    """It goes on."""

    reason: str = ""


class ConversationMerged(Event):
    """It goes on in another one."""

    into: uuid.UUID


class ConversationParticipant(Event):
    """What became known of someone who takes part, by their address; `name`: as they are called here from now on.

    `blocked`: they have stopped the account, or have not any more. Without a conversation where they have none.
    """

    participant: Party
    blocked: bool | None = None


class ConversationNotice(Event):
    """What the provider tells of the chat; nobody said it. Without a conversation where there is none.

    `context`: what brought the person here, where that is what is told.
    """

    channel: Name
    account: Name
    peer: Address
    sender: Party
    notice: Notice
    context: MessageContext | None = None


class ConversationResponder(Event):
    """Who has the thread at the provider and is expected to answer: somebody else, by that name; no `responder`: we have."""

    responder: Name | None = None


class ConversationBraked(Event):
    """Programs answer each other here: `until` then they are refused (`braked`), unless a person answers before.

    Without a conversation, with its customer, where it is a first mail that would have begun one.
    """

    until: Moment


class ConversationTyping(Event):
    """The customer is typing. Fleeting: no sequence, sent once, never repeated."""

    peer: Address


class CustomerMerged(Event):
    """Two customers turned out to be one person; `into` is who stays."""

    into: uuid.UUID
    reason: str


class CustomerSplit(Event):
    """A merge was undone: these are the people again."""

    customers: Many[uuid.UUID]
    reason: str


class CustomerErased(Event):
    """This person is forgotten; what remains is an id."""

    reason: str


# state --------------------------------------------------------------------------------------------------------------


class AccountState(Model):
    """How an account is, and what its channel can do: the router refuses by it, people watch it."""

    tenant: Name
    channel: Name
    account: Name
    healthy: bool
    failure: Failure | None = None
    token_expires_at: Moment | None = None
    capabilities: dict[str, object] = {}
    occurred_at: Moment


class ConversationState(Model):
    """A conversation as it is now; `version` grows with every change.

    `blocked_at`: since when its customer has stopped the account. `responder`: who else has the thread at the provider, since
    `responder_at`. `braked_until`: until when programs are refused, since they answer each other here.
    """

    id: uuid.UUID
    tenant: Name
    customer: uuid.UUID
    channel: Name
    account: Name
    peer: Address
    status: Literal["open", "idle", "closed", "erased"]
    version: int
    last_sequence: int
    subject: str | None = None
    window: Window = Window()
    opened_at: Moment
    last_direction: Direction | None = None
    blocked_at: Moment | None = None
    responder: Name | None = None
    responder_at: Moment | None = None
    braked_until: Moment | None = None


class CustomerState(Model):
    """A person as they are known now, with every address."""

    id: uuid.UUID
    tenant: Name
    version: int
    merged_into: uuid.UUID | None = None
    identities: Many[Party] = ()


# the registry -------------------------------------------------------------------------------------------------------

TopicName = Literal["inbound", "events", "conversations", "customers", "accounts", "requests", "outbound", "delivery"]


@dataclass(frozen=True)
class RecordType:
    """One kind of record: its CloudEvents type, the topic it travels on, the model of its value."""

    ce_type: str
    topic: TopicName
    model: type[Model]

    def topic_for(self, channel: str | None) -> str:
        """The name, without the prefix, of the one topic that carries it for this channel."""
        family = f".{CHANNELS.get(channel or '', '')}" if self.topic in {"inbound", "outbound"} else ""
        return f"{self.topic}{family}.v1"


def _types() -> dict[str, RecordType]:
    table: tuple[tuple[TopicName, str, type[Model]], ...] = (
        ("inbound", "inbound", Envelope),
        ("inbound", "media", MediaUpdate),
        ("inbound", "profile", ProfileUpdate),
        ("inbound", "typing", Typing),
        ("delivery", "delivery", Delivery),
        ("outbound", "outbound", Outbound),
        ("outbound", "outbound.typing", Typing),
        ("requests", "request.reply", Reply),
        ("requests", "request.send", Send),
        ("requests", "request.typing", SendTyping),
        ("requests", "request.cancel", Cancel),
        ("requests", "request.edit", EditMessage),
        ("requests", "request.delete", DeleteMessage),
        ("requests", "request.assign", Assign),
        ("requests", "request.tag", Tag),
        ("requests", "request.close", Close),
        ("requests", "request.reopen", Reopen),
        ("requests", "request.link", Link),
        ("requests", "request.unlink", Unlink),
        ("requests", "request.merge", Merge),
        ("requests", "request.split", Split),
        ("requests", "request.erase", Erase),
        ("events", "message.received", MessageReceived),
        ("events", "message.edited", MessageEdited),
        ("events", "message.deleted", MessageDeleted),
        ("events", "message.visibility", MessageVisibility),
        ("events", "message.reaction", MessageReaction),
        ("events", "message.media", MessageMedia),
        ("events", "message.queued", MessageQueued),
        ("events", "message.status", MessageStatus),
        ("events", "request.refused", RequestRefused),
        ("events", "conversation.opened", ConversationOpened),
        ("events", "conversation.closed", ConversationClosed),
        ("events", "conversation.reopened", ConversationReopened),
        ("events", "conversation.merged", ConversationMerged),
        ("events", "conversation.participant", ConversationParticipant),
        ("events", "conversation.notice", ConversationNotice),
        ("events", "conversation.responder", ConversationResponder),
        ("events", "conversation.braked", ConversationBraked),
        ("events", "conversation.typing", ConversationTyping),
        ("events", "customer.merged", CustomerMerged),
        ("events", "customer.split", CustomerSplit),
        ("events", "customer.erased", CustomerErased),
        ("accounts", "account", AccountState),
        ("conversations", "conversation", ConversationState),
        ("customers", "customer", CustomerState),
    )
    return {name: RecordType(f"parley.{name}.v1", topic, model) for topic, name, model in table}


RECORDS: Final[Mapping[str, RecordType]] = _types()
BY_TYPE: Final[Mapping[str, RecordType]] = {record.ce_type: record for record in RECORDS.values()}
BY_MODEL: Final[Mapping[type[Model], str]] = {
    record.model: name for name, record in RECORDS.items() if record.model is not Typing
}

# topics -------------------------------------------------------------------------------------------------------------

DAY: Final = 24 * 3600 * 1000  # milliseconds
INBOUND_LIMIT: Final = 768 * 1024  # bytes of an inbound value, so that the event around it fits
RECORD_LIMIT: Final = 2 * 1024 * 1024  # bytes that a topic accepts
DEAD_LETTER_LIMIT: Final = RECORD_LIMIT + 128 * 1024  # a dead letter is a record and why it is one


@dataclass(frozen=True)
class Topic:
    """A topic as data. `name` is without the prefix; keyed topics must never be widened."""

    name: str
    config: Mapping[str, str]

    @staticmethod
    def deleting(name: str, days: int) -> Topic:
        limit = DEAD_LETTER_LIMIT if name.endswith(".dlq") else RECORD_LIMIT
        return Topic(
            name, {"cleanup.policy": "delete", "retention.ms": str(days * DAY), "max.message.bytes": str(limit)}
        )

    @staticmethod
    def compacting(name: str) -> Topic:
        return Topic(
            name,
            {
                "cleanup.policy": "compact",
                "segment.ms": str(DAY),
                "max.compaction.lag.ms": str(DAY),
                "delete.retention.ms": str(30 * DAY),
                "max.message.bytes": str(RECORD_LIMIT),
            },
        )


def inbound_topic(family: Family) -> str:
    return f"inbound.{family}.v1"


def outbound_topic(family: Family) -> str:
    return f"outbound.{family}.v1"


def ingress_dlq(family: Family) -> str:
    return f"ingress.{family}.dlq"


def afterwards_group(family: Family) -> str:
    """Named after what it fetched first: a group that is called otherwise begins anew."""
    return f"{family}_media"


def adapter_group(family: Family) -> str:
    return f"{family}_adapter"


EVENTS: Final = "events.v1"
REQUESTS: Final = "requests.v1"
DELIVERY: Final = "delivery.v1"
ACCOUNTS: Final = "accounts.v1"
WITNESS: Final = "witness.v1"
ROUTER_GROUP: Final = "router"
ROUTER_INPUTS: Final = (*map(inbound_topic, FAMILIES), DELIVERY, REQUESTS)


def _topics() -> tuple[Topic, ...]:
    consumed = (
        *((topic, ROUTER_GROUP) for topic in ROUTER_INPUTS),
        *((inbound_topic(family), afterwards_group(family)) for family in FAMILIES),
        *((outbound_topic(family), adapter_group(family)) for family in FAMILIES),
    )
    return (
        *(Topic.deleting(inbound_topic(family), 7) for family in FAMILIES),
        Topic.deleting(EVENTS, 30),
        Topic.compacting("conversations.v1"),
        Topic.compacting("customers.v1"),
        Topic.compacting(ACCOUNTS),
        Topic.compacting(WITNESS),
        Topic.deleting(REQUESTS, 7),
        *(Topic.deleting(outbound_topic(family), 7) for family in FAMILIES),
        Topic.deleting(DELIVERY, 30),
        *(Topic.deleting(f"{topic}.{group}.dlq", 30) for topic, group in consumed),
        *(Topic.deleting(ingress_dlq(family), 30) for family in FAMILIES),
    )


TOPICS: Final[tuple[Topic, ...]] = _topics()
