"""What internal systems ask for."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from pydantic import Field

from shared.contract.envelope import (
    Address,
    Label,
    Many,
    Model,
    Moment,
    Name,
    Part,
    Priority,
    Purpose,
)

Parts = Annotated[Many[Part], Field(min_length=1, max_length=20)]


class Hop(Model):
    """Another way to the same person, which is taken where the way before was refused or has failed, or has not become what
    `unless` says `within` so many seconds (of `read` and the like since it was sent). An answer of theirs, by whichever channel, ends it all.

    `unless`: `accepted` only looks at what is refused at once; `sent` waits to the end of the time, in which the way may fail.
    `account`: where the tenant has one alone, that. `address`: where this person is known there. `parts`, `subject`: the request's.
    `unknown`: what to do where nobody knows whether the way before has reached them.
    """

    channel: Name
    account: Name | None = None
    address: Address | None = None
    parts: Annotated[Many[Part], Field(max_length=20)] = ()
    subject: Annotated[str, Field(max_length=998)] | None = None
    unless: Literal["accepted", "sent", "delivered", "read", "answered"] = "delivered"
    within: Annotated[int, Field(ge=1, le=7 * 24 * 3600, description="seconds")] = 300
    unknown: Literal["go_on", "stop"] = "go_on"


class Request(Model):
    """What every request may say. Its `ce_id` is the idempotency key; answers carry it as `request_id`.

    `not_before`: of `request.reply` and `request.send`, when to send it; a year ahead at the most. `fallback`: of the same, other
    ways to the same person, one after the other.
    """

    tenant: Name = "default"
    not_before: Moment | None = None
    expires_at: Moment | None = None
    urgent: bool = False
    fallback: Annotated[Many[Hop], Field(max_length=8)] = ()


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
    """Write first: to an address at one of our accounts. `subject`: of a mail. `purpose`: what it is for, since a person may
    want nothing for that purpose there (`opted_out`), has had enough of it (`capped`), or is to be left alone at this hour: then it waits
    for a decent one, unless it is `urgent` (the account's policy). `time_zone`: where the person is, if you know.
    """

    channel: Name
    account: Name
    address: Address
    parts: Parts
    subject: Annotated[str, Field(max_length=998)] | None = None
    purpose: Purpose = "notification"
    time_zone: Annotated[str, Field(max_length=64)] | None = None


class SendTyping(Request):
    """Show the customer that someone is writing: for a few seconds, never stored."""

    conversation: uuid.UUID


class Grow(Written, Request):
    """Show the customer the answer so far, while it is written: where the channel can (`grows`), else that someone is writing.

    `answer`: the `ce_id` that the `request.reply` will have which ends it; until then nothing is stored and nothing has been said.
    `text`: all of it so far, each time; between two of these only the newest is shown.
    """

    conversation: uuid.UUID
    answer: Annotated[str, Field(min_length=1, max_length=255)]
    text: Annotated[str, Field(min_length=1)]
    in_reply_to: uuid.UUID | None = None


class Cancel(Request):
    """Take back a message that has not begun to be sent; of a plan no other way is taken. `request.accepted`, then the message's own status is the answer:
    `cancelled`, or what became of it; or `request.refused`. Of a message that is not known yet it waits until all is read that came before it.
    """

    message: uuid.UUID


class OfMessage(Request):
    """Change something of a message that stands at the provider, where the channel can. Its end is an event with its
    `request_id`: what was changed, or `request.refused`.
    """

    message: uuid.UUID


class EditMessage(OfMessage):
    """Put other words in the place of a message of ours: pieces of as many and of the same kinds; of a file, another caption.

    Its end is `message.edited`.
    """

    parts: Parts


class DeleteMessage(OfMessage):
    """Take back a message of ours. Its end is `message.deleted`."""


class ReactMessage(OfMessage):
    """Show an emoji at a message, theirs or ours. No `emoji`: take back all of ours; `removed`: take this one back.

    Its end is `message.reaction`.
    """

    emoji: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    removed: bool = False


class SeenMessage(OfMessage):
    """Show the customer that this message of theirs, and all before it, are read. Its end is `message.seen`."""


Control = Literal["pass", "take", "release"]


class HandOverThread(Request):
    """Say who has the thread at the provider, where several answer there and the channel can: `pass` it to somebody else, `take` it
    from whoever has it, or `release` it, so that the provider chooses. Its end is `conversation.responder` with its `request_id`,
    or `request.refused`.

    `to`: of a pass, to whom, as the provider calls them. `note`: words for whoever has it then; no customer sees them.
    """

    conversation: uuid.UUID
    action: Control
    to: Name | None = None
    note: Annotated[str, Field(min_length=1, max_length=1000)] | None = None


class Assign(Request):
    """Say who answers; nobody, without an assignee."""

    conversation: uuid.UUID
    assignee: Label | None = None


Labels = Annotated[Many[Label], Field(max_length=50)]


class Tag(Request):
    """Put labels on a conversation, or take them off, and say how urgent it is; fifty labels are the most that one has.

    Its end is `conversation.tagged`, with all labels that it has then.
    """

    conversation: uuid.UUID
    add: Labels = ()
    remove: Labels = ()
    priority: Priority | None = None


class Close(Request):
    """The conversation is done: nobody waits in it any more. A message may reopen it (the account's policy, `reopen_days`)."""

    conversation: uuid.UUID
    reason: Annotated[str, Field(max_length=1000)] = ""


class Reopen(Request):
    """The conversation goes on. One that goes on in another stays closed."""

    conversation: uuid.UUID
    reason: Annotated[str, Field(max_length=1000)] = ""


class Reachable(Request):
    """Somebody is at the conversation's address again: what is sent there is not refused as `bad_address` any more. Its end is
    `conversation.participant`, or `request.refused`.
    """

    conversation: uuid.UUID
    reason: Annotated[str, Field(max_length=1000)] = ""


class Read(Request):
    """Somebody of ours has read the conversation up to this sequence; no customer is told. Its end is `conversation.read`."""

    conversation: uuid.UUID
    upto: Annotated[int, Field(ge=1, le=2**62)]


Reason = Annotated[str, Field(max_length=500)]


class Link(Request):
    """This address is that customer's: the evidence is the system that says so. Its end is `customer.linked`, or `request.refused`.

    `kind`: `email`, `phone`, a name of your own for the ids of your own systems (`crm`), or the kind of a channel's user ids: its
    name, with the account where they are that account's only (`telegram`, `facebook:shop`).
    """

    customer: uuid.UUID
    kind: Name
    address: Address
    reason: Reason = ""


class Unlink(Request):
    """This address is not that customer's: what joined it to others is cut, and no proof joins them again.

    Its end is `customer.unlinked`, or `request.refused`.
    """

    customer: uuid.UUID
    kind: Name
    address: Address
    reason: Reason = ""


class Merge(Request):
    """These customers are one person: the oldest stays, the merge can be undone. Its end is `customer.merged` of each whose person
    is another now, and of who stays; or `request.refused`.
    """

    customers: Annotated[Many[uuid.UUID], Field(min_length=2, max_length=64)]
    reason: Reason


class Split(Request):
    """Undo what joined this customer to the oldest of their person, or of the oldest the last merge; and whatever proved the same
    since. Whoever came later stays with whom they came by. No proof joins these two again, a merge may.

    Its end is `customer.split` of each whose person is another now, and of whoever they were; or `request.refused`.
    """

    customer: uuid.UUID
    reason: Reason


class KeepApart(Request):
    """These two customers are two people: the answer to a suggestion that is wrong. No proof joins them, a merge may.

    Its end is `customer.parted` of both, or `request.refused`.
    """

    customers: Annotated[Many[uuid.UUID], Field(min_length=2, max_length=2)]
    reason: Reason


class SetConsent(Request):
    """Say what a customer wants, or does not want, to be sent without having asked, and how that is known. Its end is
    `customer.consent`.

    `channel`: on which; none: on every channel. The newest word of a purpose counts, whoever's it is.
    """

    customer: uuid.UUID
    purposes: Annotated[Many[Purpose], Field(min_length=1, max_length=3)]
    channel: Name | None = None
    given: bool
    evidence: Annotated[str, Field(min_length=1, max_length=1000)]


class Erase(Request):
    """Forget this person, by whichever of their customers: identities, messages, files. It cannot be undone. What comes later from the
    same address is a new customer's. `by`: who asks for it. Its end is `customer.erased` of each of their customers.
    """

    customer: uuid.UUID
    reason: Reason
    by: Label | None = None
