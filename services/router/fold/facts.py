"""What the fold may know: rows as they stood after the locks, and what it decided to write."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from shared.contract.channel import Capabilities
from shared.contract.codes import Status
from shared.contract.envelope import Surface
from shared.contract.identities import identity_kind
from shared.contract.policy import Policy

UNTOLD: Final = Policy()  # of an account whose adapter has not said anything
NEWEST: Final = 10  # Message-IDs that are kept beside the first


class RefKey(NamedTuple):
    """What a provider calls something. `kind`: message, join (the key an echo will carry), thread, person (whom private answers to
    public comments reached), media (where the files of an echo wait, by its id), brake (an address, with what
    services/router/fold/brake.py counts of mails with it), or answered (a public comment, with the message that answers it in
    private; whoever holds the lock of its conversation may read and write it).
    """

    tenant: str
    channel: str
    account: str
    kind: str
    external_id: str


class IdentityKey(NamedTuple):
    tenant: str
    kind: str
    value: str


class Pair(NamedTuple):
    """Two customers, the smaller id first."""

    a: uuid.UUID
    b: uuid.UUID


class Suggestion(NamedTuple):
    """That two may be one person. `is_open`: nobody has answered it."""

    reason: str
    is_open: bool = True


class Place(NamedTuple):
    """One person at one account, by whichever name."""

    customer_id: uuid.UUID
    channel: str
    account: str


class PeerKey(NamedTuple):
    tenant: str
    channel: str
    account: str
    peer: str


class AlarmKey(NamedTuple):
    """Of what is to be looked at later, and why: a kind of services/router/fold/rules.py:FIRES."""

    entity: uuid.UUID
    kind: str


@dataclass(slots=True)
class Ref:
    """`pending`: what came ahead of its message, in order of arrival; its column has an older name, `parked`."""

    key: RefKey
    message_id: uuid.UUID | None = None
    conversation_id: uuid.UUID | None = None
    piece: int = 0
    edited_at: datetime | None = None
    pending: list[dict[str, Any]] = field(default_factory=list)
    changed: bool = False


@dataclass(slots=True)
class Conversation:
    """`pending`: echoes that wait until it is known whether they are our own sends; its column has an older name, `parked`.
    `chain`: of a mail conversation the first and the newest Message-IDs, oldest first. `blocked_at`: since when its customer has
    stopped the account; `responder`: who else has the thread at the provider; `brake`: of services/router/fold/brake.py;
    `signed_name`: the name, where whoever vouches for its customer's address vouches for it too; `route`: of
    services/router/fold/routes.py; `alarms`: when it is to be looked at, by kind. What the desk works with is of
    services/router/fold/work.py: `reopens`: it was closed, and may go on; `waiting_since`: of the oldest message that nobody of ours has answered; `heard`: the sequence of the newest message
    of others, `unread_from`: of the oldest that nobody has read; `failure`: of our newest send, {"message", "status", "code"?,
    "at"}; `responses`: how long people have waited for answers, {"first", "last", "total": seconds, "count"}; `turn`:
    of services/router/fold/silence.py; `listed_at`:
    `last_at` to the minute, by which lists are sorted: what stands in an index is seldom written. `changed`: to be written;
    `moved`: what changes seldom as well, which is all but sequence, name, preview, what is newest, who waits and what is unread.
    """

    id: uuid.UUID
    tenant: str
    customer_id: uuid.UUID
    channel: str
    account: str
    peer: str
    container: str | None
    thread_key: str | None
    opened_at: datetime
    last_at: datetime
    surface: Surface
    status: str = "open"
    last_sequence: int = 0
    name: str | None = None
    subject: str | None = None
    preview: str | None = None
    last_inbound_at: datetime | None = None
    last_external_id: str | None = None
    window: dict[str, Any] = field(default_factory=dict)
    delivered_to: datetime | None = None
    read_to: datetime | None = None
    blocked_at: datetime | None = None
    responder: str | None = None
    responder_at: datetime | None = None
    brake: dict[str, Any] | None = None
    signed_name: str | None = None
    route: dict[str, Any] | None = None
    alarms: dict[str, str] = field(default_factory=dict)
    listed_at: datetime | None = None
    reopens: bool = False
    closed_at: datetime | None = None
    assignee: str | None = None
    tags: list[str] | None = None
    priority: str | None = None
    waiting_since: datetime | None = None
    heard: int | None = None
    unread_from: int | None = None
    failure: dict[str, Any] | None = None
    responses: dict[str, Any] | None = None
    turn: dict[str, Any] | None = None
    pending: list[dict[str, Any]] = field(default_factory=list)
    chain: list[str] = field(default_factory=list)
    changed: bool = False
    moved: bool = False

    @property
    def peer_key(self) -> PeerKey:
        return PeerKey(self.tenant, self.channel, self.account, self.peer)

    @property
    def goes_on(self) -> bool:
        """Whether what its customer writes next belongs here of itself."""
        return self.status == "open" and self.is_chat

    @property
    def is_chat(self) -> bool:
        """What its customer writes needs to name nothing: a mail must say what it answers, and what stands in a thread says in which."""
        return self.container is None and self.thread_key is None and self.surface != "email"

    def link(self, external_id: str) -> None:
        """Remember a mail's name for those that answer (EMAIL rule 3)."""
        if self.surface == "email" and external_id not in self.chain:
            self.chain = [*self.chain[:1], *[*self.chain[1:], external_id][-NEWEST:]]
            self.changed = self.moved = True


