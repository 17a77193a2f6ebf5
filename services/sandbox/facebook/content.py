"""What a page may put into a message, checked as the Send API checks it, as a view of the phone.

https://developers.facebook.com/docs/messenger-platform/reference/send-api
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.sandbox.facebook import templates
from services.sandbox.files import File, Files
from services.sandbox.graph import GraphError, invalid
from services.sandbox.said import media_view

Json = dict[str, Any]
TEXT: Final = 2000
METADATA: Final = 1000
QUICK_REPLIES: Final = 13
TITLE: Final = 20
PAYLOAD: Final = 1000
BUTTONS: Final = 3
BUTTON_TEXT: Final = 640
CONTENTS: Final = frozenset({"text", "attachment", "template"})
KEYS: Final = CONTENTS | {"quick_replies", "metadata"}
ASSETS: Final = frozenset({"image", "audio", "video", "file"})


def checked(message: object, files: Files, *, page: str) -> Json:
    """The view of a message: text, or choices, or media, or a template. Raises GraphError."""
    if not isinstance(message, dict) or not message:
        raise invalid("Param message must be a non-empty object")
    if unknown := message.keys() - KEYS:
        raise invalid(f'Invalid keys "{", ".join(sorted(unknown))}" were found in param "message".')
    _limited(message.get("metadata", ""), "message[metadata]", METADATA - 1)
    if len(message.keys() & CONTENTS) != 1:
        raise invalid("Must send either text or attachment or template")
    if "template" in message:
        return templates.rendered(message["template"])
    if "attachment" in message:
        return _attachment(message["attachment"], files, page)
    view: Json = {"text": _words(message["text"], "message[text]", TEXT)}
    if "quick_replies" in message:
        view |= {"choices": _quick_replies(message["quick_replies"]), "style": "quick_replies"}
    return view


def _attachment(attachment: object, files: Files, page: str) -> Json:
    kind, payload = _typed(attachment)
    if kind == "template":
        return _template(payload)
    if kind not in ASSETS:
        raise invalid(f"Param message[attachment][type] must be one of {', '.join(sorted(ASSETS))}, template")
    file = files.get(payload.get("attachment_id"))
    if file is None or file.owner != page:
        raise GraphError(100, "Invalid attachment_id", subcode=2018074)
    return {"media": media_view(file, kind)}


def _typed(attachment: object) -> tuple[str, Json]:
    if not isinstance(attachment, dict) or not isinstance(attachment.get("payload"), dict):
        raise invalid("Param message[attachment] must have a type and a payload")
    return str(attachment.get("type")), attachment["payload"]


def _template(payload: Json) -> Json:
    """https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/template/button."""
    if payload.get("template_type") != "button":
        raise invalid("the sandbox shows only the template_type button")
    buttons = payload.get("buttons")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= BUTTONS:
        raise GraphError(100, f"A button template has 1 to {BUTTONS} buttons", subcode=2018035)
    text = _words(payload.get("text"), "message[attachment][payload][text]", BUTTON_TEXT)
    return {"text": text, "choices": [_button(button) for button in buttons], "style": "buttons"}


def _button(button: object) -> Json:
    kind = button.get("type") if isinstance(button, dict) else None
    if not isinstance(button, dict) or kind not in {"postback", "web_url"}:
        raise invalid("a button is a postback or a web_url")
    title = _words(button.get("title"), "button[title]", TITLE)
    if kind == "web_url":
        url = _words(button.get("url"), "button[url]", 2000)
        if not url.startswith(("https://", "http://")):
            raise invalid("button[url] should represent a valid URL")
        return {"id": title, "title": title, "url": url}
    return {"id": _words(button.get("payload"), "button[payload]", PAYLOAD), "title": title}


def _quick_replies(replies: object) -> Sequence[Json]:
    if not isinstance(replies, list) or not 1 <= len(replies) <= QUICK_REPLIES:
        raise invalid(f"Param message[quick_replies] must have 1 to {QUICK_REPLIES} elements")
    return [_quick_reply(reply) for reply in replies]


def _quick_reply(reply: object) -> Json:
    if not isinstance(reply, Mapping) or reply.get("content_type") != "text":
        raise invalid("Param message[quick_replies][content_type] must be text")
    title = _words(reply.get("title"), "message[quick_replies][title]", TITLE)
    return {"id": _words(reply.get("payload"), "message[quick_replies][payload]", PAYLOAD), "title": title}


def _words(value: object, name: str, limit: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"Param {name} must be a non-empty UTF-8 encoded string")
    return _limited(value, name, limit)


def _limited(value: object, name: str, limit: int) -> str:
    if not isinstance(value, str):
        raise invalid(f"Param {name} must be a string")
    if len(value) > limit:
        raise invalid(f"Length of param {name} must be less than or equal to {limit}")
    return value


def echoed(view: Json, *, url: str | None, file: File | None) -> Json:
    """The content of a view as message_echoes tells it: a question stands beside its template's payload, not in it."""
    payload: Json
    if "media" in view:
        payload = {"url": url, **({"name": file.name} if file and view["media"]["kind"] == "file" else {})}
        return {"attachments": [{"type": view["media"]["kind"], "payload": payload}]}
    if view.get("style") != "buttons":
        return {"text": view["text"]}
    payload = {"template_type": "button", "buttons": [*map(_as_button, view["choices"])]}
    attachment = {"type": "template", "title": view["text"], "url": None, "payload": payload}
    return {"text": view["text"], "attachments": [attachment]}


def _as_button(choice: Json) -> Json:
    if url := choice.get("url"):
        return {"type": "web_url", "title": choice["title"], "url": url}
    return {"type": "postback", "title": choice["title"], "payload": choice["id"]}
