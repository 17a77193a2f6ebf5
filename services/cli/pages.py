"""The generated pages of docs/: whatever is a table stands in the code, and is written from there."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, Final, get_args

from prometheus_client import REGISTRY
from pydantic import BaseModel, SecretStr

from services.cli.channels import CHANNELS, describe
from shared import envelope, errors, schema
from shared.records import CODES, RECORDS, STATUSES, TOPICS, TRANSITIONS, Code, Status, Topic, TopicName
from shared.settings import Settings

WRITTEN: Final = "<!-- Written by `parley docs`; change the code it comes from. -->"
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
    "unknown_account": "there is no such account in the accounts file",
    "expired": "it came too late",
    "cancelled": "it was taken back",
    "unknown": "nobody can say",
}

CE_HEADERS: Final = (
    ("ce_specversion", "`1.0`"),
    ("ce_id", "the record's id. Drop what you have seen; of a request it is the idempotency key"),
    ("ce_type", "the record type, as below"),
    ("ce_source", "who wrote it: `/router`, `/adapter/chat`, …"),
    ("ce_time", "when, RFC 3339 in UTC"),
    ("ce_subject", "what it is about: the conversation, or channel/account"),
    ("ce_dataschema", f"`{schema.urn('…')}`: the schema below"),
    ("ce_tenant", "whose it is"),
    ("ce_sequence", "events of a conversation: 1, 2, 3 …, as in the value"),
    ("content-type", "`application/json`"),
    ("traceparent", "W3C trace context"),
    ("parley_raw, parley_raw_type", "inbound only: the untouched payload up to 64 KiB and its content type"),
)


def files() -> dict[str, str]:
    """Every generated file below docs/: its path, its text."""
    return {
        "records.md": records_page(),
        "settings.md": settings_page(),
        "metrics.md": metrics_page(),
        "errors.md": errors_page(),
        "channels.md": channels_page(),
        **{f"schemas/{name}": text for name, text in schema.files().items()},
    }


def page(title: str, *blocks: str) -> str:
    return "\n\n".join((f"# {title}", WRITTEN, *blocks)) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split())


def said(thing: Any) -> str:
    """The docstring, as one paragraph, safe in a table."""
    return " ".join((inspect.cleandoc(thing.__doc__ or "")).split()).replace("|", "\\|")


def first_sentence(thing: Any) -> str:
    head, dot, _ = said(thing).partition(". ")
    return head + "." if dot else head


# records ------------------------------------------------------------------------------------------------------------


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


def own_fields(model: type[BaseModel]) -> list[str]:
    """The fields that are not those of every event or request."""
    inherited = {name for parent in model.__mro__[1:] for name in getattr(parent, "__annotations__", {})}
    return [name for name in model.model_fields if name not in inherited]


def _common_rows() -> Iterator[tuple[str, str]]:
    from shared.records import Event, Request

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


# settings, errors -----------------------------------------------------------------------------------------------------


def settings_page() -> str:
    """settings.md: every environment variable."""
    rows = (
        (f"`PARLEY_{name.upper()}`", _default(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    )
    return page(
        "Settings",
        "Every process reads the environment; accounts and their secrets have a file of their own (`PARLEY_ACCOUNTS`), "
        "which is read again when it changes. `parley doctor` looks whether all of it fits.",
        table(("variable", "default", "meaning"), rows),
    )


def _default(value: Any) -> str:
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    return f"`{plain}`" if plain != "" else "(empty)"


def errors_page() -> str:
    """errors.md: every error, and what to do."""
    found = [value for value in vars(errors).values() if is_error(value)]
    rows = ((f"`{error.__name__}`", f"`{error.code}`", "yes" if error.retry else "no", said(error)) for error in found)
    return page(
        "Errors",
        "What can go wrong, in logs and dead letters (`dlq-error-class`). The code is also the metric label; what each "
        "code means stands in [records.md](records.md#codes). *Retry*: it passes by itself, and is tried again.",
        table(("error", "code", "retry", "what it says"), rows),
    )


def is_error(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, errors.ParleyError) and value is not errors.ParleyError


# metrics --------------------------------------------------------------------------------------------------------------


def metrics_page() -> str:
    """metrics.md: every metric of ours."""
    import services
    import shared

    import_all(shared)
    import_all(services)
    return page(
        "Metrics",
        "Every service serves them at `/metrics`, beside those of the Python process itself.",
        table(("metric", "type", "labels", "meaning"), sorted(metrics())),
    )


def import_all(package: ModuleType) -> None:
    """Import every module below it, so that all metrics are registered; `__main__` would start a service."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            importlib.import_module(module.name)


