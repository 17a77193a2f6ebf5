"""What is told to internal systems: what happened, and how accounts, conversations and customers are now."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from pydantic import Field

from shared.contract.codes import Failure, Status
from shared.contract.deliveries import Cost, MediaUpdate, Outbound
from shared.contract.envelope import (
    Address,
    Assessment,
    Envelope,
    ExternalId,
    Label,
    Many,
    MessageContext,
    Model,
    Moment,
    Name,
    Notice,
    Party,
    Priority,
    Purpose,
    Surface,
    Window,
)
from shared.contract.policy import Policy
from shared.contract.requests import Parts, Written


class Step(Model):
    """A place that the message passed, and when. The times between them are the timeline of the page and of `parley trace`."""

    at: Moment
    place: Literal["webhook", "smtp", "request", "inbound", "requests", "router", "outbound", "provider", "delivery"]


class Event(Model):
    """What every event says. `sequence` counts 1, 2, 3 … per conversation (per customer for `customer.*`): drop what is not above the last one seen.

    `customer`: of a conversation, the person at that moment; of `customer.*`, whose sequence it is. `home`: the customer with whose
    address the conversation began, for ever; whoever `home` is now is whose it is now.
    """

    tenant: Name
    conversation: uuid.UUID | None = None
    customer: uuid.UUID | None = None
    home: uuid.UUID | None = None
    sequence: Annotated[int, Field(ge=1)] | None = None
    occurred_at: Moment
    request_id: str | None = None
    cause: str | None = None
    trail: Many[Step] = ()


class MessageReceived(Event):
    """Someone wrote; or, with direction outbound, the business did, from elsewhere.

    `flagged`: it came with our own name for the conversation, but from someone who does not take part in it: agents may
    read it, nobody is answered because of it, and nothing else of the conversation changes. `waited_since`: as in `message.queued`.
    """

    message: Envelope
    flagged: Literal["stranger"] | None = None
    waited_since: Moment | None = None


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


class MessageSeen(Event):
    """The customer is shown that this message of theirs, and all before it, are read."""

    message_id: uuid.UUID
    external_id: ExternalId | None = None


class MessageMedia(Event):
    """A file of a message is stored, or will never be."""

    media: MediaUpdate


class MessageQueued(Event):
    """A reply or first message was accepted and is on its way to the adapter.

    `waited_since`: since when a person had waited for it; what lies between is the response time. `despite`: what else would have
    kept it, had it not been urgent.
    """

    message: Outbound
    waited_since: Moment | None = None
    despite: Literal["decent_hours"] | None = None


class MessageScheduled(Written, Event):
    """A message waits until `due`; then it is judged as if it were asked for, and is `message.queued` or `request.refused`. Until
    then `request.cancel` takes it back: its `message.status` is `cancelled`. Without a conversation where it would begin one.

    `why`: what it waits for, where nobody asked for it to wait; it may be told again then, with another `due`.
    """

    message_id: uuid.UUID
    due: Moment
    why: Literal["decent_hours"] | None = None
    channel: Name
    account: Name
    peer: Address
    parts: Parts


class PieceStatus(Model):
    """How far one piece of a message is, and what the provider calls it."""

    status: Status
    external_ids: Many[ExternalId] = ()
    failure: Failure | None = None


class PlanWay(Model):
    """One way of a plan, as it was asked for; `account` is never left out."""

    channel: Name
    account: Name
    address: Address | None = None
    unless: str | None = None
    within: int | None = None


class PlanBegun(Event):
    """A message has other ways (`fallback`), of which one is taken at a time. `plan`: the message's own id, which `request.cancel` names.

    `ways`: all of them, the first way first. What becomes of each follows as `plan.way`, in this same conversation; `plan.ended` ends it.
    """

    plan: uuid.UUID
    ways: Many[PlanWay]


class PlanStep(Event):
    """The next way was taken, or refused (`failure`). `step`: which, from 0; `why`: what the way before was, none for the first.

    `message_id`: which message it is, in whichever conversation it goes.
    """

    plan: uuid.UUID
    step: Annotated[int, Field(ge=0)]
    why: str | None = None
    channel: Name
    account: Name
    address: Address | None = None
    message_id: uuid.UUID | None = None
    failure: Failure | None = None


class PlanWithdrawn(Event):
    """The way's message is not to be sent any more, if it has not begun: its status says what became of it. `why`: as `plan.ended`."""

    plan: uuid.UUID
    step: Annotated[int, Field(ge=0)]
    why: str
    message_id: uuid.UUID