@dataclass(slots=True)
class Sending:
    """How far one message of ours is. `progress`: by piece number, {"status", "ids", "at", "sent_at"?,
    "join"?, "failure"?, "cost"?, "reader"?}.
    """

    message_id: uuid.UUID
    conversation_id: uuid.UUID
    status: Status
    request_id: str
    at: datetime
    attempt: int = 1
    pieces: int = 1
    progress: dict[str, dict[str, Any]] = field(default_factory=dict)
    plan: uuid.UUID | None = None
    changed: bool = False

    @property
    def external_ids(self) -> list[str]:
        return [name for number in sorted(self.progress, key=int) for name in self.progress[number].get("ids", ())]


@dataclass(slots=True)
class Known:
    """A message that is stored already: whose conversation it is in, what the provider calls it.

    `author`: the names of whoever wrote it; `ours`: it went out; `private`: a private answer of ours to a public comment.
    `at`: when it was written; `parts`: what it said then; `external_ids`, `read_mark`: as in the envelope.
    """

    conversation_id: uuid.UUID
    external_id: str | None
    author: frozenset[str] = frozenset()
    ours: bool = False
    private: bool = False
    at: datetime | None = None
    parts: Sequence[Any] = ()
    external_ids: tuple[str, ...] = ()
    read_mark: str | None = None


@dataclass(slots=True)
class Person:
    """What is known of whoever has an address: their name, and what the provider said when it was asked."""

    name: str | None = None
    profile: dict[str, Any] | None = None
    changed: bool = False


class BadAddress(NamedTuple):
    """That nobody is there: since when, in the provider's words."""

    since: datetime
    detail: str


class Wish(NamedTuple):
    """Of what it is said whether a customer wants it. `channel`: "" for every one."""

    customer: uuid.UUID
    purpose: str
    channel: str


class Grave(NamedTuple):
    """What is left of an address whose person was erased. `generation`: how often; `unwanted`: [purpose, channel] of what they did
    not want to be sent.
    """

    erased_at: datetime
    generation: int = 1
    unwanted: Sequence[Sequence[str]] = ()


class Consent(NamedTuple):
    """Whether it is wanted, since when, how that is known, whose word it is (person, provider, request)."""

    given: bool
    at: datetime
    evidence: str
    by: str

    @property
    def age(self) -> tuple[datetime, bool]:
        """Of two of one moment the one that wants nothing counts."""
        return self.at, not self.given


class Hint(NamedTuple):
    """Where somebody may be: by what their provider tells, and by an address of theirs that is a number (E.164)."""

    zone: str | None
    number: str | None


class Sent(NamedTuple):
    """What was sent to a customer who had not asked. `cause`: the message of the request, however many ways it took."""

    customer: uuid.UUID
    cause: uuid.UUID
    at: datetime
    purpose: str


@dataclass(slots=True)
class Atom:
    """The customer that an address began, for life. `person`: the oldest of those who are one with it; `shape`: grows with every
    change of who belongs to the person, on each of them; `shared`: more use the address than one person has; `erased_at`: what is left
    is an id.
    """

    id: uuid.UUID
    tenant: str
    person: uuid.UUID
    shape: int
    born: datetime
    last_sequence: int = 0
    shared: bool = False
    erased_at: datetime | None = None
    changed: bool = False

    @property
    def age(self) -> tuple[datetime, uuid.UUID]:
        return self.born, self.id