def metrics() -> Iterator[tuple[str, ...]]:
    """Name, type, labels and meaning of each metric registered so far whose name is ours."""
    for collector in tuple(REGISTRY._collector_to_names):
        for family in getattr(collector, "describe", tuple)():
            if family.name.startswith("parley_"):
                name = family.name + ("_total" if family.type == "counter" else "")
                labels = ", ".join(f"`{label}`" for label in getattr(collector, "_labelnames", ()))
                yield f"`{name}`", family.type, labels or "–", family.documentation


# channels -------------------------------------------------------------------------------------------------------------


def channels_page() -> str:
    """channels.md: what each channel can do, and what it must be told."""
    described = [describe(channel) for channel in CHANNELS.values()]
    return page(
        "Channels",
        "*full*: as it is; *degraded*: as text; *refused*: the request is refused early. Limits of a text count in the "
        "channel's own unit; longer texts are split.",
        table(
            ("channel", "family", "receives by", "text", "media", "choices", "location", "contact", "template"),
            map(_channel_row, described),
        ),
        "## Beyond that",
        "What a message may be to someone who has not written yet; what else there is. Each channel's own page says how to "
        "connect it; what its provider documents stands beside it.",
        table(("channel", "begins with", "more", "documentation"), map(_more_row, described)),
        "## Settings",
        "Each stands in its table of the accounts file: `[apps.CHANNEL.NAME]` receives, `[accounts.CHANNEL.NAME]` sends. "
        'A secret may stand in a file of its own: `token = { file = "telegram-token" }`.',
        *(block for one in described for block in (f"### {one['name']}", table(*_channel_settings(one)))),
    )


def _channel_row(one: dict[str, Any]) -> tuple[str, ...]:
    able = one["capabilities"]
    media = ", ".join(f"{kind} {level}" for kind, level in able["media"].items()) or "–"
    return (
        one["name"],
        one["family"],
        ", ".join(one["receives_by"]) or "its own server",
        f"{able['text']} {able['unit']}",
        media,
        able["choices"],
        able["location"],
        able["contact"],
        able["template"],
    )


def _more_row(one: dict[str, Any]) -> tuple[str, ...]:
    able, comment = one["capabilities"], one["capabilities"]["comment"]
    more = {
        "reply to": able["reply_to"],
        "typing": able["typing"],
        f"{able['attachments']} files in one send": able["attachments"],
        f"comments of {comment['text']} {comment['unit']}" if comment else "": comment,
        "private answers to comments": able["private_reply"],
    }
    starts = "nothing: they write first" if able["starts"] == "nothing" else able["starts"].replace("_", " ")
    return one["name"], starts, ", ".join(word for word, has in more.items() if has) or "–", _links(one)


def _links(one: dict[str, Any]) -> str:
    """Our own page, and the provider's."""
    links = [f"[how to connect](channels/{one['name']}.md)"]
    if one["docs"].startswith("https://"):
        links.append(f"[provider]({one['docs']})")
    return ", ".join(links)


def _channel_settings(one: dict[str, Any]) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    rows: list[tuple[str, ...]] = [
        (f"{kind}s", f"`{name}`", "yes" if setting["required"] else "no", setting["description"])
        for kind, settings in one["settings"].items()
        for name, setting in settings.items()
        if name != "name"
    ]
    return ("table", "setting", "required", "meaning"), rows
