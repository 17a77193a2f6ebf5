"""What a LINE message holds — https://developers.line.biz/en/reference/messaging-api/#message-event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from shared.contract.envelope import Choice, Location, Media, MediaKind, Part, Text, Unsupported
from shared.contract.readable import otherwise

Json = dict[str, Any]

KINDS: Final[Mapping[str, MediaKind]] = {"image": "image", "video": "video", "audio": "audio", "file": "file"}
# Where LINE's own pages and apps have the pictures of stickers; its API gives none (…/docs/messaging-api/sticker-list/).
STICKERS: Final = "https://stickershop.line-scdn.net/stickershop/v1/sticker/{}/android/sticker.png"


def read_part(message: Json) -> Part:
    """By its type; one that is not known, or has another shape than its type, passes as unsupported, with its words."""
    kind = otherwise(lambda: Unsupported(type=message["type"]).type, "unsupported")
    read = _media if kind in KINDS else CONTENT.get(kind, _other)
    return otherwise(lambda: read(message), otherwise(lambda: _other(message), Unsupported(type=kind)))


def _text(message: Json) -> Part:
    """LINE's own emoji and mentions stand in the words as people read them: (hello), @Dara."""
    return Text(text=message["text"])


def _media(message: Json) -> Part:
    """The handle is the message's id; or the address at which whoever sent it keeps the file."""
    return Media(
        media=KINDS[message["type"]],
        handle=otherwise(lambda: _elsewhere(message["contentProvider"]), None) or message["id"],
        name=_words(message, "fileName"),
        size=otherwise(lambda: Media(media="file", size=message.get("fileSize")).size, None),
    )


def _elsewhere(provider: Json) -> str | None:
    if provider["type"] != "external":
        return None
    address: str = provider["originalContentUrl"]
    return address if address.startswith(("https://", "http://")) else None


def _sticker(message: Json) -> Part:
    """`text`: what the person wrote on it."""
    return Media(
        media="sticker",
        handle=STICKERS.format(quote(message["stickerId"], safe="")),
        mime_type="image/png",
        caption=_words(message, "text"),
    )


def _location(message: Json) -> Part:
    return Location(
        latitude=message["latitude"],
        longitude=message["longitude"],
        name=_words(message, "title"),
        address=_words(message, "address"),
    )


def _other(message: Json) -> Part:
    return Unsupported(type=message["type"], text=_words(message, "text"))


def _words(message: Json, field: str) -> str | None:
    """What may be absent; where it is no text, it takes nothing along."""
    return otherwise(lambda: Text(text=message[field]).text, None)


def read_press(postback: Json) -> Part:
    """A button: its data, and the time that was picked. LINE does not say in which message it stood."""
    picked = otherwise(lambda: _picked(postback["params"]), None)
    return Choice(id=postback["data"], title=picked if isinstance(picked, str) else None)


def _picked(params: Json) -> Any:
    return next((params[name] for name in PICKED if name in params), None)


PICKED: Final = ("datetime", "date", "time")  # …/messaging-api/#postback-params-object-for-datetime-selection-action
CONTENT: Final[Mapping[str, Callable[[Json], Part]]] = {"text": _text, "sticker": _sticker, "location": _location}