class PlanEnded(Event):
    """No other way is taken. `why`: what was wanted (`accepted`, `sent`, `delivered`, `read`), `answered` by `message_id`, `cancelled` by
    whoever named `message_id`; or how the last way fell short (`refused`, `failed`, `expired`, `unsent`, `undelivered`, `unread`, `unanswered`, `unknown`).
    """

    plan: uuid.UUID
    step: Annotated[int, Field(ge=0)]
    why: str
    message_id: uuid.UUID | None = None


class MessageStatus(Event):
    """How far a message of ours is: as far as its slowest piece; where one failed, expired or was taken back, so is the whole.

    `pieces`: how far each piece of a message that went in several is, by its number; told again when one of them moves, with the
    same `status` where the whole has not.
    """

    message_id: uuid.UUID
    status: Status
    pieces: Many[PieceStatus] = ()
    failure: Failure | None = None
    cost: Cost | None = None
    external_ids: Many[ExternalId] = ()
    attempt: int = 1


class RequestAccepted(Event):
    """A request that changes something at the provider is on its way; its end is an event with the same `request_id`.

    `request_type`: `request.edit` and so on.
    """

    request_type: str
    message_id: uuid.UUID | None = None


class RequestRefused(Event):
    """A request that would fail is refused early, and one that cannot be read; without a conversation it has no sequence. So
    ends, too, an accepted one that the provider refuses.

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


class ConversationAssigned(Event):
    """Who answers from now on; nobody in particular, without an assignee."""

    assignee: Label | None = None


class ConversationTagged(Event):
    """All labels that it has now, and how urgent it is, where somebody has said so."""

    tags: Many[Label] = ()
    priority: Priority | None = None


class ConversationRead(Event):
    """Somebody of ours has read it up to this sequence."""

    upto: Annotated[int, Field(ge=1)]


class ConversationWaiting(Event):
    """Somebody has waited for an answer for so many minutes, since their oldest message that has none (the account's policy): of its
    business hours, where it has such.
    """

    waited_since: Moment
    minutes: Annotated[int, Field(ge=1)]


class ConversationTurn(Event):
    """A person has written, and then nothing for as long as the account's policy says: these messages are one turn, in order.
    A hundred messages are one, however quickly they come.
    """

    messages: Annotated[Many[uuid.UUID], Field(min_length=1, max_length=100)]


class ConversationMerged(Event):
    """It goes on in another one."""

    into: uuid.UUID


class ConversationParticipant(Event):
    """What became known of someone who takes part, by their address; `name`: as they are called here from now on.

    `blocked`: they have stopped the account, or have not any more. Without a conversation where they have none. `reachable`: nobody
    is at their address any more, as `failure` says, and what is sent there is refused; or somebody is again, since they wrote or
    a request says so, for its `reason`.
    """

    participant: Party
    blocked: bool | None = None
    reachable: bool | None = None
    failure: Failure | None = None
    reason: str = ""


class ConversationNotice(Event):
    """What the provider tells of the chat; nobody said it. Without a conversation where there is none.

    `context`: what brought the person here, where that is what is told. `assessment`: of a mail that a server wrote about a
    mail (a bounce, a complaint, a receipt): its kind, its facts and why it is taken for that.
    """

    channel: Name
    account: Name
    peer: Address
    sender: Party
    notice: Notice
    assessment: Assessment | None = None
    context: MessageContext | None = None


class ConversationResponder(Event):
    """Who has the thread at the provider and is expected to answer: somebody else, by that name; no `responder`: we have.

    `request_id`: of the `request.handover` that this is the end of.
    """

    responder: Name | None = None


class ConversationBraked(Event):
    """Programs answer each other here: `until` then they are refused (`braked`), unless a person answers before.

    Without a conversation, with its customer, where it is a first mail that would have begun one.
    """

    until: Moment


class ConversationTyping(Event):
    """The customer is typing. Fleeting: no sequence, sent once, never repeated."""

    peer: Address


class MessageGrowing(Event):
    """An answer of ours as far as it is written, which `message_id` will be. Fleeting: no sequence, sent once, never repeated."""

    message_id: uuid.UUID
    text: str
    author: Name | None = None


class CustomerMerged(Event):
    """Two customers turned out to be one person; `into`, the oldest, is who stays, and `customers` are all who are that person now.

    Told of each whose person is another now, and of who stays. `bond`: the two whose addresses were joined; `source`: by proof
    or by a request.
    """

    into: uuid.UUID
    customers: Many[uuid.UUID] = ()
    bond: Many[uuid.UUID] = ()
    source: Literal["proved", "asked"] = "proved"
    reason: str


class CustomerSplit(Event):
    """A merge was undone: this customer is `into` now, with all of `customers`. Told of each who is another now, and of whoever
    they were.
    """

    into: uuid.UUID | None = None
    customers: Many[uuid.UUID]
    reason: str


class CustomerLinked(Event):
    """An address is this customer's from now on, by a system's word. `home`: the address's own customer, for life."""

    kind: Name
    address: Address
    home: uuid.UUID
    reason: str = ""


class CustomerUnlinked(CustomerLinked):
    """An address is not this customer's any more."""


class CustomerSuggested(Event):
    """This customer and the `other` may be one person: `reason` says why. `pair`: whose addresses it is of.

    Answered by `request.merge`, or by `request.apart`.
    """

    other: uuid.UUID
    pair: Many[uuid.UUID]
    reason: str


class CustomerParted(Event):
    """This customer and the `other` are two people: no proof joins them."""

    other: uuid.UUID
    reason: str


class CustomerConsent(Event):
    """What a customer wants to be sent without having asked, or does not want any more: by their own word in a message
    (`message_id`), by the provider's, or by a request. `channel`: none: on every one.
    """

    purposes: Many[Purpose]
    channel: Name | None = None
    given: bool
    by: Literal["person", "provider", "request"]
    evidence: str
    message_id: uuid.UUID | None = None


class CustomerErased(Event):
    """This person is forgotten; what remains is an id. Delete what you hold of it: whatever has it as `customer` or `home`.

    `erased_at`: what came before names nobody, later messages of the same address are a new customer's. `customers`: whoever they were
    one person with, each of whom has this event too.
    """

    reason: str
    by: Label | None = None
    erased_at: Moment | None = None
    customers: Many[uuid.UUID] = ()


class AccountState(Model):
    """How an account is, and what its channel can do: the router refuses by it, people watch it.

    `api_version`: of the provider's API, which it takes away at `api_ends_at`, where it has said so. `policy`: what is done with
    its conversations, as its table of the accounts file says.
    """

    tenant: Name
    channel: Name
    account: Name
    healthy: bool
    failure: Failure | None = None
    token_expires_at: Moment | None = None
    api_version: Annotated[str, Field(max_length=64)] | None = None
    api_ends_at: Moment | None = None
    capabilities: dict[str, object] = {}
    policy: Policy = Policy()
    occurred_at: Moment


class ConversationState(Model):
    """A conversation as it is now. `version` grows with every change: drop what is lower than what you have.

    `home`: the customer of whoever began it, as on its events; with whom that customer is one person stands on `customers.v1`
    (`merged_into`).
    `last_sequence`: of the last event that it knows of; those above it are news. What was said stands in events only.
    `blocked_at`: since when its customer has stopped the account. `responder`: who else has the thread at the provider, since
    `responder_at`. `braked_until`: until when programs are refused, since they answer each other here. `waiting_since`: of the
    oldest message that nobody of ours has answered; `unread_from`: the sequence of the oldest that nobody of ours has read.
    """

    id: uuid.UUID
    tenant: Name
    home: uuid.UUID
    channel: Name
    account: Name
    peer: Address
    surface: Surface = "direct"
    container: ExternalId | None = None
    status: Literal["open", "idle", "closed", "erased"]
    version: int
    last_sequence: int
    name: str | None = None
    subject: str | None = None
    window: Window = Window()
    opened_at: Moment
    last_at: Moment | None = None
    last_inbound_at: Moment | None = None
    blocked_at: Moment | None = None
    responder: Name | None = None
    responder_at: Moment | None = None
    braked_until: Moment | None = None
    closed_at: Moment | None = None
    assignee: Label | None = None
    tags: Many[Label] = ()
    priority: Priority | None = None
    waiting_since: Moment | None = None
    unread_from: Annotated[int, Field(ge=1)] | None = None


class Identity(Model):
    """An address, and of which kind it is: `email`, `phone`, a channel's user ids (`telegram`, `facebook:shop`), those of another system."""

    kind: Name
    address: Address


class CustomerState(Model):
    """A customer as they are known now; each address has its own, for life. `version` grows with every change: drop what is lower
    than what you have.

    `merged_into`: the oldest of those who are one person with this customer, who is merged into nobody; it goes when that is undone. `erased_at`: they
    are forgotten, this is all that is left, and stays.
    """

    id: uuid.UUID
    tenant: Name
    version: int
    merged_into: uuid.UUID | None = None
    identities: Many[Identity] = ()
    erased_at: Moment | None = None