@dataclass(slots=True)
class Bond:
    """Why two customers are one person: proved, or asked for. `n`: after which others of the person; cut ones stay in the ledger."""

    pair: Pair
    source: Literal["proved", "asked"]
    n: int
    reason: str
    cause: str
    at: datetime
    live: bool = True
    cut_by: str | None = None
    cut_at: datetime | None = None
    changed: bool = False


@dataclass(slots=True)
class Plan:
    """A request that waits (services/router/fold/plans.py). `request`: its value; `message_id`: of the message that it is about, or that
    it will be.
    """

    id: uuid.UUID
    tenant: str
    conversation_id: uuid.UUID | None
    message_id: uuid.UUID
    request_id: str
    type: str
    request: bytes
    traceparent: str | None
    requested_at: datetime
    due: datetime


@dataclass(slots=True)
class Leg:
    """One way of a fallback. `at`: when it was taken; `message`, `conversation`: what it became, none where it was refused (`code`)."""

    channel: str
    account: str
    address: str | None
    at: str | None = None
    message: str | None = None
    conversation: str | None = None
    code: str | None = None
    withdrawn: bool = False


@dataclass(slots=True)
class Fallback:
    """A message with other ways (services/router/fold/fallback.py). `id`: of its first message; `owners`: the customers of the addresses that
    it goes to; `conversation_id`: where its steps are told; `conversations`: where its messages are; `message_id`: of the newest.

    `due`: when somebody looks at it next, as far as that is known; `reached`: where the person of the next way is, if it does not say so.
    """

    id: uuid.UUID
    tenant: str
    owners: list[uuid.UUID]
    conversation_id: uuid.UUID | None
    conversations: list[uuid.UUID]
    message_id: uuid.UUID | None
    request_id: str
    type: str
    request: bytes
    traceparent: str | None
    step: int
    legs: list[Leg]
    due: datetime | None
    began_at: datetime
    ended_at: datetime | None = None
    why: str | None = None
    reached: str | None = None
    changed: bool = False

    @property
    def leg(self) -> Leg:
        return self.legs[self.step]


@dataclass(slots=True)
class Emission:
    """A row of the outbox. `conversation_id`: whose sequence it has, a conversation's or a customer's. `home`: whose the message is,
    where it is not whoever began the conversation.
    """

    topic: str
    conversation_id: uuid.UUID
    sequence: int
    name: str
    id: uuid.UUID
    tenant: str
    at: datetime
    value: bytes
    traceparent: str | None = None
    message_id: uuid.UUID | None = None
    stored: bool = True
    home: uuid.UUID | None = None

    @property
    def announces(self) -> bool:
        return self.name in {"message.received", "message.queued"}


def _newest(conversation: Conversation) -> tuple[datetime, uuid.UUID]:
    return conversation.last_at, conversation.id


