"""By what something of ours is known when it comes back: it carries no name of ours, only its place and its words."""

from __future__ import annotations

import hashlib
import unicodedata

from shared.contract.channel import Piece
from shared.contract.envelope import Choices, Media, Text


def key(parent: str, words: str) -> str:
    """The same for what was sent under `parent` and for what the provider tells of it; equal comments share it.

    Space is not compared, since providers take some of it away.
    """
    plain = " ".join(unicodedata.normalize("NFC", words).split())
    return f"{parent}/{hashlib.sha256(plain.encode(errors='surrogatepass')).hexdigest()[:32]}"


def words(piece: Piece) -> str:
    match piece.part:
        case Text(text=text) | Choices(text=text):
            return text
        case Media(caption=caption):
            return caption or ""
    return ""
