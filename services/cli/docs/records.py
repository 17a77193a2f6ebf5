"""docs/records.md: topics, headers, record types, statuses, codes and parts, from the code that they stand in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, get_args

from pydantic import BaseModel

from services.cli.docs.markdown import first_sentence, page, said, table
from services.router.fold import outbound
from shared.contract import envelope, schema
from shared.contract.codes import CODES, STATUSES, TRANSITIONS, Code, Status
from shared.contract.events import Event
from shared.contract.records import BY_MODEL, RECORDS, TOPICS, WITNESS, Topic, TopicName
from shared.contract.requests import Request

DAY: Final = 24 * 3600 * 1000  # milliseconds

TOPIC_FACTS: Final[Mapping[TopicName, tuple[str, str]]] = {
    "inbound": (
        "tenant\\|channel\\|account\\|peer, percent-encoded",
        "adapters → router, and whoever keeps an archive",
    ),
    "events": ("conversation id (customer id for `customer.*`)", "router → everyone"),
    "conversations": ("conversation id", "router → everyone"),
    "customers": ("customer id", "router → everyone"),
    "accounts": ("tenant\\|channel\\|account", "adapters → router, everyone"),
    "requests": ("conversation id, or tenant\\|channel\\|account\\|address", "everyone → router"),
    "outbound": ("conversation id", "router → adapters"),
    "delivery": ("tenant\\|channel\\|account\\|peer", "adapters → router"),
}

STATUS_MEANINGS: Final[Mapping[Status, str]] = {
    "queued": "accepted by the router, on its way to the adapter",
    "unknown": "it left, and no answer came: it may have been sent, so it is not sent again",
    "sent": "the provider has it",
    "delivered": "it reached the device or the mailbox",
    "read": "it was opened",
    "failed": "it was not sent, or did not arrive; final for its attempt",
    "cancelled": "taken back before it was sent",
    "expired": "its `expires_at` passed before it could be sent",
}

CODE_MEANINGS: Final[Mapping[Code, str]] = {
    "throttled": "too much at once for this account; it is tried again later",
    "unreachable": "the provider, or something on the way, does not answer; it is tried again later",
    "blocked": "the person has blocked this account",
    "opted_out": "the person has said that they want no messages",
    "bad_address": "there is nobody at this address",
    "window_closed": "the channel allows no free text to this person now",
    "template_required": "only an approved template may be sent now",
    "too_long": "longer than the channel takes, also after splitting",
    "unsupported": "the channel has no such kind of message, or this version does not carry it out",
    "refused": "the provider says no for a reason of its own; the detail has its words",
    "auth": "a credential is missing, wrong or expired",
    "malformed": "it cannot be read",
    "unknown_conversation": "there is no such conversation",
    "unknown_customer": "there is no such customer",
    "unknown_account": "there is no such account in the accounts file",
    "expired": "it came too late",
    "cancelled": "it was taken back",
    "braked": "programs answer each other in this conversation; a person's answer, or time, lets it go",
    "capped": "this person has been sent as much of this purpose as the account's policy says; the detail says until when",
    "unknown": "nobody can say",
}

CE_HEADERS: Final = (
    ("ce_specversion", "`1.0`"),
    (
        "ce_id",
        "the record's id. Drop what you have seen; of a request it is the idempotency key. At most 998 characters, no control characters",
    ),
    ("ce_type", "the record type, as below"),
    ("ce_source", "who wrote it: `/router`, `/adapter/chat`, …"),
    ("ce_time", "when, RFC 3339 in UTC"),
    ("ce_subject", "what it is about: the conversation, or channel/account"),
    ("ce_dataschema", f"`{schema.urn('…')}`: the schema below"),
    ("ce_tenant", "whose it is"),
    ("ce_sequence", "events of a conversation: 1, 2, 3 …, as in the value; of a snapshot its `version`"),
    ("content-type", "`application/json`"),
    ("traceparent", "W3C trace context"),
    (
        "parley_raw, parley_raw_type",
        "inbound only: the untouched payload up to 64 KiB, of which no more than a few messages were made, and its content type",
    ),
)


def records_page() -> str:
    """records.md: topics, headers, record types, statuses, codes, parts."""
    return page(
        "Records",
        "Everything that travels is a Kafka record in CloudEvents 1.0, binary mode: headers say what it is, the value is "
        "JSON. Names of topics begin with a prefix, `parley.` by default.",
        "**The whole rule for a consumer of events:** per conversation remember the last `sequence`, and drop a record "
        "whose `sequence` is not above it. An event without one is told apart by its `ce_id`. Ignore types, fields, "
        "kinds and codes that you do not know: within `v1` changes only add.",
        "## Topics",
        table(("topic", "key", "kept", "who writes, who reads"), map(_topic_row, TOPICS)),
        "## Headers",
        table(("header", "what it is"), CE_HEADERS),
        "## Types",
        table(("`ce_type`", "topic", "fields of its own", "what it says", "schema"), map(_record_row, RECORDS)),
        f"This version carries out {carried_out()}; other requests are refused as `unsupported`.",
        "Every event also has the fields of *Event*, every request those of *Request*:",
        table(("field", "meaning"), _common_rows()),
        "## Statuses of a message",
        "A message in one status may only take a later one; what would go backwards is ignored.",
        table(("status", "meaning", "may become"), map(_status_row, STATUSES)),
        "## Codes",
        "One vocabulary for failures and refusals, in events, metrics and dead letters.",
        table(("code", "meaning"), ((f"`{code}`", CODE_MEANINGS[code]) for code in CODES)),
        "## Parts",
        "What a message consists of; `kind` tells them apart.",
        table(("kind", "fields", "what it is"), map(_part_row, parts())),
    )


def _topic_row(topic: Topic) -> tuple[str, ...]:
    key, ways = _topic_facts(topic.name)
    return (f"`{topic.name}`", key, _kept(topic), ways)


def _topic_facts(name: str) -> tuple[str, str]:
    if name.startswith("ingress."):
        return "tenant\\|channel\\|app", "adapters → `parley dlq`: what a verified sender sent and we cannot read"
    if name.endswith(".dlq"):
        return "as the original", "its consumer group → `parley dlq`"
    if name == WITNESS:
        return "a service's schema", "every service, of how far its database had come → itself, after a restore"
    return TOPIC_FACTS[next(kind for kind in get_args(TopicName) if name.startswith(f"{kind}."))]


def _kept(topic: Topic) -> str:
    if topic.config["cleanup.policy"] == "compact":
        return "the newest of each key"
    return f"{int(topic.config['retention.ms']) // DAY} days"


def _record_row(name: str) -> tuple[str, ...]:
    record = RECORDS[name]
    fields = ", ".join(f"`{field}`" for field in own_fields(record.model)) or "–"
    link = f"[schema](schemas/{name}{schema.SUFFIX})"
    return (f"`{record.ce_type}`", record.topic, fields, first_sentence(record.model), link)


def carried_out() -> str:
    """The requests that the router has a rule for."""
    names = [f"`{BY_MODEL[model]}`" for model in outbound.CARRIED_OUT]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def own_fields(model: type[BaseModel]) -> list[str]:
    """The fields that are not those of every event or request."""
    inherited = {name for parent in (Event, Request) if issubclass(model, parent) for name in parent.model_fields}
    return [name for name in model.model_fields if name not in inherited]


def _common_rows() -> Iterator[tuple[str, str]]:
    for model in (Event, Request):
        fields = ", ".join(f"`{name}`" for name in model.model_fields)
        yield f"*{model.__name__}*: {fields}", said(model)


def _status_row(status: Status) -> tuple[str, ...]:
    after = [f"`{name}`" for name in STATUSES if name in TRANSITIONS[status]]
    return (f"`{status}`", STATUS_MEANINGS[status], ", ".join(after) or "– (final)")


def parts() -> Sequence[type[BaseModel]]:
    """Every part kind's model."""
    union = get_args(envelope.Part)[0]
    return tuple(get_args(union))


def _part_row(part: type[BaseModel]) -> tuple[str, ...]:
    kind = part.model_fields["kind"].default
    fields = [f"`{name}`" + ("" if field.is_required() else "?") for name, field in part.model_fields.items()]
    return (f"`{kind}`", ", ".join(fields[1:]), said(part))
