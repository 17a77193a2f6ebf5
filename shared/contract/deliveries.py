"""What adapters tell beside messages, and what they are asked to send."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from pydantic import Field

from shared.contract.codes import Failure, Status
from shared.contract.envelope import (
    Address,
    ExternalId,
    Many,
    MediaState,
    Model,
    Moment,
    Name,
    Part,
    Party,
    Route,
    Shown,
    Surface,
    Thread,
    Way,
)
from shared.contract.requests import Control, Parts, Written


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


class Addressed(Model):
    """What the router gives an adapter for a conversation: where it goes, and how.

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
    not_after: Moment | None = None
    requested_at: Moment


class Order(Addressed):
    """What the router asks an adapter for: it has its place in the lane of its conversation."""


class Outbound(Written, Order):
    """A message to send: once per message and attempt.

    `route`: what came with the message that is answered, to send it by; only on the outbound topic, in no event.
    """

    route: Route | None = None
    parts: Parts
    urgent: bool = False


class Growing(Written, Addressed):
    """An answer so far, which is still written: never stored, no sequence of its own. `id` is the one that the whole answer will have.

    `parts`: all of it so far, as one text.
    """

    parts: Parts
    occurred_at: Moment


Change = Literal["edit", "delete", "react", "seen"]


class Amend(Order):
    """Something to change of a message that stands at the provider; repeated until there is an answer.

    `message`: which, `written_at` when it was written, `ours`: by us. `names`: what the provider calls it, by piece; none: the
    adapter that sent it, or is about to, knows. `content`: of an edit, all that it says from then on. `emoji`, `removed`: of a reaction.
    """

    change: Change
    message: uuid.UUID
    written_at: Moment
    ours: bool = False
    names: Many[Many[ExternalId]] = ()
    content: Annotated[Many[Part], Field(max_length=20)] = ()
    emoji: str | None = None
    removed: bool = False
    read_mark: str | None = None


class HandOver(Order):
    """Who is to have the thread at the provider; repeated until there is an answer.

    `target`: of a pass, to whom, as the provider calls them. `note`: words for whoever has it then.
    """

    change: Literal["handover"] = "handover"
    action: Control
    target: Name | None = None
    note: str | None = None


class Withdraw(Addressed):
    """Do not begin this message, if it has not begun: what becomes of it then is its status, `cancelled` or another.

    `message`: which; it stands before this in the lane.
    """

    message: uuid.UUID


class Forget(Model):
    """Forget a person: what waits to be sent to them, what was said, who they are at the provider, files that are still to be fetched.

    `account`: of which the address is; none: of every one of the channel. `conversation`: what stands in its lane goes too.
    """

    tenant: Name
    channel: Name
    account: Name | None = None
    address: Address
    conversation: uuid.UUID | None = None
    erased_at: Moment


class Amended(Model):
    """What became of an order to change something; no `failure`: it is so now.

    `external_id`: what the provider calls the message. `taken_at`: when the adapter read the order.
    """

    tenant: Name
    channel: Name
    account: Name
    peer: Address
    order: Annotated[Amend | HandOver, Field(discriminator="change")]
    external_id: ExternalId | None = None
    failure: Failure | None = None
    taken_at: Moment | None = None
    occurred_at: Moment
