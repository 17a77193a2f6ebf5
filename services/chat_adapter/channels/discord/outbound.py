"""A piece as Discord takes it — https://docs.discord.com/developers/resources/message#create-message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from services.chat_adapter.channels.discord import places
from shared.contract.channel import Blob, Field, Form, Piece, SendFailed
from shared.contract.envelope import Choices, Media, Option, Part, Text
from shared.contract.text import measure

Json = dict[str, Any]

TEXT: Final = 2000
FILES: Final = 10
ROW, ROWS, LABEL, ID = 5, 5, 80, 100  # …/components/reference#action-row, …#button
BUTTON, GREY, LINK = 2, 2, 5
NOBODY: Final[Mapping[str, Any]] = {"parse": [], "replied_user": False}  # …/message#allowed-mentions-object
# What Discord would take for its Markdown, but not within an address: …/developers/reference#message-formatting
ADDRESS: Final = re.compile(r"(https?://\S+)")
MARKS: Final = re.compile(r"[\\*_~`|<\[]|^(?:>|#{1,3}(?=\s)|-#(?=\s))", re.MULTILINE)


def compose(piece: Piece) -> Json:
    """Its words, what it answers, and the key by which it is known again."""
    message = {**words(piece.part), "nonce": places.nonce(piece.id, piece.to), "enforce_nonce": True}
    if piece.reply_to:
        message["message_reference"] = {"message_id": piece.reply_to, "fail_if_not_exists": False}
    return message


def so_far(piece: Piece) -> Json:
    """An answer that is not whole yet: its echo is no message."""
    return {**compose(piece), "nonce": places.growing(piece.id)}


def words(part: Part) -> Json:
    """Nobody is called by them."""
    match part:
        case Text(text=text):
            content: Json = {"content": escaped(text)}
        case Choices(text=text, options=options):
            rows = [options[at : at + ROW] for at in range(0, len(options), ROW)]
            buttons = [{"type": 1, "components": [_button(option) for option in row]} for row in rows]
            content = {"content": escaped(text), "components": buttons}
        case Media(caption=caption):
            content = {"content": escaped(caption)} if caption else {}
        case _:
            raise SendFailed("unsupported", f"Discord takes no {part.kind}")
    return {**content, "allowed_mentions": NOBODY}


def escaped(text: str) -> str:
    """Stars and underscores are what they are, as far as there is room for it."""
    pieces = ADDRESS.split(text)
    shown = "".join(one if at % 2 else MARKS.sub(r"\\\g<0>", one) for at, one in enumerate(pieces))
    return shown if measure(shown, "utf16") <= TEXT else text


def _button(option: Option) -> Json:
    does = {"style": LINK, "url": option.url} if option.url else {"style": GREY, "custom_id": option.id}
    return {"type": BUTTON, "label": option.title, **does}


def form(message: Json, sent: tuple[Media, ...]) -> Form:
    """https://docs.discord.com/developers/reference#uploading-files."""
    named = [{"id": number, "filename": file.name or "file"} for number, file in enumerate(sent)]
    told = orjson.dumps({**message, "attachments": named}).decode()
    return (
        Field("payload_json", told),
        *(Field(f"files[{number}]", Blob.of(file)) for number, file in enumerate(sent)),
    )
