"""The envelope: one message of any channel, in the words that all of them share."""

from __future__ import annotations

import json
import operator
import re
import uuid
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeVar, get_args
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    ValidationInfo,
    field_validator,
)

from shared.contract.text import undirected

UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)
NAMESPACE: Final = uuid.UUID("5f1d6c1e-5a0b-5c52-9d0c-3f0a7f6f9a10")


class Model(BaseModel):
    """Frozen; fields that a reader does not know are ignored, so that v1 may grow."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def storable(stamp: datetime) -> datetime:
    """A time that every zone and PostgreSQL can write: what nobody can have meant is the nearest that somebody can."""
    return min(max(stamp, EARLIEST), LATEST)


T = TypeVar("T")
Many = Annotated[tuple[T, ...], FailFast()]  # one mistake is enough: a stranger's list may hold half a million
Moment = Annotated[AwareDatetime, AfterValidator(storable)]
Name = Annotated[str, Field(min_length=1, max_length=255)]
Address = Annotated[str, Field(min_length=1, max_length=998)]
Shown = Annotated[str, AfterValidator(undirected)]  # what people know something by
Label = Annotated[Shown, Field(min_length=1, max_length=255)]  # what the desk calls something: who answers, a tag
Priority = Literal["low", "normal", "high", "urgent"]
ExternalId = Annotated[str, Field(min_length=1, max_length=998)]

Direction = Literal["inbound", "outbound"]
Way = Literal["free_text", "template", "human_agent", "private"]
Evidence = Literal["provider", "signature", "session", "dmarc", "oauth"]
Surface = Literal["direct", "group", "comment", "mention", "story_reply", "email", "voicemail"]
PUBLIC: Final[frozenset[Surface]] = frozenset({"comment", "mention"})  # what is written there is read by everybody
Purpose = Literal["service", "notification", "marketing"]
PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)
MediaKind = Literal["image", "audio", "video", "file", "sticker"]
MediaState = Literal["pending", "stored", "unavailable"]


def kind_of(mime_type: str | None) -> MediaKind:
    """How a file of this type is shown."""
    match (mime_type or "").partition("/")[0]:
        case "image":
            return "image"
        case "audio":
            return "audio"
        case "video":
            return "video"
        case _:
            return "file"


class Proof(Model):
    """Another address that is shown in this very record to be its sender's, by whoever `by` names; never what a sender can type.

    `kind`: `email`, `phone`, or of whose people `value` is one (shared.contract.identities.identity_kind). `value`: as
    shared.contract.identities.normalised writes it.
    """

    kind: Annotated[str, Field(min_length=1, max_length=300)]
    value: Address
    by: Evidence


class Party(Model):
    """A person or an account at the channel. `verified` names the evidence for the address; hints never merge identities.

    `proofs`: addresses of other kinds that are this person's too; `phone` and `email` beside them are hints, which anybody may
    have typed.

    `name_verified`: whoever vouches for the address vouches for the name too (a site, for its users in a web chat); else a
    name is what the person or the provider says.
    `username`: what the provider lets others find them by, which they may change; never an address.
    `aliases`: other addresses of this person at the same channel and account, by the provider's own word. `locale`: BCP 47.
    `time_zone`: of the IANA database, or where the provider tells no more, the distance from UTC (RFC 3339: +07:00).
    """

    address: Address
    aliases: Annotated[Many[Address], Field(max_length=5, exclude_if=operator.not_)] = ()
    proofs: Annotated[Many[Proof], Field(max_length=5, exclude_if=operator.not_)] = ()
    name: Annotated[Shown, Field(max_length=998)] | None = None
    name_verified: Annotated[bool, Field(exclude_if=operator.not_)] = False
    username: Annotated[Shown, Field(max_length=255)] | None = None
    verified: Evidence | None = None
    phone: Shown | None = None
    email: Shown | None = None
    locale: str | None = None
    time_zone: str | None = None


class Thread(Model):
    """Where the provider says the message belongs. `thread_key`: what the provider calls the conversation.

    `token`: our own signed name of a conversation, as it came back in an address, a Message-ID or a deep link.
    """

    token: Annotated[str, Field(max_length=64)] | None = None
    reply_to: ExternalId | None = None
    references: Many[ExternalId] = ()
    thread_key: ExternalId | None = None
    subject: Shown | None = None


class Referral(Model):
    """What brought the person here, in the provider's words and ids. `source`: ad, post, link, product …; `ref`: what the link said.

    `click_id`: by which an advertiser's system knows the click.
    """

    source: Annotated[Shown, Field(max_length=255)]
    id: Annotated[str, Field(max_length=998)] | None = None
    ref: Annotated[str, Field(max_length=2048)] | None = None
    url: Annotated[str, Field(max_length=2048)] | None = None
    title: Annotated[Shown, Field(max_length=998)] | None = None
    text: Annotated[str, Field(max_length=4096)] | None = None
    click_id: Annotated[str, Field(max_length=998)] | None = None


class Quote(Model):
    """Words or a thing that the message answers and that stand elsewhere. `container`: where; `sender`: whose they are."""

    text: str | None = None
    external_id: ExternalId | None = None
    container: ExternalId | None = None
    sender: Party | None = None
    url: Annotated[str, Field(max_length=2048)] | None = None


class MessageContext(Model):
    """What a message refers to; never part of its text.

    `forwarded`: its words are somebody else's; `forwarded_from`: whose, where the provider says so. `group`: messages that
    were sent as one (an album) share it.
    """

    forwarded: bool = False
    forwarded_from: Party | None = None
    quoted: Quote | None = None
    referral: Referral | None = None
    group: ExternalId | None = None


class Route(Model):
    """What a provider lets this message be answered by, until when. It is a credential: no event tells it, no log shows it.

    `value`: its own word for it, which nobody else reads. `once`: good for one send, which it does not know by a key of ours.
    """

    value: Annotated[str, Field(min_length=1, max_length=2048, repr=False)]
    expires_at: Moment
    once: Annotated[bool, Field(exclude_if=operator.not_)] = False


class Cut(Model):
    """Why something of a mail stands beside its text. `confidence`: from 0 to 1, how often such a cut is right."""

    part: Literal["quoted", "signature"]
    reason: Annotated[str, Field(min_length=1, max_length=100)]
    confidence: Annotated[float, Field(ge=0, le=1)]


class Text(Model):
    """For mail, `text` is what the person wrote now; `quoted` and `signature` stand beside it, `cuts` says why."""

    kind: Literal["text"] = "text"
    text: str
    html: str | None = None
    quoted: str | None = None
    signature: str | None = None
    cuts: Annotated[Many[Cut], Field(max_length=20, exclude_if=operator.not_)] = ()


class Media(Model):
    """A file. `pending`: the provider's `handle` is not yet fetched; `stored`: `blob` names the bytes; `unavailable`: `reason` says why."""

    kind: Literal["media"] = "media"
    media: MediaKind
    state: MediaState = "pending"
    handle: str | None = None
    blob: str | None = None
    mime_type: str | None = None
    size: Annotated[int, Field(ge=0)] | None = None
    sha256: str | None = None
    name: Shown | None = None
    caption: str | None = None
    content_id: str | None = None
    reason: str | None = None


