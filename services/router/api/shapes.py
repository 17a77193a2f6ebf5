"""What the API answers, for the document that describes it: what more there may be is not taken amiss."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from services.router.api.state import State
from services.router.api.tokens import Scope
from shared.contract.codes import Failure
from shared.contract.envelope import Purpose
from shared.contract.events import AccountState


class Error(BaseModel):
    """`code`: one of docs/records.md, `not_found`, or `scope` where the token may not do this."""

    code: str
    detail: str


class Errors(BaseModel):
    error: Error


class SendingState(BaseModel):
    """Our newest message there, and how far it is."""

    message: uuid.UUID
    status: str


class Conversation(BaseModel):
    """A conversation as it is now. `removed_to`: the last sequence that is no longer kept. `responder`: who else has the thread at
    the provider. `braked_until`: until when programs are refused. `unread_from`: the first event that nobody has read. `failure`: how
    our newest message failed. `responses`: how long people waited for answers, in seconds.
    """

    id: uuid.UUID
    tenant: str
    home: uuid.UUID = Field(description="the customer with whose address it began, for ever")
    customer: uuid.UUID = Field(description="the person who that is now")
    channel: str
    account: str
    peer: str
    name: str | None
    name_verified: bool = Field(description="the name is the word of who vouches for the address")
    subject: str | None
    preview: str | None
    status: str
    window: dict[str, Any]
    last_sequence: int
    opened_at: datetime
    last_at: datetime
    last_inbound_at: datetime | None
    container: str | None
    surface: str
    blocked_at: datetime | None
    responder: str | None
    responder_at: datetime | None
    removed_to: int
    closed_at: datetime | None
    assignee: str | None
    tags: list[str]
    priority: str | None
    waiting_since: datetime | None
    unread_from: int | None
    failure: dict[str, Any] | None
    responses: dict[str, float] | None
    braked_until: datetime | None
    sending: SendingState | None


class Conversations(BaseModel):
    """`next` goes into `before` for the page after this one; null: there is none."""

    conversations: list[Conversation]
    next: str | None


class StoredEvent(BaseModel):
    """`data`: the value of the event's record, by its type as docs/schemas has it."""

    sequence: int
    id: uuid.UUID
    type: str
    at: datetime
    data: dict[str, Any]


class WholeConversation(Conversation):
    """`kept_days`: how long messages are kept, null for ever. `people`: names by addresses, of those introduced before."""

    kept_days: int | None
    events: list[StoredEvent]
    people: dict[str, str]


class PlanWay(BaseModel):
    """One way of a plan. `at`: when it was taken; `unless`, `within`: when it is taken, none of the first; `code`: why it was refused."""

    channel: str
    account: str
    address: str | None
    conversation: uuid.UUID | None
    message: uuid.UUID | None
    at: datetime | None
    status: str | None
    code: str | None
    unless: str | None
    within: int | None


class Plan(BaseModel):
    """A message with other ways. `step`: which is the newest; `due`: when it is looked at next; `why`: how it ended."""

    id: uuid.UUID
    request_id: str
    step: int
    due: datetime | None
    began_at: datetime
    ended_at: datetime | None
    why: str | None
    ways: list[PlanWay]


class Plans(BaseModel):
    """Those that go on first."""

    plans: list[Plan]


class Gone(BaseModel):
    """Since when nobody is at an address, in the provider's words."""

    since: datetime
    detail: str


class Named(BaseModel):
    """An address by which somebody is known. `kind`: what it is, or whose ids it is of. `bad_address`: nobody is there any more."""

    kind: str
    address: str
    name: str | None
    bad_address: Gone | None


class Member(BaseModel):
    """A customer who is this person. `shared`: more people use the address than one has."""

    id: uuid.UUID
    born: datetime
    shared: bool
    last_sequence: int
    identities: list[Named]


class Joined(BaseModel):
    """Why two customers are one person: proved, or asked for. Not `live`: it was cut, and by what."""

    a: uuid.UUID
    b: uuid.UUID
    source: str
    reason: str
    cause: str
    at: datetime
    live: bool
    cut_by: str | None
    cut_at: datetime | None


