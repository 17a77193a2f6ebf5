"""What a message to a bot holds — https://creators.viber.com/docs/bots-api/data-models/message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.contract.envelope import Choice, Contact, Location, Media, MediaKind, Part, Text, Unsupported
from shared.contract.mend import loads
from shared.contract.readable import otherwise

Json = dict[str, Any]

KINDS: Final[Mapping[str, MediaKind]] = {"picture": "image", "video": "video", "file": "file", "sticker": "sticker"}


def read_part(message: Any) -> Part:
    """By its type; one that is not known, or has another shape than its type, passes as unsupported, with its words."""
    kind = otherwise(lambda: Unsupported(type=message["type"]).type, "unsupported")
    words = otherwise(lambda: Text(text=message["text"]).text, None)
    read = _media if kind in KINDS else CONTENT.get(kind)
    other = Unsupported(type=kind, text=words)
    return otherwise(lambda: read(message), other) if read else other


def _text(message: Json) -> Part:
    """A button that was pressed comes as its id; what we asked lies beside it, as it was sent (see outbound.asked)."""
    words = message["text"]
    title = otherwise(lambda: loads(message["tracking_data"].encode())[words], None)
    return Choice(id=words, title=title) if isinstance(title, str) else Text(text=words)


def _media(message: Json) -> Part:
    return Media(
        media=KINDS[message["type"]],
        handle=message["media"],
        name=otherwise(lambda: Media(media="file", name=message["file_name"]).name, None),
        size=otherwise(lambda: Media(media="file", size=message["file_size"]).size, None),
        caption=otherwise(lambda: Text(text=message["text"]).text, None) or None,
    )


def _contact(message: Json) -> Part:
    phone = message["contact"]["phone_number"]
    return Contact(name=message["contact"].get("name") or phone, phones=(phone,))


CONTENT: Final[Mapping[str, Callable[[Json], Part]]] = {
    "text": _text,
    "url": lambda message: Text(text=message["media"]),
    "location": lambda message: Location(latitude=message["location"]["lat"], longitude=message["location"]["lon"]),
    "contact": _contact,
}
