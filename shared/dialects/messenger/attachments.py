"""What is in a message of the Messenger Platform, as parts.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/messages
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from shared.contract.envelope import Choice, Choices, Location, Media, Option, Part, Text, Unsupported
from shared.contract.readable import few, otherwise
from shared.dialects.messenger.tables import FILES

Json = dict[str, Any]


def parts(message: Json) -> tuple[Part, ...]:
    """At least one; a message that shows nothing we know is unsupported."""
    found = tuple(_found(message))
    return found or (Unsupported(type="unsupported" if message.get("is_unsupported") else "message"),)


def _found(message: Json) -> Iterator[Part]:
    text = otherwise(lambda: Text(text=message["text"]).text, None)
    attached = otherwise(lambda: list(_once(few(message.get("attachments") or ()))), [{"type": "attachments"}])
    shown = [part for one in attached if (part := _shown(one, text)) is not None]
    if pressed := message.get("quick_reply"):
        yield otherwise(lambda: Choice(id=pressed["payload"], title=text), Unsupported(type="quick_reply", text=text))
    elif text and not any(isinstance(part, Choices) and part.text == text for part in shown):
        yield Text(text=text)
    yield from shown


def _shown(attachment: Json, text: str | None) -> Part | None:
    """What an attachment is; of one that has another shape than its type, its title. None: it repeats the text."""
    kind = otherwise(lambda: Unsupported(type=attachment["type"]).type, "attachment")
    words = otherwise(lambda: Unsupported(type=kind, text=attachment.get("title")).text, None)
    if otherwise(lambda: _repeats(attachment, text or ""), instead=False):
        return None
    return otherwise(lambda: _part(attachment, text), Unsupported(type=kind, text=words or None))


def _once(attachments: Any) -> Iterator[Json]:
    """A sticker came as an image too, and a post as a share, while two forms were in use side by side; the new one is meant."""
    stickers = {_payload(one).get("sticker_id") for one in attachments if one["type"] == "sticker"}
    old = {"share"} if any(one["type"] == "ig_post" for one in attachments) else set()
    for one in attachments:
        if one["type"] not in old and (
            one["type"] != "image" or _payload(one).get("sticker_id") not in stickers - {None}
        ):
            yield one


def _repeats(attachment: Json, text: str) -> bool:
    """The preview of a link that stands in the text."""
    link = _link(attachment)
    return attachment["type"] == "fallback" and link is not None and link in text


def _part(attachment: Json, text: str | None) -> Part:
    kind = attachment["type"]
    if kind in FILES and (url := _payload(attachment).get("url")):
        media = "sticker" if _payload(attachment).get("sticker_id") else FILES[kind]
        return Media(media=media, handle=url, name=_payload(attachment).get("name"))
    if kind == "template":
        return _template(attachment, text)
    return OTHERS.get(kind, _unsupported)(attachment)


def _location(attachment: Json) -> Part:
    point = _payload(attachment)["coordinates"]
    return Location(latitude=point["lat"], longitude=point["long"], name=attachment.get("title"))


def _template(attachment: Json, text: str | None) -> Part:
    """Buttons that the business has offered, whose question stands beside the payload; products that a person has shared.

    …/messenger-platform/webhooks/webhook-events/message-echoes
    """
    payload = _payload(attachment)
    if payload.get("template_type") == "button":
        options = tuple(_option(button) for button in payload["buttons"])
        return Choices(text=payload.get("text") or attachment.get("title") or text or "", options=options)
    elements = payload.get("elements") or (payload.get("product") or {}).get("elements") or ()
    titles = (element.get("title") for element in elements)
    return Unsupported(type=payload.get("template_type") or "template", text=_lines(attachment.get("title"), *titles))


def _option(button: Json) -> Option:
    return Option(id=button.get("payload") or button["title"], title=button["title"], url=button.get("url"))


def _appointment(attachment: Json) -> Part:
    payload = _payload(attachment)
    return Unsupported(type="appointment_booking", text=_lines(payload.get("status"), payload.get("timezone")))


def _unsupported(attachment: Json) -> Part:
    """A share is shown by its title and link, which nobody fetches."""
    title = attachment.get("title") or _payload(attachment).get("title")
    return Unsupported(type=attachment["type"], text=_lines(title, _link(attachment)))


def _payload(attachment: Json) -> Json:
    return attachment.get("payload") or {}


def _link(attachment: Json) -> str | None:
    return _payload(attachment).get("url") or attachment.get("url") or attachment.get("URL")


def _lines(*lines: str | None) -> str | None:
    return "\n".join(filter(None, lines)) or None


OTHERS: Final[Mapping[str, Callable[[Json], Part]]] = {
    "appointment_booking": _appointment,
    "location": _location,
}
