"""Pieces as messages of the Cloud API — https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-phone-number/message-api."""

from __future__ import annotations

import re
from typing import Any, Final

from services.chat_adapter.channels.whatsapp.tables import (
    BUTTON_BODY,
    BUTTON_TITLE,
    BUTTONS,
    DOCUMENT,
    ROW_DESCRIPTION,
    SENDS,
    Sends,
)
from shared.contract.channel import Piece, SendFailed
from shared.contract.envelope import Choices, Contact, Location, Media, Option, Part, Template, Text
from shared.dialects import meta

Json = dict[str, Any]

PHONE: Final = re.compile(r"\+?\d{3,20}")
USER_ID: Final = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")  # …/whatsapp/business-scoped-user-ids
OPENS_LIST: Final = "☰"  # the button needs a label, in a language that nobody has told us


def compose(piece: Piece) -> Json:
    """The body of POST /{phone_number_id}/messages. Raises SendFailed for what has no form here.

    `biz_opaque_callback_data` comes back in every status of the message.
    """
    kind, content = _content(piece.part, piece.handle)
    message: Json = {
        "messaging_product": "whatsapp",
        **recipient(piece.to),
        "type": kind,
        kind: content,
        "biz_opaque_callback_data": piece.id,
    }
    return {**message, "context": {"message_id": piece.reply_to}} if piece.reply_to else message


def recipient(peer: str) -> Json:
    """A phone number, a business-scoped user id, or else a group."""
    if PHONE.fullmatch(peer):
        return {"recipient_type": "individual", "to": peer}
    if USER_ID.fullmatch(peer):
        return {"recipient_type": "individual", "recipient": peer}
    return {"recipient_type": "group", "to": peer}


def _content(part: Part, handle: str | None) -> tuple[str, Json | list[Json]]:
    match part:
        case Text(text=text):
            return "text", {"body": text, "preview_url": False}
        case Media() as media:
            return _media(media, handle)
        case Choices() as choices:
            return "interactive", _interactive(choices)
        case Location() as location:
            return "location", _location(location)
        case Contact() as contact:
            return "contacts", [_card(contact)]
        case Template() as template:
            return "template", meta.template(template)
    raise SendFailed("unsupported", f"WhatsApp takes no {part.kind}")


def bare_type(media: Media) -> str:
    """The MIME type without parameters: WhatsApp refuses an upload of `audio/ogg; codecs=opus`."""
    return (media.mime_type or "application/octet-stream").partition(";")[0].strip().lower()


def _media(media: Media, handle: str | None) -> tuple[str, Json]:
    if handle is None:
        raise SendFailed("malformed", "the file is not stored; upload it first")
    way = _way(media)
    content: Json = {"id": handle}
    if media.caption and way.caption:
        content["caption"] = media.caption
    if way is DOCUMENT:
        content["filename"] = media.name or "file"
    return way.type, content


def _way(media: Media) -> Sends:
    """What is too large for its kind, or of a type that WhatsApp does not show, or carries words that its kind cannot, is a document."""
    way = SENDS.get((media.media, bare_type(media)), DOCUMENT)
    return DOCUMENT if (media.size or 0) > way.limit or (media.caption and not way.caption) else way


def _interactive(choices: Choices) -> Json:
    """A link of its own, up to three buttons, or a list, whose question may be longer."""
    options = choices.options
    links = [option for option in options if option.url]
    if links and len(options) > 1:
        raise SendFailed("unsupported", "WhatsApp shows a link only alone, not beside other choices")
    body = {"text": choices.text}
    if links:
        link = {"display_text": links[0].title, "url": links[0].url}
        return {"type": "cta_url", "body": body, "action": {"name": "cta_url", "parameters": link}}
    if choices.style != "list" and len(options) <= BUTTONS and len(choices.text) <= BUTTON_BODY:
        return {"type": "button", "body": body, "action": {"buttons": [_button(option) for option in options]}}
    rows = [_row(option) for option in options]
    action = {"button": OPENS_LIST, "sections": [{"rows": rows}]}
    return {"type": "list", "body": body, "action": action}


def _button(option: Option) -> Json:
    return {"type": "reply", "reply": {"id": option.id, "title": option.title[:BUTTON_TITLE]}}


def _row(option: Option) -> Json:
    row = {"id": option.id, "title": option.title}
    return {**row, "description": option.description[:ROW_DESCRIPTION]} if option.description else row


def _location(location: Location) -> Json:
    words = {"name": location.name, "address": location.address}
    point: Json = {"latitude": location.latitude, "longitude": location.longitude}
    return {**point, **{name: value for name, value in words.items() if value}}


def _card(contact: Contact) -> Json:
    """`formatted_name` and one more name are needed."""
    card: Json = {"name": {"formatted_name": contact.name, "first_name": contact.name}}
    if contact.phones:
        card["phones"] = [{"phone": phone} for phone in contact.phones]
    if contact.emails:
        card["emails"] = [{"email": email} for email in contact.emails]
    return card
