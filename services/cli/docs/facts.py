"""docs/channels/facts/NAME.md: what one channel carries, its limits, its window and its failures, as code and samples say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from services.cli.docs.markdown import page, table
from services.cli.docs.matrix import NAMES, SIGNS, Mark, coming, going
from services.cli.docs.samples import Sample, limits, parts, refusals, samples, settings
from services.cli.sample import settings_of
from shared.contract.channel import Channel, Message, Version
from shared.contract.envelope import Party, Surface, Text, Window

Json = dict[str, Any]

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
HELLO: Final = Message(
    account_key="1", event_key="1", peer="1", sender=Party(address="1"), parts=(Text(text="hi"),), occurred_at=NOW
)
SHOWN: Final = 160  # characters of an answer


def facts_page(channel: Channel, described: Json) -> str:
    """The page of one channel; a heading without anything below it is left out."""
    name = channel.name
    sections = {
        "What comes in": _marked(coming(name)),
        "What goes out": _marked(going(channel)),
        "Limits": _table(("limit", "value", "from"), _limits(name)),
        "Window": _table(("where they wrote", "what may be answered, for how long"), _windows(channel)),
        "Failures": _table(("the provider answers", "code", "sample"), _failures(name)),
        "What sends cost": _table(("category", "model", "billable"), _costs(name)),
        "What is `unsupported`": _table(("the provider's word", "sample"), _unsupported(name)),
        "Version of the API": _version(channel),
        "Settings": table(*channel_settings(described)),
    }
    return page(
        f"{name}: facts",
        f"How to connect it: [{name}.md](../{name}.md). All channels side by side, and what the signs mean: "
        "[channels.md](../../channels.md).",
        *(block for heading, text in sections.items() if text for block in (f"## {heading}", text)),
    )


def _marked(features: Iterator[tuple[str, Mark]]) -> str:
    """A line for each sign: what has it."""
    by_sign: dict[str, list[str]] = {}
    for feature, mark in features:
        by_sign.setdefault(SIGNS[mark], []).append(NAMES[feature])
    return "\n".join(f"- {sign} {'; '.join(by_sign[sign])}" for sign in SIGNS.values() if sign in by_sign)


def _table(headings: Sequence[str], rows: Iterator[tuple[str, ...]]) -> str:
    """A table of different rows, or nothing."""
    found = list(dict.fromkeys(rows))
    return table(headings, found) if found else ""


def _limits(name: str) -> Iterator[tuple[str, ...]]:
    return ((f"`{limit}`", f"{_plain(value)}", source) for limit, (value, source) in limits(name).items())


def _plain(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _windows(channel: Channel) -> Iterator[tuple[str, ...]]:
    """What a message of the customer opens, by where it stands."""
    told = settings(channel.name)
    if told is None:
        return
    account = settings_of(channel, told).account
    come = dict(coming(channel.name))
    surfaces: tuple[Surface, ...] = ("email",) if channel.mail else ("direct", "group", "comment")
    for surface in surfaces:
        if come.get(surface, "shown"):
            window = channel.window(account, replace(HELLO, surface=surface))
            if window is not None:
                yield surface, _allowed(window)


def _allowed(window: Window) -> str:
    ways = ", ".join(window.allows).replace("_", " ")
    said = [f"{ways}: {_long(window.until)}"]
    said += [f"a person: {_long(window.human_agent_until)}"] if window.human_agent_until else []
    said += [f"in private: {_long(window.private_until)}"] if window.private_until else []
    return "; ".join(said)


def _long(until: datetime | None) -> str:
    if until is None:
        return "for ever"
    hours = (until - NOW) / timedelta(hours=1)
    return f"{hours / 24:g} days" if hours > 48 else f"{hours:g} hours" if hours >= 1 else f"{hours * 3600:g} seconds"


def _failures(name: str) -> Iterator[tuple[str, ...]]:
    for sample in samples(name):
        if code := (sample.told.get("failed") or {}).get("code"):
            exchange = sample.told.get("exchange") or []
            answered = _answer(exchange[-1].get("response") or {}) if exchange else "not asked: it would be refused"
            yield answered, f"`{code}`", _link(name, sample)
    for what, (answer, failed) in refusals(name).items():
        yield _answer(answer), f"`{failed['code']}`", what


def _answer(answer: Json) -> str:
    body = answer.get("body")
    text = body if isinstance(body, str) else orjson.dumps(body).decode() if body else ""
    shown = text[:SHOWN] + ("…" if len(text) > SHOWN else "")
    return f"{answer.get('status', 'nothing')}" + (f" ``{shown.replace('|', chr(0x2223))}``" if shown.strip() else "")


def _link(name: str, sample: Sample) -> str:
    file = f"{sample.name}.{sample.kind}.json" if sample.kind else f"{sample.name}.json"
    return f"[{sample.name.replace('_', ' ')}](../../../tests/channels/{name}/{file})"


def _costs(name: str) -> Iterator[tuple[str, ...]]:
    for sample in samples(name):
        for record in sample.records:
            if cost := record.get("cost"):
                billable = {True: "yes", False: "no", None: "–"}[cost.get("billable")]
                yield cost.get("category", "–"), cost.get("model", "–"), billable


def _unsupported(name: str) -> Iterator[tuple[str, ...]]:
    for sample, part in parts(name):
        if part["kind"] == "unsupported":
            yield f"`{part['type']}`", _link(name, sample)


def _version(channel: Channel) -> str:
    told = settings(channel.name)
    version: Version | None = channel.version(settings_of(channel, told).account) if told else None
    if version is None or not version.name:
        return ""
    ends = f", which ends on {version.ends_at:%d %B %Y}" if version.ends_at else "; no end has been told"
    return f"{version.name}{ends}."


def channel_settings(described: Json) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Each setting of its tables in the accounts file."""
    rows: list[tuple[str, ...]] = [
        (f"{kind}s", f"`{name}`", "yes" if setting["required"] else "no", setting["description"])
        for kind, settings in described["settings"].items()
        for name, setting in settings.items()
        if name != "name"
    ]
    return ("table", "setting", "required", "meaning"), rows