class Location(Model):
    """WGS 84 degrees."""

    kind: Literal["location"] = "location"
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    name: Shown | None = None
    address: Shown | None = None


class Contact(Model):
    kind: Literal["contact"] = "contact"
    name: Shown
    phones: Many[Shown] = ()
    emails: Many[Shown] = ()


class Reaction(Model):
    """`target` is the external id of the message reacted to; no `emoji`: whatever the person showed there was taken back.

    One change of a person's reactions, which are a set. `removed`: this `emoji` was taken back, the others stand.
    `replaces`: they have one at a time there, so this one stands in the place of whatever they showed before.
    """

    kind: Literal["reaction"] = "reaction"
    target: ExternalId
    emoji: str | None = None
    removed: Annotated[bool, Field(exclude_if=operator.not_)] = False
    replaces: Annotated[bool, Field(exclude_if=operator.not_)] = False


class Option(Model):
    """One thing to choose. `id` comes back in a Choice; with `url` it opens a page instead."""

    id: str
    title: Shown
    description: Shown | None = None
    url: str | None = None


class Choices(Model):
    """A question with answers to press."""

    kind: Literal["choices"] = "choices"
    text: str
    style: Literal["buttons", "quick_replies", "list"] = "buttons"
    options: Annotated[Many[Option], Field(min_length=1)]


class Choice(Model):
    """What was pressed. `target`: the external id of the message that offered it."""

    kind: Literal["choice"] = "choice"
    id: str
    title: Shown | None = None
    target: ExternalId | None = None


class Template(Model):
    """A message that the provider has approved beforehand."""

    kind: Literal["template"] = "template"
    name: str
    language: str
    parameters: Many[str] = ()


class Edit(Model):
    """The message replaces `target`: the parts beside this one are its whole new content."""

    kind: Literal["edit"] = "edit"
    target: ExternalId


class Deletion(Model):
    """The message `target` was taken back."""

    kind: Literal["deletion"] = "deletion"
    target: ExternalId


class Visibility(Model):
    """The public message `target` was hidden from others, or is shown again."""

    kind: Literal["visibility"] = "visibility"
    target: ExternalId
    hidden: bool