class Other(BaseModel):
    """Somebody else, by the person that they are now. `a`, `b`: whose addresses it is of."""

    a: uuid.UUID
    b: uuid.UUID
    other: uuid.UUID
    name: str | None
    reason: str
    at: datetime


class WholeCustomer(Conversations):
    """A person. `suggestions`: who they may be too; `apart`: who they are not, by somebody's word."""

    id: uuid.UUID
    tenant: str
    members: list[Member]
    bonds: list[Joined]
    suggestions: list[Other]
    apart: list[Other]


class Ids(BaseModel):
    """The first five of each."""

    conversations: list[uuid.UUID]
    messages: list[uuid.UUID]


class Progress(BaseModel):
    """How far a message of ours is. `progress`: of each piece, by its number."""

    status: str
    attempt: int
    pieces: int
    progress: dict[str, Any]
    request_id: str
    at: datetime


class Message(BaseModel):
    """`announced`: the event that did; `events`: all that mention it, this one first."""

    id: uuid.UUID
    conversation: uuid.UUID
    announced: StoredEvent
    sending: Progress | None
    events: list[StoredEvent]


class Piece(BaseModel):
    """A piece of an excerpt; `found`: one of the words that were asked for."""

    text: str
    found: bool


class Found(BaseModel):
    """A message that has the words."""

    id: uuid.UUID
    conversation: uuid.UUID
    sequence: int
    type: str
    at: datetime
    tenant: str
    channel: str
    account: str
    peer: str
    name: str | None
    subject: str | None
    excerpt: list[Piece]


class Identity(BaseModel):
    """An address, by its kind; `customer`: its own."""

    kind: str
    value: str
    name: str | None
    verified: str | None
    customer: uuid.UUID


class Person(BaseModel):
    """One person: the oldest of the customers who are one with it."""

    id: uuid.UUID
    tenant: str
    last_at: datetime
    identities: list[Identity]


class People(BaseModel):
    """Whoever was heard of last first; `next` goes into `before` for the page after this one."""

    customers: list[Person]
    next: str | None


class Search(BaseModel):
    """Newest first; `next` goes into `before` for the page after this one."""

    messages: list[Found]
    conversations: list[Conversation]
    next: str | None


class Published(BaseModel):
    """When Kafka took each event, by its sequence."""

    published: dict[str, datetime]


class FileAddress(BaseModel):
    """An address that needs no token, until then."""

    url: str
    expires_at: datetime


class MailAddress(FileAddress):
    """`with_images` lets pictures come from where the sender keeps them; null: there are none."""

    with_images: str | None


class Fitted(BaseModel):
    """`pieces`: in how many sends it goes, null where that is not known. `failure`: as the refusal would have it."""

    pieces: int | None
    notes: list[str]
    failure: Failure | None


class Accepted(BaseModel):
    """The request is durable; what came of it, an event says."""

    request_id: str
    message_id: uuid.UUID


class Wish(BaseModel):
    """What was said last of one purpose on one channel (none: on every one). `customer`: of whose addresses."""

    purpose: Purpose
    channel: str | None
    given: bool
    at: datetime
    evidence: str
    by: str
    customer: uuid.UUID


class Consents(BaseModel):
    customer: uuid.UUID
    consent: list[Wish]


class Heard(BaseModel):
    """An event as it happened, with its place in the log; `data` is the value of its record."""

    type: str | None
    id: str | None
    key: str
    time: str | None
    published_at: datetime
    partition: int
    offset: int
    data: Any


class Part(BaseModel):
    """`away`: it does not answer. `absent`: nobody reads for it. `moving`: its readers are sharing their work anew."""

    name: str
    state: State


class Parts(BaseModel):
    parts: list[Part]


class Accounts(BaseModel):
    accounts: list[AccountState]


class StoredFile(BaseModel):
    """What a media part in state `stored` needs."""

    blob: str
    mime_type: str
    size: int
    sha256: str
    name: str


class Config(BaseModel):
    """What the page asks first."""

    console_chat: str
    console_sandbox: str
    scope: Scope
