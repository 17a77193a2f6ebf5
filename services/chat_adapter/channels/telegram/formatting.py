"""A text with entities as HTML — https://core.telegram.org/bots/api#messageentity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from services.chat_adapter.channels.telegram.tables import TAGS

LINKS = ("https://", "http://", "mailto:", "tel:", "tg:")


def as_html(text: str, entities: Sequence[dict[str, Any]]) -> str | None:
    """The text as safe HTML; None where it has no formatting. Entities count in UTF-16 code units."""
    if not (marks := sorted(_marks(entities))):
        return None
    units, at, html = text.encode("utf-16-le", "surrogatepass"), 0, ""
    for position, _, _, tag in marks:
        html += _escaped(units[2 * at : 2 * position]) + tag
        at = position
    return html + _escaped(units[2 * at :])


def _marks(entities: Sequence[dict[str, Any]]) -> Iterator[tuple[int, int, int, str]]:
    """Tags as (position, closing before opening, inner closes first and outer opens first, tag)."""
    outer_first = sorted(entities, key=lambda entity: (entity["offset"], -entity["length"]))
    for depth, entity in enumerate(outer_first):
        if tags := _tags(entity):
            yield entity["offset"], 1, depth, tags[0]
            yield entity["offset"] + entity["length"], 0, -depth, tags[1]


def _tags(entity: dict[str, Any]) -> tuple[str, str] | None:
    if entity["type"] == "text_link" and entity["url"].lower().startswith(LINKS):
        return f'<a href="{escape(entity["url"])}">', "</a>"
    return TAGS.get(entity["type"])


def _escaped(units: bytes) -> str:
    return escape(units.decode("utf-16-le", "replace"), quote=False).replace("\n", "<br>")