class Call(Model):
    kind: Literal["call"] = "call"
    outcome: Literal["missed", "answered", "declined", "voicemail"]
    seconds: Annotated[int, Field(ge=0)] | None = None


class Notice(Model):
    """What a provider tells of a chat: nobody said it, so no conversation opens, no window opens and no program may answer.

    `blocked` / `unblocked`: the person (`sender`) stopped the account, or took that back. `moved`: the container, or without
    one the person, that the envelope names (`peer`) is called `to` from now on, whichever of the two the provider told it in. `renamed`: `to` is the new title.
    `opted_out` / `opted_in`: what they want to be sent no more, or again (`purposes`; none: of every purpose). `responder`: somebody else (`to`) has the thread now; no `to`: we have.
    """

    kind: Literal["notice"] = "notice"
    type: Literal[
        "blocked",
        "unblocked",
        "joined",
        "left",
        "pinned",
        "renamed",
        "moved",
        "responder",
        "opted_out",
        "opted_in",
        "other",
    ]
    to: ExternalId | None = None
    purposes: Annotated[Many[Purpose], Field(max_length=3, exclude_if=operator.not_)] = ()
    text: Shown | None = None

    @field_validator("to")
    @classmethod
    def _title(cls, to: str | None, about: ValidationInfo) -> str | None:
        """What is no address is a name that people read."""
        return undirected(to) or "\ufffd" if to and about.data.get("type") in {"renamed", "responder"} else to


class Unsupported(Model):
    """Something that Parley does not translate; the raw payload is kept. `type` is the provider's word for it."""

    kind: Literal["unsupported"] = "unsupported"
    type: Shown
    text: str | None = None


AMENDS: Final = (Edit, Deletion, Reaction, Visibility)  # first parts that say something of an earlier message

Part = Annotated[
    Text
    | Media
    | Location
    | Contact
    | Reaction
    | Choices
    | Choice
    | Template
    | Edit
    | Deletion
    | Visibility
    | Call
    | Notice
    | Unsupported,
    Field(discriminator="kind"),
]


class Bounce(Model):
    """That a mail did not reach one of its recipients. `recipient`: "" where the report does not say; `status`: RFC 3463, "" as well.

    `original_id`: the Message-ID of that mail. `diagnostic`: the words of the server that refused it.
    """

    recipient: str
    status: str
    type: Literal["hard", "soft", "delayed"]
    original_id: str | None = None
    diagnostic: Annotated[Shown | None, Field(max_length=998, exclude_if=operator.not_)] = None


CheckResult = Literal["pass", "fail", "softfail", "neutral", "none", "policy", "temperror", "permerror"]
DomainPolicy = Literal["none", "quarantine", "reject"]
Flag = Literal["reply_to_elsewhere", "address_in_name", "lookalike_domain"]


class Checks(Model):
    """Whether a mail is from the domain that it says, in the words of RFC 8601; only `dmarc` says that of From.

    `domain`: From's, in ASCII; empty where From names not exactly one address. `by`: `dns` where we asked, `arc:DOMAIN` where a
    trusted forwarder had, else the name of the server whose word it is. `policy`: what the domain asks to be done with what fails.
    """

    domain: str = ""
    spf: CheckResult = "none"
    dkim: CheckResult = "none"
    dmarc: CheckResult = "none"
    policy: DomainPolicy | None = None
    by: Name
    reasons: Many[str] = ()


class Assessment(Model):
    """What we think of the message, with the reasons, so that a consumer can disagree.

    `checks`: what `authentication` of a mail follows from. `flags`: what people are deceived with, and honest people do too.
    `bounce`: of the first recipient that a report names, `bounces` those of the others. `until`: how long somebody is out of
    office. `unsubscribe`: it asks for no more of them. `spam_score`, `symbols`: what a filter before us has found.
    """

    authentication: Evidence | Literal["none", "fail"] = "none"
    kind: Literal[
        "human", "automatic", "out_of_office", "bounce", "complaint", "receipt", "list", "calendar", "unknown"
    ] = "unknown"
    may_auto_answer: bool = True
    spam: bool = False
    bounce: Bounce | None = None
    bounces: Annotated[Many[Bounce], Field(max_length=100, exclude_if=operator.not_)] = ()
    until: Annotated[Moment | None, Field(exclude_if=operator.not_)] = None
    unsubscribe: Annotated[bool, Field(exclude_if=operator.not_)] = False
    spam_score: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        default=None, exclude_if=lambda score: score is None
    )
    symbols: Annotated[Many[Shown], Field(max_length=100, exclude_if=operator.not_)] = ()
    language: str | None = None
    reasons: Many[str] = ()
    checks: Annotated[Checks | None, Field(exclude_if=operator.not_)] = None
    flags: Annotated[Many[Flag], Field(exclude_if=operator.not_)] = ()


