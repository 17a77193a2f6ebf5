"""Every record by its type, and the topics that carry them. Pages, schemas and readers are generated from this table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from shared.contract.codes import CHANNELS, FAMILIES, Family
from shared.contract.deliveries import (
    Amend,
    Amended,
    Delivery,
    Forget,
    Growing,
    HandOver,
    MediaUpdate,
    Outbound,
    ProfileUpdate,
    Typing,
    Withdraw,
)
from shared.contract.envelope import (
    Envelope,
    Model,
)
from shared.contract.events import (
    AccountState,
    ConversationAssigned,
    ConversationBraked,
    ConversationClosed,
    ConversationMerged,
    ConversationNotice,
    ConversationOpened,
    ConversationParticipant,
    ConversationRead,
    ConversationReopened,
    ConversationResponder,
    ConversationState,
    ConversationTagged,
    ConversationTurn,
    ConversationTyping,
    ConversationWaiting,
    CustomerConsent,
    CustomerErased,
    CustomerLinked,
    CustomerMerged,
    CustomerParted,
    CustomerSplit,
    CustomerState,
    CustomerSuggested,
    CustomerUnlinked,
    MessageDeleted,
    MessageEdited,
    MessageGrowing,
    MessageMedia,
    MessageQueued,
    MessageReaction,
    MessageReceived,
    MessageScheduled,
    MessageSeen,
    MessageStatus,
    MessageVisibility,
    PlanBegun,
    PlanEnded,
    PlanStep,
    PlanWithdrawn,
    RequestAccepted,
    RequestRefused,
)
from shared.contract.requests import (
    Assign,
    Cancel,
    Close,
    DeleteMessage,
    EditMessage,
    Erase,
    Grow,
    HandOverThread,
    KeepApart,
    Link,
    Merge,
    Reachable,
    ReactMessage,
    Read,
    Reopen,
    Reply,
    SeenMessage,
    Send,
    SendTyping,
    SetConsent,
    Split,
    Tag,
    Unlink,
)

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
        ("delivery", "delivery.amended", Amended),
        ("outbound", "outbound", Outbound),
        ("outbound", "outbound.amend", Amend),
        ("outbound", "outbound.handover", HandOver),
        ("outbound", "outbound.cancel", Withdraw),
        ("outbound", "outbound.forget", Forget),
        ("outbound", "outbound.typing", Typing),
        ("outbound", "outbound.growing", Growing),
        ("requests", "request.reply", Reply),
        ("requests", "request.send", Send),
        ("requests", "request.typing", SendTyping),
        ("requests", "request.grow", Grow),
        ("requests", "request.cancel", Cancel),
        ("requests", "request.edit", EditMessage),
        ("requests", "request.delete", DeleteMessage),
        ("requests", "request.react", ReactMessage),
        ("requests", "request.seen", SeenMessage),
        ("requests", "request.handover", HandOverThread),
        ("requests", "request.assign", Assign),
        ("requests", "request.tag", Tag),
        ("requests", "request.close", Close),
        ("requests", "request.reopen", Reopen),
        ("requests", "request.reachable", Reachable),
        ("requests", "request.read", Read),
        ("requests", "request.link", Link),
        ("requests", "request.unlink", Unlink),
        ("requests", "request.merge", Merge),
        ("requests", "request.split", Split),
        ("requests", "request.apart", KeepApart),
        ("requests", "request.consent", SetConsent),
        ("requests", "request.erase", Erase),
        ("events", "message.received", MessageReceived),
        ("events", "message.edited", MessageEdited),
        ("events", "message.deleted", MessageDeleted),
        ("events", "message.visibility", MessageVisibility),
        ("events", "message.reaction", MessageReaction),
        ("events", "message.seen", MessageSeen),
        ("events", "message.media", MessageMedia),
        ("events", "message.scheduled", MessageScheduled),
        ("events", "message.queued", MessageQueued),
        ("events", "message.status", MessageStatus),
        ("events", "plan.begun", PlanBegun),
        ("events", "plan.way", PlanStep),
        ("events", "plan.withdrawn", PlanWithdrawn),
        ("events", "plan.ended", PlanEnded),
        ("events", "request.accepted", RequestAccepted),
        ("events", "request.refused", RequestRefused),
        ("events", "conversation.opened", ConversationOpened),
        ("events", "conversation.closed", ConversationClosed),
        ("events", "conversation.reopened", ConversationReopened),
        ("events", "conversation.assigned", ConversationAssigned),
        ("events", "conversation.tagged", ConversationTagged),
        ("events", "conversation.read", ConversationRead),
        ("events", "conversation.waiting", ConversationWaiting),
        ("events", "conversation.turn", ConversationTurn),
        ("events", "conversation.merged", ConversationMerged),
        ("events", "conversation.participant", ConversationParticipant),
        ("events", "conversation.notice", ConversationNotice),
        ("events", "conversation.responder", ConversationResponder),
        ("events", "conversation.braked", ConversationBraked),
        ("events", "conversation.typing", ConversationTyping),
        ("events", "message.growing", MessageGrowing),
        ("events", "customer.merged", CustomerMerged),
        ("events", "customer.split", CustomerSplit),
        ("events", "customer.linked", CustomerLinked),
        ("events", "customer.unlinked", CustomerUnlinked),
        ("events", "customer.suggested", CustomerSuggested),
        ("events", "customer.parted", CustomerParted),
        ("events", "customer.consent", CustomerConsent),
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
CONVERSATIONS: Final = "conversations.v1"
CUSTOMERS: Final = "customers.v1"
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
        Topic.compacting(CONVERSATIONS),
        Topic.compacting(CUSTOMERS),
        Topic.compacting(ACCOUNTS),
        Topic.compacting(WITNESS),
        Topic.deleting(REQUESTS, 7),
        *(Topic.deleting(outbound_topic(family), 7) for family in FAMILIES),
        Topic.deleting(DELIVERY, 30),
        *(Topic.deleting(f"{topic}.{group}.dlq", 30) for topic, group in consumed),
        *(Topic.deleting(ingress_dlq(family), 30) for family in FAMILIES),
    )


TOPICS: Final[tuple[Topic, ...]] = _topics()
