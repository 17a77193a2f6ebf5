"""docs/channels.md: all channels side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from services.cli.channels import CHANNELS, describe
from services.cli.docs.markdown import page, table
from services.cli.docs.matrix import IN, NAMES, OUT, SIGNS, matrix
from shared.contract.channel import Capabilities
from shared.contract.deliveries import Change

Json = dict[str, Any]


def channels_page() -> str:
    """channels.md: what each channel can do, side by side."""
    described = [describe(channel) for channel in CHANNELS.values()]
    marked = matrix(CHANNELS)
    return page(
        "Channels",
        "Read from the code and from the samples of its tests by `parley docs`. "
        f"{SIGNS['shown']} a sample of its own, or a test, shows it; {SIGNS['said']} the code says so and the conformance suite renders it at its limits; "
        f"{SIGNS['degraded']} it goes as text; {SIGNS['']} there is nothing like it here. The last line counts the first of them.",
        "## What comes in",
        side_by_side(marked, "in", IN),
        "## What goes out",
        side_by_side(marked, "out", OUT),
        "## Each of them",
        "Limits of a text count in the channel's own unit; longer texts are split. What may be said to someone who has not written is in the "
        "column *begins with*.",
        table(("channel", "family", "receives by", "text", "begins with", "more"), map(_row, described)),
    )


def side_by_side(marked: Sequence[Json], way: str, features: Sequence[str]) -> str:
    """A line per feature, a column per channel, and the grade of each: how many are shown."""
    rows = [(NAMES[feature], *(SIGNS[one[way][feature]] for one in marked)) for feature in features]
    grades = [sum(mark == "shown" for mark in one[way].values()) for one in marked]
    return table(
        ("", *(f"[{one['name']}](channels/facts/{one['name']}.md)" for one in marked)),
        [*rows, (f"*of {len(features)}*", *map(str, grades))],
    )


def _row(one: Json) -> tuple[str, ...]:
    able, comment = one["capabilities"], one["capabilities"]["comment"]
    more = {
        f"{able['attachments']} files in one send": able["attachments"],
        f"{able['album']} pictures in one send": able["album"],
        f"comments of {comment['text']} {comment['unit']}" if comment else "": comment,
        **dict.fromkeys(_changes(one), True),
    }
    return (
        _links(one),
        one["family"],
        ", ".join(one["receives_by"]) or "its own server",
        f"{able['text']} {able['unit']}",
        "nothing: they write first" if able["starts"] == "nothing" else able["starts"].replace("_", " "),
        ", ".join(word for word, has in more.items() if has) or "–",
    )


def _changes(one: Json) -> list[str]:
    """What can be done to a message that stands there, and for how long."""
    able = Capabilities.model_validate(one["capabilities"])
    found = able.changes | (able.comment.changes if able.comment else {})
    return [DOES[what] + (f" for {within // HOUR} hours" if within else "") for what, within in found.items()]


HOUR: Final = timedelta(hours=1)
DOES: Final[Mapping[Change, str]] = {
    "edit": "edits",
    "delete": "deletes",
    "react": "reacts",
    "seen": "shows what is read",
}


def _links(one: Json) -> str:
    """Our own page, its facts, and the provider's."""
    name = one["name"]
    provider = f", [provider]({one['docs']})" if one["docs"].startswith("https://") else ""
    return f"[{name}](channels/{name}.md): [facts](channels/facts/{name}.md){provider}"