@dataclass(slots=True)
class Facts:
    """Everything that the rules of one batch look at. They change it as they go: the second message sees what the first did.

    `customers`: the person of each address, by the oldest of their customers; `homes`: the address's own. `persons`: the person of
    each customer. `atoms`: the rows that are locked; everyone's of these persons where `reshapes`, else the oldest only; then
    `addresses` are theirs. `begun`: whoever became known in this batch. `graves`: of these addresses; `gone`: customers that a request
    names who were erased; `erased`: whoever is in this batch, with what they do not want.
    `hints`: of each person, where somebody minds; `zones`: where
    people are, as they write; `sent`: what counts for caps, `counted` of it in this batch.
    """

    now: datetime
    secret: bytes = b""
    fresh: set[uuid.UUID] = field(default_factory=set)
    customers: dict[IdentityKey, uuid.UUID] = field(default_factory=dict)
    homes: dict[IdentityKey, uuid.UUID] = field(default_factory=dict)
    persons: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    atoms: dict[uuid.UUID, Atom] = field(default_factory=dict)
    bonds: dict[tuple[Pair, str], Bond] = field(default_factory=dict)
    vetoes: dict[Pair, str | None] = field(default_factory=dict)
    suggestions: dict[Pair, Suggestion] = field(default_factory=dict)
    remarked: set[Pair] = field(default_factory=set)
    shapes: dict[uuid.UUID, int] = field(default_factory=dict)
    shared: set[uuid.UUID] = field(default_factory=set)
    addresses: dict[uuid.UUID, list[IdentityKey]] = field(default_factory=dict)
    begun: set[uuid.UUID] = field(default_factory=set)
    graves: dict[IdentityKey, Grave] = field(default_factory=dict)
    gone: dict[tuple[str, uuid.UUID], datetime] = field(default_factory=dict)
    erased: dict[uuid.UUID, Sequence[Sequence[str]]] = field(default_factory=dict)
    reshapes: bool = False
    conversations: dict[uuid.UUID, Conversation] = field(default_factory=dict)
    refs: dict[RefKey, Ref] = field(default_factory=dict)
    known: dict[uuid.UUID, Known] = field(default_factory=dict)
    sendings: dict[uuid.UUID, Sending] = field(default_factory=dict)
    people: dict[IdentityKey, Person] = field(default_factory=dict)
    capabilities: Mapping[tuple[str, str, str], Capabilities] = field(default_factory=dict)
    policies: Mapping[tuple[str, str, str], Policy] = field(default_factory=dict)

    floors: Mapping[uuid.UUID, int] = field(default_factory=dict)
    blocked: dict[Place, datetime] = field(default_factory=dict)
    standing: dict[AlarmKey, datetime] = field(default_factory=dict)
    plans: dict[uuid.UUID, Plan] = field(default_factory=dict)
    fallbacks: dict[uuid.UUID, Fallback] = field(default_factory=dict)
    hints: dict[uuid.UUID, list[Hint]] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)

    blocks: dict[PeerKey, datetime | None] = field(default_factory=dict)
    bad: dict[IdentityKey, BadAddress] = field(default_factory=dict)
    marked: dict[IdentityKey, BadAddress | None] = field(default_factory=dict)
    consents: dict[Wish, Consent] = field(default_factory=dict)
    consented: dict[tuple[Wish, datetime], Consent] = field(default_factory=dict)
    zones: dict[IdentityKey, str] = field(default_factory=dict)
    counted: list[Sent] = field(default_factory=list)
    lifted: dict[Place, datetime] = field(default_factory=dict)
    alarms: dict[AlarmKey, datetime] = field(default_factory=dict)
    rung: set[AlarmKey] = field(default_factory=set)
    planned: list[Plan] = field(default_factory=list)
    unplanned: set[uuid.UUID] = field(default_factory=set)
    emissions: list[Emission] = field(default_factory=list)
    fleeting: list[Emission] = field(default_factory=list)
    opened: list[Conversation] = field(default_factory=list)
    queued: list[Sending] = field(default_factory=list)
    _open: dict[tuple[uuid.UUID, str, str], Conversation] = field(default_factory=dict)
    _closed: dict[tuple[uuid.UUID, str, str], Conversation] = field(default_factory=dict)
    _peers: dict[PeerKey, list[Conversation]] | None = None
    _emitted: Counter[tuple[str, str]] = field(default_factory=Counter)

    def load(self, conversation: Conversation) -> Conversation:
        """A conversation the rules may find: by id, by peer, and as its customer's open one."""
        self.conversations[conversation.id] = conversation
        self._peers = None
        self._note_latest(conversation)
        return conversation

    def _note_latest(self, conversation: Conversation) -> None:
        if conversation.goes_on or (conversation.reopens and conversation.is_chat):
            place = (self.person_of(conversation), conversation.channel, conversation.account)
            latest = self._closed if conversation.reopens else self._open
            other = latest.get(place)
            if other is None or other.last_at <= conversation.last_at:
                latest[place] = conversation

    def policy(self, tenant: str, channel: str, account: str) -> Policy:
        """What is done with the account's conversations, as its adapter has told."""
        return self.policies.get((tenant, channel, account), UNTOLD)

    def person_of(self, conversation: Conversation) -> uuid.UUID:
        """Whoever began it, as the person that they are now."""
        return self.persons.get(conversation.customer_id, conversation.customer_id)

    def members(self, person: uuid.UUID) -> list[uuid.UUID]:
        return sorted(one for one, root in self.persons.items() if root == person)

    def regroup(self) -> None:
        """Others are one person now: what is found by the person follows."""
        self.customers.update((key, self.persons[home]) for key, home in self.homes.items())
        blocked, self.blocked = self.blocked, {}
        for place, since in blocked.items():
            now = place._replace(customer_id=self.persons.get(place.customer_id, place.customer_id))
            self.blocked[now] = max(since, self.blocked.get(now, since))
        self._open, self._closed = {}, {}
        for conversation in self.conversations.values():
            self._note_latest(conversation)

    def open_conversation(
        self, customer: uuid.UUID, channel: str, account: str, peer: str | None = None
    ) -> Conversation | None:
        """The customer's latest conversation there that goes on; rather the one with this address of theirs."""
        latest = self._open.get((customer, channel, account))
        if latest is None or latest.peer == peer or peer is None:
            return latest
        theirs = (one for one in self.with_peer(PeerKey(latest.tenant, channel, account, peer)) if one.goes_on)
        return max((one for one in theirs if self.person_of(one) == customer), key=_newest, default=latest)

    def closed_conversation(self, customer: uuid.UUID, channel: str, account: str) -> Conversation | None:
        """The customer's latest conversation there that was closed and may go on, if none does."""
        place = (customer, channel, account)
        return None if place in self._open else self._closed.get(place)

    def open_at(self, place: PeerKey) -> Conversation | None:
        """The open conversation of a group, or of one person's place within another chat; none of its topics."""
        here = (one for one in self.with_peer(place) if one.container is not None and one.thread_key is None)
        return next((one for one in here if one.status == "open"), None)

    def open_with(self, customer: uuid.UUID | None, channel: str, account: str) -> list[Conversation]:
        """The customer's open conversations there that are theirs alone, oldest first."""
        return sorted(
            (
                one
                for one in self.conversations.values()
                if self.person_of(one) == customer
                and (one.channel, one.account) == (channel, account)
                and one.container is None
                and one.status == "open"
            ),
            key=lambda one: (one.opened_at, one.id),
        )

    def lift(self, place: Place, moment: datetime) -> None:
        """At that moment they have not stopped this account, by any of their names."""
        self.lifted[place] = max(moment, self.lifted.get(place, moment))
        if place in self.blocked and self.blocked[place] <= moment:
            del self.blocked[place]
        for key, since in self.blocks.items():
            own = IdentityKey(key.tenant, identity_kind(key.channel, key.account), key.peer)
            mine = self.customers.get(own) == place.customer_id
            is_here = (key.channel, key.account) == (place.channel, place.account)
            if mine and is_here and since is not None and since <= moment:
                self.blocks[key] = None

    def close(self, conversation: Conversation, *, reopens: bool = False) -> None:
        """What its customer writes next is not its any more, unless it `reopens`. Nobody waits in it."""
        conversation.status, conversation.changed, conversation.moved = "closed", True, True
        conversation.reopens, conversation.closed_at = reopens, self.now
        conversation.waiting_since = conversation.unread_from = conversation.failure = None
        self._forget(conversation)
        self.load(conversation)

    def reopen(self, conversation: Conversation) -> None:
        """What its customer writes next is its again."""
        conversation.status, conversation.changed, conversation.moved = "open", True, True
        conversation.reopens, conversation.closed_at = False, None
        self._forget(conversation)
        self.load(conversation)

    def _forget(self, conversation: Conversation) -> None:
        self._open, self._closed = (
            {place: one for place, one in latest.items() if one is not conversation}
            for latest in (self._open, self._closed)
        )

    def move(self, conversation: Conversation, peer: str) -> None:
        """Its customer writes from another address now; that is where answers go."""
        conversation.peer, conversation.changed, conversation.moved = peer, True, True
        self._peers = None

    def add(self, conversation: Conversation) -> Conversation:
        """A conversation that begins in this batch; above what consumers have seen of it, where a restored copy forgot it."""
        conversation.last_sequence = max(conversation.last_sequence, self.floors.get(conversation.id, 0))
        if conversation.is_chat:
            place = (self.person_of(conversation), conversation.channel, conversation.account)
            if former := self._closed.pop(place, None):
                former.reopens, former.changed, former.moved = False, True, True
        self.opened.append(conversation)
        return self.load(conversation)

    def index(self, cause: str, name: str) -> int:
        """How many events of this name the cause has had before: it makes their ids differ, and come out the same again."""
        self._emitted[cause, name] += 1
        return self._emitted[cause, name] - 1

    def ref(self, key: RefKey) -> Ref:
        """The row of this name; every name that a batch mentions has been upserted and locked."""
        found = self.refs.get(key)
        if found is None:
            found = self.refs[key] = Ref(key)
        return found

    def person(self, key: IdentityKey) -> Person:
        return self.people.setdefault(key, Person())

    def with_peer(self, key: PeerKey) -> list[Conversation]:
        if self._peers is None:
            self._peers = {}
            for conversation in self.conversations.values():
                self._peers.setdefault(conversation.peer_key, []).append(conversation)
        return self._peers.get(key, [])

    def sent_in(self, conversation_id: uuid.UUID) -> list[Sending]:
        return [s for s in self.sendings.values() if s.conversation_id == conversation_id]
