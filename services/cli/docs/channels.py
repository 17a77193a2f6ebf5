"""docs/channels.md: what each channel can do, and what it must be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from services.cli.channels import CHANNELS, describe
from services.cli.docs.markdown import page, table
from shared.contract.channel import Capabilities
from shared.contract.deliveries import Change


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
        "answers that grow": able["grows"],
        f"{able['attachments']} files in one send": able["attachments"],
        f"{able['album']} pictures in one send": able["album"],
        f"comments of {comment['text']} {comment['unit']}" if comment else "": comment,
        "private answers to comments": able["private_reply"],
        **dict.fromkeys(_changes(one), True),
        "hands threads over": able["handovers"],
    }
    starts = "nothing: they write first" if able["starts"] == "nothing" else able["starts"].replace("_", " ")
    return one["name"], starts, ", ".join(word for word, has in more.items() if has) or "–", _links(one)


def _changes(one: dict[str, Any]) -> list[str]:
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
