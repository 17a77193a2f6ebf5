"""A piece as LINE takes it — https://developers.line.biz/en/reference/messaging-api/#message-objects."""

from __future__ import annotations

from typing import Any, Final

from shared.contract.channel import Piece, SendFailed
from shared.contract.envelope import Choices, Location, Option, Text
from shared.contract.text import split

Json = dict[str, Any]

TEXT: Final = 5000  # UTF-16 units: …/messaging-api/#text-message
QUICK_REPLIES: Final = 13  # …/messaging-api/#items-object
LABEL: Final = 20  # graphemes, of which a text has no more than units: …/docs/messaging-api/text-character-count/
POSTBACK: Final = 300  # …/messaging-api/#postback-action
PLACE: Final = 100  # of a location's title and address, both of which must be there: …/messaging-api/#location-message


def compose(piece: Piece) -> Json:
    match piece.part:
        case Text(text=text):
            return _text(text, piece)
        case Choices(text=text, options=options):
            return {**_text(text, piece), "quickReply": {"items": [_item(option) for option in options]}}
        case Location() as place:
            return _location(place)
    raise SendFailed("unsupported", f"LINE takes no {piece.part.kind}")


def _text(text: str, piece: Piece) -> Json:
    """What is answered is quoted by the token that came with it, which stands in its name (see inbound.names)."""
    _, _, token = (piece.reply_to or "").partition(":")
    return {"type": "text", "text": text, **({"quoteToken": token} if token else {})}


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
