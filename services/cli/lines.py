"""One record as one line for a person: when, what, where, who, and how it begins."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from rich.text import Text

# Strangers wrote some of it: no control sequence, no reversed line. Zero-width spaces stay, Khmer is written with them.
UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")
LENGTH: Final = 100
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


def line(record: dict[str, Any], *, again: bool = False) -> Text:
    """A record as `reading.described` tells it. `again`: a consumer would drop it, so it is shown faintly."""
    kind = short_type(record["type"])
    data = record["data"] if isinstance(record["data"], dict) else {}
    shown = Text(clock(record["at"]) + "  ")
    shown.append(f"{kind:<22}", style=COLOURS.get(kind) or COLOURS.get(kind.partition(".")[0], "yellow"))
    shown.append(f"{where(data, record['key']):<38}", style="dim")
    shown.append(f"{data.get('sequence') or '':>4}  ")
    shown.append(fit(who(data), 24), style="bold")
    shown.append("  " + fit(what(data), LENGTH))
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


def where(data: dict[str, Any], key: str) -> str:
    """The conversation, whole, since other commands are given it; else what the key ends in."""
    message = data.get("message")
    named = data.get("conversation") or (message.get("conversation") if isinstance(message, dict) else None)
    return fit(str(named or key.rpartition("|")[2]), 36)


def who(data: dict[str, Any]) -> str:
    """Who wrote it, as far as it says."""
    message = data.get("message") if isinstance(data.get("message"), dict) else data
    sender = message.get("sender") if isinstance(message, dict) else None
    if isinstance(sender, dict):
        return str(sender.get("name") or sender.get("address") or "")
    told = message or {}
    return str(told.get("author") or told.get("peer") or told.get("address") or told.get("channel") or "")


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
    plain = UNFIT.sub(" ", text)
    return plain if len(plain) <= length else plain[: length - 1] + "…"
