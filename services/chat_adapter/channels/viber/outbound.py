"""A piece as Viber takes it — https://creators.viber.com/docs/bots-api/data-models/message."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from html import escape
from pathlib import PurePath
from typing import Any, Final

import orjson

from shared.contract.channel import Piece, SendFailed
from shared.contract.envelope import Choices, Location, Media, Text
from shared.contract.fit import where

Json = dict[str, Any]

TEXT: Final = 7000  # characters: …/data-models/message#text-message
SENDER: Final = 28
PICTURE_BYTES: Final = 1024 * 1024  # on iOS; on Android 3 MB: …#picture-message
PICTURES: Final = {"image/jpeg": "picture.jpeg", "image/png": "picture.png"}
VIDEO_BYTES: Final = 26 * 1024 * 1024  # …#video-message
FILE_BYTES: Final = 50 * 1024 * 1024  # …#file-message
NAME: Final = 256

# A keyboard has 12 rows (https://developers.viber.com/docs/faq/), and what we asked must fit into the 4,000 of `tracking_data`.
OPTIONS: Final = 12
TITLE: Final = 100  # of 250
ID: Final = 200


def compose(piece: Piece, sender: str, link: Callable[[Media], str]) -> Json:
    return {"receiver": piece.to, "sender": {"name": sender}, **_content(piece, link)}


def _content(piece: Piece, link: Callable[[Media], str]) -> Json:
    match piece.part:
        case Text(text=text):
            return {"type": "text", "text": text}
        case Choices() as question:
            return {"type": "text", "text": question.text, **_asked(question)}
        case Location() as place:
            return _location(place)
        case Media() as file:
            return _file(file, link(file))
    raise SendFailed("unsupported", f"Viber takes no {piece.part.kind}")


def _asked(question: Choices) -> Json:
    """`ActionBody` comes back as a text, while the chat shows `Text`; `tracking_data` comes with it, by which a press is
    told from words: https://developers.viber.com/docs/tools/keyboards/#reply-logic. `Text` is HTML.
    """
    buttons = [
        {"ActionType": "reply", "ActionBody": option.id, "Text": escape(option.title, quote=False)}
        for option in question.options
    ]
    asked = orjson.dumps({option.id: option.title for option in question.options}).decode()
    return {"keyboard": {"Type": "keyboard", "Buttons": buttons}, "tracking_data": asked}


def _location(place: Location) -> Json:
    """A pin has no words: a place that has a name goes as words."""
    if place.name or place.address:
        return {"type": "text", "text": where(place)}
    return {"type": "location", "location": {"lat": place.latitude, "lon": place.longitude}}


def _file(file: Media, address: str) -> Json:
    """Viber goes by how the address ends, and by the size that it is told; a file whose size nobody knows goes as a link."""
    if file.size is None:
        return {"type": "url", "media": address}
    if file.media == "image" and file.mime_type in PICTURES and file.size <= PICTURE_BYTES:
        return {"type": "picture", "text": "", "media": f"{address}/{PICTURES[file.mime_type]}"}
    if file.media == "video" and file.mime_type == "video/mp4" and file.size <= VIDEO_BYTES:
        return {"type": "video", "media": f"{address}/video.mp4", "size": file.size}
    ending = _ending(file)
    name = file.name if file.name and file.name.endswith(ending) else f"{file.name or 'file'}{ending}"
    return {"type": "file", "media": f"{address}/file{ending}", "size": file.size, "file_name": name[-NAME:]}


def _ending(file: Media) -> str:
    """Of its name, where it has one in Latin letters, else of its type. Viber takes no .bin (…#forbidden-file-formats)."""
    ending = PurePath(file.name or "").suffix
    if ending.isascii() and ending[1:].isalnum():
        return ending
    guessed = mimetypes.guess_extension(file.mime_type or "")
    return guessed if guessed and guessed != ".bin" else ".dat"
