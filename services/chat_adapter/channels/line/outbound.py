"""A piece as LINE takes it — https://developers.line.biz/en/reference/messaging-api/#message-objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from shared.contract.channel import Piece, SendFailed
from shared.contract.envelope import Choices, Location, Media, Option, Text
from shared.contract.text import split

Json = dict[str, Any]

TEXT: Final = 5000  # UTF-16 units: …/messaging-api/#text-message
QUICK_REPLIES: Final = 13  # …/messaging-api/#items-object
LABEL: Final = 20  # graphemes, of which a text has no more than units: …/docs/messaging-api/text-character-count/
POSTBACK: Final = 300  # …/messaging-api/#postback-action
PLACE: Final = 100  # of a location's title and address, both of which must be there: …/messaging-api/#location-message


PREVIEW: Final = 1024 * 1024  # bytes of an image that is its own preview: …/messaging-api/#image-message
SHOWN: Final = frozenset({"image/jpeg", "image/png"})


def compose(piece: Piece, link: Callable[[Media], str]) -> Json:
    match piece.part:
        case Text(text=text):
            return _text(text, piece)
        case Choices(text=text, options=options):
            return {**_text(text, piece), "quickReply": {"items": [_item(option) for option in options]}}
        case Location() as place:
            return _location(place)
        case Media() as file:
            return _file(file, link(file))
    raise SendFailed("unsupported", f"LINE takes no {piece.part.kind}")


def _text(text: str, piece: Piece) -> Json:
    """What is answered is quoted by the token that came with it, which stands in its name (see inbound.names)."""
    _, _, quote_token = (piece.reply_to or "").partition(":")
    return {"type": "text", "text": text, **({"quoteToken": quote_token} if quote_token else {})}


def _file(file: Media, address: str) -> Json:
    """LINE takes files by address. A picture that needs no smaller one beside it is shown; a film would need its picture, a
    sound its length, and other files it has not: they go as the address, to be opened.
    """
    if file.media == "image" and file.mime_type in SHOWN and file.size is not None and file.size <= PREVIEW:
        return {"type": "image", "originalContentUrl": address, "previewImageUrl": address}
    return {"type": "text", "text": "\n".join(filter(None, (file.name, address)))}


def _item(option: Option) -> Json:
    """`displayText`: what was pressed stands in the chat as the person's words, and comes to us as a postback alone."""
    if option.url:
        return {"type": "action", "action": {"type": "uri", "label": option.title, "uri": option.url}}
    pressed = {"type": "postback", "label": option.title, "data": option.id, "displayText": option.title}
    return {"type": "action", "action": pressed}


def _location(place: Location) -> Json:
    where = f"{place.latitude}, {place.longitude}"
    name, address = place.name or place.address or where, place.address or place.name or where
    return {
        "type": "location",
        "title": split(name, PLACE, "utf16")[0],
        "address": split(address, PLACE, "utf16")[0],
        "latitude": place.latitude,
        "longitude": place.longitude,
    }
