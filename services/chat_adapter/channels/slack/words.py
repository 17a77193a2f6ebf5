"""Slack's text as people read it, and plain words as Slack takes them.

https://docs.slack.dev/messaging/formatting-message-text, …/reference/block-kit/blocks/rich-text-block
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape as as_html
from typing import Any, Final

from emoji import demojize, emojize

from shared.contract.envelope import Text

Json = dict[str, Any]

MARKS: Final = re.compile(r"<([^<>\s][^<>\n]{0,4000})>")
ENTITIES: Final[Mapping[str, str]] = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}
ENTITY: Final = re.compile("|".join(ENTITIES))
TAGS: Final[Mapping[str, str]] = {"bold": "b", "italic": "i", "strike": "s", "underline": "u", "code": "code"}
LINKS: Final = ("https://", "http://", "mailto:", "tel:")
TONE: Final = "::skin-tone-"
DEEPEST: Final = 8  # of lists


def escaped(text: str) -> str:
    """…/formatting-message-text#escaping: so that nothing in it mentions anybody or is a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain(text: str) -> str:
    """Mentions, channels, links and dates in the words that Slack shows for them; stars and underscores stay as they were typed."""
    return ENTITY.sub(lambda found: ENTITIES[found[0]], MARKS.sub(_mark, text))


def _mark(found: re.Match[str]) -> str:
    inner, _, label = found[1].partition("|")
    kind, name = inner[:1], inner[1:]
    if kind in {"@", "#"}:
        return kind + (label or name)
    if kind == "!":
        special, _, _ = name.partition("^")
        return label or f"@{special}"
    return link(inner, label)


def link(address: str, label: str | None) -> str:
    """Both, where the words do not show the address themselves."""
    if not label or label in address:
        return address.removeprefix("mailto:").removeprefix("tel:")
    return f"{label} ({address})"


def emoji(name: str) -> str:
    """A short name as its character; a workspace's own, and one that is not known, stays a name."""
    base, tone, _ = name.partition(TONE)
    found = emojize(f":{base}:", language="alias")
    return found if tone or not found.startswith(":") else f":{name}:"


def short_name(character: str) -> str:
    """The name by which Slack knows an emoji, given as a character or as a name."""
    return demojize(character, language="alias").strip(":")


def rich(blocks: Any) -> Text | None:
    """What a person wrote, of the one block that Slack makes of it; None where there are others."""
    if not blocks or any(block["type"] != "rich_text" for block in blocks):
        return None
    sections = [section for block in blocks for section in block["elements"]]
    text = "".join(_section(section, _plain) for section in sections).rstrip("\n")
    html = "".join(_section(section, _html) for section in sections)
    return Text(text=text, html=html if "<" in html.replace("<br>", "") else None)


def shown(blocks: Iterable[Json]) -> str:
    """The words of an app's blocks, in their order: https://docs.slack.dev/reference/block-kit/blocks."""
    return "\n".join(filter(None, (line for block in blocks for line in _lines(block))))


def _lines(block: Json) -> Iterator[str]:
    if block["type"] == "rich_text":
        found = rich([block])
        yield found.text if found else ""
    for held in (block.get("text"), *block.get("fields", ()), *block.get("elements", ())):
        if isinstance(held, str):
            yield held
        elif isinstance(held, dict) and isinstance(held.get("text"), str):
            yield plain(held["text"])


Writer = Callable[[Json], str]


def _section(section: Json, write: Writer, depth: int = 0) -> str:
    html, kind = write is _html, section["type"]
    if kind == "rich_text_list" and depth < DEEPEST:
        return _list(section, write, depth)
    words = "".join(_element(one, write, depth) for one in section["elements"])
    if kind == "rich_text_preformatted":
        return f"<pre>{words}</pre>" if html else f"{words}\n"
    if kind == "rich_text_quote":
        return f"<blockquote>{words}</blockquote>" if html else "".join(f"> {line}\n" for line in words.split("\n"))
    return words if html or depth or words.endswith("\n") else f"{words}\n"


def _element(one: Json, write: Writer, depth: int) -> str:
    is_section = one["type"].startswith("rich_text_") and depth < DEEPEST
    return _section(one, write, depth + 1) if is_section else write(one)


def _list(section: Json, write: Writer, depth: int) -> str:
    items = [_section(item, write, depth + 1) for item in section["elements"]]
    ordered = section.get("style") == "ordered"
    if write is _html:
        tag = "ol" if ordered else "ul"
        return f"<{tag}>{''.join(f'<li>{item}</li>' for item in items)}</{tag}>"
    space, first = "  " * min(int(section.get("indent") or 0), DEEPEST), 1 + int(section.get("offset") or 0)
    return "".join(f"{space}{f'{first + n}.' if ordered else '•'} {item}\n" for n, item in enumerate(items))


def _plain(element: Json) -> str:
    if element["type"] == "link":
        return link(element["url"], element.get("text"))
    return _said(element)


def _html(element: Json) -> str:
    words = as_html(_said(element), quote=False).replace("\n", "<br>")
    if element["type"] == "link" and element["url"].lower().startswith(LINKS):
        words = f'<a href="{as_html(element["url"])}">{words}</a>'
    for style, tag in TAGS.items():
        if (element.get("style") or {}).get(style) is True:
            words = f"<{tag}>{words}</{tag}>"
    return words


def _said(element: Json) -> str:
    """One piece of a line; of an unknown kind whatever words it has."""
    match element["type"]:
        case "user":
            return f"@{element['user_id']}"
        case "usergroup":
            return f"@{element['usergroup_id']}"
        case "team":
            return f"@{element['team_id']}"
        case "channel":
            return f"#{element['channel_id']}"
        case "broadcast":
            return f"@{element['range']}"
        case "emoji":
            return _character(element.get("unicode")) or emoji(element["name"])
        case "date":
            return str(element.get("fallback") or element["timestamp"])
        case "color":
            return str(element["value"])
    words = element.get("text") or element.get("url") or ""
    return words if isinstance(words, str) else ""


def _character(codes: Any) -> str:
    """1f44b-1f3fd → 👋🏽."""
    if not isinstance(codes, str) or not re.fullmatch(r"[0-9a-f]{2,6}(-[0-9a-f]{2,6}){0,9}", codes):
        return ""
    return "".join(chr(int(code, 16)) for code in codes.split("-"))
