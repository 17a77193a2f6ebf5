"""One record as one line for a person: when, what, where, who, and how it begins."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rich.text import Text

from services.cli.ids import SHORT
from shared.contract.readable import otherwise
from shared.contract.text import on_one_line

LENGTH: Final = 100
REMEMBERED: Final = 10_000  # conversations whose channel and people are known
OUTBOUND: Final = "parley.outbound.v1"  # carries its event's sequence, which has gaps there
COLOURS: Final = {
    "message.received": "green",
    "message.queued": "cyan",
    "message.status": "blue",
    "request.refused": "red",
    "conversation": "magenta",
    "inbound": "green",
    "outbound": "cyan",
    "delivery": "blue",
}


@dataclass(frozen=True)
class Place:
    """Where a record belongs. `person`: who wrote there last."""

    channel: str = ""
    person: str = ""


def line(record: dict[str, Any], place: Place, *, again: bool = False) -> Text:
    """A record as `reading.described` tells it. `again`: a consumer would drop it, so it is shown faintly."""
    kind = short_type(record["type"])
    data = record["data"] if isinstance(record["data"], dict) else {}
    shown = Text(clock(record["at"]) + "  ")
    shown.append(f"{fit(kind, LENGTH):<22}", style=COLOURS.get(kind) or COLOURS.get(kind.partition(".")[0], "yellow"))
    shown.append(f"{where(data, record['key']):<{2 * SHORT + 3}}", style="dim")
    shown.append(f"{fit(str(data.get('sequence') or ''), 20):>4}  ")
    shown.append(f"{fit(place.channel, 9):<9}  ")
    shown.append(fit(place.person, 24), style="bold")
    shown.append("  " + fit(otherwise(lambda: what(data), ""), LENGTH))
    if again:
        shown.stylize("dim")
        shown.append("  (again)", style="dim")
    return shown


class Seen:
    """The whole rule for consumers: drop what is not above the last sequence of its conversation."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def again(self, record: dict[str, Any]) -> bool:
        """Whether this event came before; it counts as seen from now on."""
        data = record["data"] if isinstance(record["data"], dict) else {}
        sequence = data.get("sequence")
        if record["type"] in {OUTBOUND, None} or not isinstance(sequence, int):
            return False
        last = self._last.get(record["key"], 0)
        self._last[record["key"]] = max(last, sequence)
        return sequence <= last


def short_type(ce_type: str | None) -> str:
    """`parley.message.received.v1` as `message.received`."""
    return (ce_type or "?").removeprefix("parley.").removesuffix(".v1")


def clock(at: str) -> str:
    """The local time of day with milliseconds."""
    return datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S.%f")[:-3]


class Places:
    """What earlier records told of each conversation: most events of it name neither its channel nor its people."""

    def __init__(self) -> None:
        self._known: dict[str, Place] = {}

    def of(self, record: dict[str, Any]) -> Place:
        """As this record and those before it tell."""
        data = record["data"] if isinstance(record["data"], dict) else {}
        named = conversation(data)
        known = self._known.get(named, Place())
        place = Place(channel(data, record["key"]) or known.channel, written_by(data) or known.person)
        if named:
            self._known.pop(named, None)
            self._known[named] = place  # the newest last
            if len(self._known) > REMEMBERED:
                del self._known[next(iter(self._known))]
        return place


def conversation(data: dict[str, Any]) -> str:
    """Its id, as far as the record says."""
    message = data.get("message")
    named = data.get("conversation") or (message.get("conversation") if isinstance(message, dict) else None)
    return str(named or "")


def message_of(data: dict[str, Any]) -> str:
    """The id of the message that the record announces or is about."""
    message = data.get("message")
    named = message.get("id") if isinstance(message, dict) else data.get("message_id")
    return str(named or "")


def where(data: dict[str, Any], key: str) -> str:
    """The conversation and the message by their first letters, which other commands take; else what the key ends in."""
    ids = [id_[:SHORT] for id_ in (conversation(data), message_of(data)) if id_]
    return fit(" ".join(ids) or key.rpartition("|")[2], 2 * SHORT + 1)


def channel(data: dict[str, Any], key: str) -> str:
    """Of the record, its message, or its key (tenant|channel|account|peer)."""
    told = next(
        (one for one in (data, data.get("message"), data.get("media")) if isinstance(one, dict) and "channel" in one),
        {},
    )
    keyed = key.split("|")
    return str(told.get("channel") or (keyed[1] if len(keyed) > 2 else ""))


def written_by(data: dict[str, Any]) -> str:
    """Who wrote it, as far as it says."""
    message = data.get("message") if isinstance(data.get("message"), dict) else data
    sender = message.get("sender") if isinstance(message, dict) else None
    if isinstance(sender, dict):
        return str(sender.get("name") or sender.get("address") or "")
    told = message or {}
    return str(told.get("author") or told.get("peer") or told.get("address") or "")


def what(data: dict[str, Any]) -> str:
    """The words, or the status, or the reason."""
    if failure := data.get("failure"):
        return f"{data.get('status', 'refused')}: {failure.get('code')} {failure.get('detail', '')}"
    if status := data.get("status"):
        return f"{status} {' '.join(data.get('external_ids', ()))}"
    if "healthy" in data:
        return "healthy" if data["healthy"] else "not healthy"
    message = data.get("message") or data
    return " / ".join(_part(part) for part in message.get("parts", ()) if isinstance(part, dict))


def _part(part: dict[str, Any]) -> str:
    return str(
        part.get("text") or part.get("caption") or part.get("emoji") or f"[{part.get('media') or part.get('kind')}]"
    )


def fit(text: str, length: int) -> str:
    """One line of at most so many characters, with nothing in it that a terminal would obey."""
    plain = on_one_line(text)
    return plain if len(plain) <= length else plain[: length - 1] + "…"


def as_json(value: object, indent: int | None = None) -> str:
    """JSON in letters, with what a terminal would obey, or turn round, as escapes: the same value to whoever reads it."""
    return re.sub(
        "[\x7f-\x9f\u202a-\u202e\u2066-\u2069]", _escaped, json.dumps(value, ensure_ascii=False, indent=indent)
    )


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