def automatic(reason: str) -> Assessment:
    """No person wrote it, and no program should answer it."""
    return Assessment(kind="automatic", may_auto_answer=False, reasons=(reason,))


SYSTEM: Final = automatic("system")
"""Of what the provider tells, as that somebody joined: nobody wrote it."""


class Window(Model):
    """Until when, and with what, this party may be written to. No `until`: for ever.

    After `until`: a template where `allows` names it; a person, until `human_agent_until`. `private_until`: how long a
    public message may be answered in private.
    """

    until: Moment | None = None
    allows: Many[Way] = ("free_text",)
    human_agent_until: Moment | None = None
    private_until: Moment | None = None


class Envelope(Model):
    """One message. An inbound record whose `direction` is outbound is an echo: sent by the account, but perhaps not by us.

    No `window`: nobody has written, so what may be sent to them is as before (an echo, a notice of the provider).
    `container`: what it stands in, where that is not the person's own chat with the account: a group, a post, or a place within
    another chat that only they and the account see (`surface` is direct then); each has a conversation of its own.
    `context`: what it refers to. `responder`: somebody else who has the thread at the provider and is expected to answer.
    `answer_to`: who asks for the answer, where that is not the sender (a mail's Reply-To). `route`: what it may be answered
    by for a while; only on the inbound topic, in no event. `read_mark`: what the provider wants to hear when it is to be shown
    as read, where that is not its external id.
    """

    id: uuid.UUID
    tenant: Name
    channel: Name
    account: Name
    direction: Direction = "inbound"
    peer: Address
    external_id: ExternalId | None = None
    external_ids: Many[ExternalId] = ()
    join_key: ExternalId | None = None
    sender: Party
    recipients: Many[Party] = ()
    surface: Surface = "direct"
    container: ExternalId | None = None
    thread: Thread = Thread()
    parts: Annotated[Many[Part], Field(min_length=1, max_length=100)]
    context: MessageContext | None = None
    responder: Name | None = None
    answer_to: Party | None = None
    route: Route | None = None
    read_mark: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    occurred_at: Moment
    received_at: Moment
    raw: str | None = None
    assessment: Assessment = Assessment()
    window: Window | None = None

    @property
    def all_external_ids(self) -> tuple[str, ...]:
        """Every name that the provider has for this message, the main one first."""
        return ((self.external_id,) if self.external_id else ()) + self.external_ids


Cause = Literal[
    "message", "request", "media", "conversation", "customer", "event", "fleeting", "apart",
    "delivery", "profile", "piece", "account", "thread", "snapshot", "plan",
]  # fmt: skip


def message_id(tenant: str, channel: str, account: str, event_key: str) -> uuid.UUID:
    """One event, one id, for ever: UUIDv5 over the tenant, channel, account and the channel's own key (DELIVERY: identity of things)."""
    return derive("message", tenant, channel, account, event_key)


def requested_id(tenant: str, request_id: str) -> uuid.UUID:
    """The id of the message that a request asks for: the same request makes the same message."""
    return derive("request", tenant, request_id)


def derive(kind: Cause, *cause: object) -> uuid.UUID:
    """An id that follows from its cause, so that a replay, a restore and a second replica make the same one.

    Each kind of cause has a namespace of its own, and names are told apart as JSON does it: whatever a requester or a
    stranger chooses, it makes no id of another kind and none of another's.
    """
    return uuid.uuid5(_namespace(kind), json.dumps([str(name) for name in cause]))


@lru_cache
def _namespace(kind: Cause) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, kind)


def key(*names: str) -> str:
    """A record key: percent-encoded names with | between them, so that no name can run into the next."""
    return "|".join(map(_quoted, names))


@lru_cache(maxsize=1024)  # tenants, channels and accounts are few; strangers choose the rest, so it stays small
def _quoted(name: str) -> str:
    return quote(name, safe="@+.:~")


def scrub(value: Any) -> Any:
    """Replace what PostgreSQL or JSON cannot hold (NUL, lone surrogates) by U+FFFD, in a whole tree of values."""
    match value:
        case str():
            return UNSTORABLE.sub("\ufffd", value)
        case dict():
            return {scrub(name): scrub(item) for name, item in value.items()}
        case list() | tuple():
            return type(value)(map(scrub, value))
        case _:
            return value


def utc(stamp: datetime) -> str:
    """RFC 3339 in UTC with microseconds: the one way in which times are written."""
    return stamp.isoformat(timespec="microseconds").replace("+00:00", "Z")
