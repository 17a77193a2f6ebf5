"""What may be sent on WhatsApp, by type, and how a phone shows it — https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from services.sandbox.files import Files
from services.sandbox.graph import GraphError, invalid
from services.sandbox.said import media_view
from services.sandbox.whatsapp.templates import rendered

Json = dict[str, Any]
TEXT: Final = 4096
CAPTION: Final = 1024
BUTTONS_BODY: Final = 1024
KINDS: Final = {"image": "image", "video": "video", "audio": "audio", "document": "file", "sticker": "sticker"}
CAPTIONS: Final = frozenset({"image", "video", "document"})


def shown(values: Json, files: Files, number: str) -> Json:
    """The content of POST /{number}/messages as a view. Raises GraphError for what WhatsApp refuses."""
    kind = values.get("type", "text")
    content = values.get(kind)
    if kind in KINDS:
        return _media(kind, _object(content, kind), files, number)
    if kind not in CONTENT:
        raise GraphError(
            131051, "Unsupported message type", details="Message type is not currently supported.", product="whatsapp"
        )
    return CONTENT[kind](content)


def _text(content: Any) -> Json:
    return {"text": words(_object(content, "text").get("body"), "text['body']", TEXT)}


def _media(kind: str, content: Json, files: Files, number: str) -> Json:
    file = files.get(content.get("id"))
    if file is None or file.owner != number:
        raise invalid(f"Param {kind}['id'] is not a valid whatsapp business account media attachment ID")
    view: Json = {"media": media_view(file, KINDS[kind])}
    if "caption" in content:
        if kind not in CAPTIONS:
            raise invalid(f"Param {kind}['caption'] is not allowed")
        view["caption"] = words(content["caption"], f"{kind}['caption']", CAPTION)
    if kind == "document" and content.get("filename"):
        view["media"]["name"] = content["filename"]
    return view


def _location(content: Any) -> Json:
    place = _object(content, "location")
    point = {name: place.get(name) for name in ("latitude", "longitude")}
    if not all(isinstance(value, int | float) for value in point.values()):
        raise invalid("Param location must have latitude and longitude")
    return {"location": {**point, **{name: place[name] for name in ("name", "address") if place.get(name)}}}


def _contacts(content: Any) -> Json:
    if not isinstance(content, list) or not content:
        raise invalid("Param contacts must be a non-empty array")
    name = (content[0].get("name") or {}) if isinstance(content[0], dict) else {}
    if not name.get("formatted_name") or len(name) < 2:
        raise invalid("Param contacts[0]['name'] must have formatted_name and one more field")
    card = {"name": name["formatted_name"]}
    for field, inner in (("phones", "phone"), ("emails", "email")):
        if content[0].get(field):
            card[inner] = content[0][field][0].get(inner, "")
    return {"contact": card}


def _interactive(content: Any) -> Json:
    interactive = _object(content, "interactive")
    kind, action = str(interactive.get("type")), interactive.get("action") or {}
    if kind not in INTERACTIVE:
        raise invalid(f"Param interactive['type'] must not be {kind}")
    limit = BUTTONS_BODY if kind == "button" else TEXT
    body = words((interactive.get("body") or {}).get("text"), "interactive['body']['text']", limit)
    return {"text": body, "choices": INTERACTIVE[kind](action)}


def _buttons(action: Json) -> list[Json]:
    buttons = [button.get("reply") or {} for button in action.get("buttons", ())]
    _count(buttons, "buttons", 3)
    return [_choice(button, "buttons", title=20, name=256) for button in buttons]


def _rows(action: Json) -> list[Json]:
    words(action.get("button"), "interactive['action']['button']", 20)
    rows = [row for section in action.get("sections", ()) for row in section.get("rows", ())]
    _count(rows, "rows", 10)
    return [_choice(row, "rows", title=24, name=200) for row in rows]


def _link(action: Json) -> list[Json]:
    link = action.get("parameters") or {}
    title = words(link.get("display_text"), "interactive['action']['parameters']['display_text']", 20)
    return [{"id": "link", "title": title, "url": words(link.get("url"), "url", 2000)}]


def _choice(option: Json, where: str, *, title: int, name: int) -> Json:
    choice = {
        "id": words(option.get("id"), f"{where}['id']", name),
        "title": words(option.get("title"), f"{where}['title']", title),
    }
    if option.get("description"):
        choice["description"] = words(option["description"], f"{where}['description']", 72)
    return choice


def _count(options: list[Json], where: str, most: int) -> None:
    if not 0 < len(options) <= most:
        raise invalid(f"Param interactive['action']['{where}'] must have 1 to {most} elements")
    names = [option.get("id") for option in options]
    if len(names) != len(set(names)):
        raise invalid(f"Param interactive['action']['{where}'] has duplicated ids")


def words(value: object, where: str, limit: int) -> str:
    """A text that must be there and not be longer. Raises GraphError 100."""
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"Param {where} must be a non-empty string.")
    if len(value) > limit:
        raise invalid(f"Param {where} must be at most {limit} characters long.")
    return value


def _object(value: object, where: str) -> Json:
    if not isinstance(value, dict):
        raise invalid(f"The parameter {where} is required.")
    return value


INTERACTIVE: Final[Mapping[str, Callable[[Json], list[Json]]]] = {
    "button": _buttons,
    "list": _rows,
    "cta_url": _link,
}
CONTENT: Final[Mapping[str, Callable[[Any], Json]]] = {
    "text": _text,
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "template": lambda content: rendered(_object(content, "template")),
}
