"""Pieces as calls of the Bot API — https://core.telegram.org/bots/api#available-methods."""

from __future__ import annotations

import json
from typing import Any

from services.chat_adapter.channels.telegram.places import answers, chat_of
from services.chat_adapter.channels.telegram.tables import (
    DOCUMENT,
    PHOTO,
    PHOTO_BYTES,
    SENDS,
    STICKER,
    STICKER_TYPES,
    Method,
)
from shared.contract.channel import Blob, Field, Form, Piece, SendFailed
from shared.contract.envelope import Choices, Contact, Location, Media, Option, Text

Json = dict[str, Any]


def compose(piece: Piece) -> tuple[str, Json | Form]:
    """The method to call and its parameters; a form where a file is uploaded. Raises SendFailed for what has no form here."""
    match piece.part:
        case Media() as media:
            method = _method(media)
            return method.name, _form(media, method, _place(piece))
        case part:
            name, content = _content(part)
            return name, {**_place(piece), **content}


def _place(piece: Piece) -> Json:
    return chat_of(piece.to, piece.thread_key) | (answers(piece.to, piece.reply_to) if piece.reply_to else {})


def _content(part: object) -> tuple[str, Json]:
    match part:
        case Text() | Choices():
            return "sendMessage", words(part)
        case Location() as location:
            return _location(location)
        case Contact() as contact:
            return _contact(contact)
    raise SendFailed("unsupported", f"Telegram takes no {getattr(part, 'kind', part)}")


def words(part: Text | Choices) -> Json:
    """What is written, with the buttons below it."""
    if isinstance(part, Text):
        return {"text": part.text}
    keyboard = [[_button(option)] for option in part.options]
    return {"text": part.text, "reply_markup": {"inline_keyboard": keyboard}}


def _button(option: Option) -> Json:
    if option.url:
        return {"text": option.title, "url": option.url}
    return {"text": option.title, "callback_data": option.id}


def _location(location: Location) -> tuple[str, Json]:
    point = {"latitude": location.latitude, "longitude": location.longitude}
    if not (title := location.name or location.address):
        return "sendLocation", point
    return "sendVenue", {**point, "title": title, "address": location.address or title}


def _contact(contact: Contact) -> tuple[str, Json]:
    if not contact.phones:
        return "sendMessage", {"text": "\n".join((contact.name, *contact.emails))}
    card = {"phone_number": contact.phones[0], "first_name": contact.name}
    if contact.phones[1:] or contact.emails:
        card["vcard"] = _vcard(contact)
    return "sendContact", card


def _vcard(contact: Contact) -> str:
    """RFC 6350, where one number is not all."""
    numbers = (f"TEL:{phone}" for phone in contact.phones)
    addresses = (f"EMAIL:{email}" for email in contact.emails)
    return "\r\n".join(("BEGIN:VCARD", "VERSION:4.0", f"FN:{contact.name}", *numbers, *addresses, "END:VCARD"))


def _method(media: Media) -> Method:
    mime_type = (media.mime_type or media.media).partition(";")[0]
    if media.media == "sticker" and mime_type in STICKER_TYPES and not media.caption:
        return STICKER
    method = DOCUMENT if media.media == "file" else SENDS.get(mime_type, DOCUMENT)
    return DOCUMENT if method is PHOTO and (media.size or 0) > PHOTO_BYTES else method


def _form(media: Media, method: Method, place: Json) -> Form:
    blob = Blob.of(media)
    caption = {"caption": media.caption} if media.caption else {}
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in place.items()}
    return (*(Field(name, value) for name, value in {**values, **caption}.items()), Field(method.field, blob))
