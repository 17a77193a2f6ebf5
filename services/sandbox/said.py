"""What a person says on a phone, as a view: text, a file, a place, a card, or a choice that is pressed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from services.sandbox.bodies import Upload, read_object
from services.sandbox.chats import Chat
from services.sandbox.files import File, Files
from services.sandbox.refusals import Refused
from services.sandbox.screens import Json

TEXT: Final = 65_536  # characters; providers take fewer
KINDS: Final = {"image", "audio", "video", "file", "sticker"}
# The content of a view; what is taken back loses it.
CONTENT: Final = ("text", "media", "caption", "location", "contact", "choices", "template", "pressed", "reactions")


def said(chat: Chat, values: Mapping[str, Any], files: Files) -> Json:
    """The view of what is said, without id. Raises Refused."""
    act = next((act for act in ACTS if values.get(act) not in (None, "")), None)
    if act is None:
        raise Refused(400, f"nothing to send: give one of {', '.join((*ACTS, 'react', 'edit', 'remove', 'block'))}")
    view = ACTS[act](chat, values, files)
    if reply := values.get("reply_to"):
        view["reply_to"] = chat.view(reply)["id"]
    return view


def _text(chat: Chat, values: Mapping[str, Any], files: Files) -> Json:
    return {"text": _words(values, "text")}


def _file(chat: Chat, values: Mapping[str, Any], files: Files) -> Json:
    """`as` names the kind (image, audio, video, file, sticker); otherwise the MIME type decides."""
    upload = values["file"]
    if not isinstance(upload, Upload):
        raise Refused(400, "file must be uploaded as multipart/form-data")
    file = files.keep(upload.data, owner=chat.account, mime_type=upload.mime_type, name=upload.name)
    caption = {"caption": _words(values, "caption")} if values.get("caption") else {}
    return {"media": media_view(file, values.get("as")), **caption}


def media_view(file: File, kind: str | None = None) -> Json:
    """A file as views show it: of this kind, or as its MIME type says."""
    kind = kind or file.mime_type.partition("/")[0]
    shown = {"id": file.id, "mime_type": file.mime_type, "name": file.name, "size": file.size}
    return {"kind": kind if kind in KINDS else "file", **shown}


def words_of(view: Json) -> str:
    """What is written in a message or under its file."""
    return str(view.get("text") or view.get("caption") or "")


def choice_view(name: str, title: str, url: str = "") -> Json:
    """Something to choose, or an address to open, as views show it."""
    return {"id": name, "title": title, **({"url": url} if url else {})}


def taken_back(view: Json) -> Json:
    """The view of a message that somebody removed."""
    return {name: value for name, value in view.items() if name not in CONTENT} | {"removed": True}


def _location(chat: Chat, values: Mapping[str, Any], files: Files) -> Json:
    place = named(values, "location")
    try:
        point = {"latitude": float(place["latitude"]), "longitude": float(place["longitude"])}
    except (KeyError, TypeError, ValueError):
        raise Refused(400, "a location has latitude and longitude") from None
    return {"location": {**point, **_words_of(place, "name", "address")}}


def _contact(chat: Chat, values: Mapping[str, Any], files: Files) -> Json:
    card = named(values, "contact")
    shown = _words_of(card, "name", "phone", "email")
    if "name" not in shown:
        raise Refused(400, "a contact has a name")
    return {"contact": shown}


def _press(chat: Chat, values: Mapping[str, Any], files: Files) -> Json:
    pressed = named(values, "press")
    view = chat.view(pressed.get("message"))
    for choice in view.get("choices", ()):
        if choice["id"] == pressed.get("id") and not choice.get("url"):
            return {"text": choice["title"], "pressed": choice["id"], "reply_to": view["id"]}
    raise Refused(400, "that message offers no such choice")


def _words(values: Mapping[str, Any], name: str) -> str:
    value = values[name]
    if not isinstance(value, str) or not value.strip() or len(value) > TEXT:
        raise Refused(400, f"{name} must be words, at most {TEXT} characters")
    return value


def _words_of(values: Mapping[str, Any], *names: str) -> Json:
    return {name: _words(values, name) for name in names if values.get(name)}


def named(values: Mapping[str, Any], name: str) -> Json:
    """The object of this name. Raises Refused."""
    value = read_object(values[name])
    if value is None:
        raise Refused(400, f"{name} must be an object")
    return value


# A file may bring a text too, so it stands before it.
ACTS: Final[Mapping[str, Callable[[Chat, Mapping[str, Any], Files], Json]]] = {
    "file": _file,
    "location": _location,
    "contact": _contact,
    "press": _press,
    "text": _text,
}
