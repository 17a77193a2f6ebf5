"""A piece as Apple takes it — https://register.apple.com/resources/messages/msp-rest-api/messages-sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

from shared.contract.channel import Piece, SendFailed
from shared.contract.envelope import Choices, Media, Option, Text
from shared.contract.text import split

Json = dict[str, Any]

# Apple names no limits for these: what people can still read on a phone.
TEXT: Final = 3000
TITLE: Final = 85
OPTIONS: Final = 30
FILES: Final = 10
QUICK: Final = range(2, 6)  # options of a quick reply: …/msp-rest-api/type-interactive#quick-reply-message
FILE: Final = "\ufffc"  # stands in the words where a file is shown
BID: Final = (
    "com.apple.messages.MSMessageExtensionBalloonPlugin:0000000000:com.apple.icloud.apps.messages.business.extension"
)


def compose(piece: Piece) -> Json:
    match piece.part:
        case Text(text=text):
            return _text(text, piece.attachments, piece.handles)
        case Media() as media:
            return _text("", (media, *piece.attachments), (piece.handle, *piece.handles))
        case Choices() as question:
            return _question(question, piece)
    raise SendFailed("unsupported", f"Apple takes no {piece.part.kind}")


def _text(text: str, files: tuple[Media, ...], handles: Iterable[str | None]) -> Json:
    if not files:
        return {"type": "text", "body": text}
    attachments = [_attachment(file, handle) for file, handle in zip(files, handles, strict=True)]
    return {"type": "text", "body": text + FILE * len(files), "attachments": attachments}


def _attachment(media: Media, handle: str | None) -> Json:
    if handle is None:
        raise SendFailed("malformed", "the file was not uploaded")
    about = {"name": media.name or media.media, "mimeType": media.mime_type or "application/octet-stream"}
    return {**about, **dict(parse_qsl(handle))}


def _question(question: Choices, piece: Piece) -> Json:
    """As the person's device can show it, which says so with every message (`capability-list`); a list where it has not yet."""
    shows = (piece.route or "LIST").split(",")
    plain = not any(option.description for option in question.options)
    if "QUICK" in shows and question.style != "list" and plain and len(question.options) in QUICK:
        return _interactive(piece, {"quick-reply": {"summaryText": question.text, "items": _items(question.options)}})
    if "LIST" in shows:
        return _picker(question, piece)
    lines = (f"{number}. {option.title}" for number, option in enumerate(question.options, 1))
    return {"type": "text", "body": "\n".join((question.text, "", *lines))}


def _picker(question: Choices, piece: Piece) -> Json:
    """…/msp-rest-api/type-interactive#list-picker-message. What the bubble's title does not hold stands under it."""
    title, *rest = split(question.text, TITLE, "code_points")
    bubble = {"style": "icon", "title": title}
    items = [
        {
            **item,
            "order": number,
            "style": "default",
            **({"subtitle": option.description} if option.description else {}),
        }
        for number, (item, option) in enumerate(zip(_items(question.options), question.options, strict=True))
    ]
    sections = [{"title": title, "order": 0, "multipleSelection": False, "items": items}]
    received = {**bubble, "subtitle": " ".join(rest)} if rest else bubble
    return _interactive(piece, {"listPicker": {"sections": sections}}, receivedMessage=received, replyMessage=bubble)


def _items(options: Iterable[Option]) -> list[Json]:
    return [{"identifier": option.id, "title": option.title} for option in options]


def _interactive(piece: Piece, data: Json, **bubbles: Json) -> Json:
    """`requestIdentifier` comes back with what is picked: it is the message's id."""
    about = {"version": "1.0", "requestIdentifier": piece.id}
    return {"type": "interactive", "interactiveData": {"bid": BID, "data": {**about, **data}, **bubbles}}
