"""By what a comment of ours is known when it comes back: it carries no name of ours, only its place and its words."""

from __future__ import annotations

import hashlib
import unicodedata

from services.social_adapter.channels.facebook.outbound import is_public
from shared.contract.channel import Piece
from shared.contract.envelope import Media, Text


def join_key(piece: Piece) -> str:
    """What goes through Messenger carries the piece's id in its metadata."""
    return key(piece.thread_key or piece.reply_to or piece.to, _words(piece)) if is_public(piece) else piece.id


def key(parent: str, words: str) -> str:
    """The same for what was sent under `parent` and for what the feed tells of it; equal comments share it.

    The parent is the first comment, or the visitor's post: an answer to an answer stands under the first comment too.
    Space is not compared, since Facebook takes some of it away.
    """
    plain = " ".join(unicodedata.normalize("NFC", words).split())
    return f"{parent}/{hashlib.sha256(plain.encode(errors='surrogatepass')).hexdigest()[:32]}"


def _words(piece: Piece) -> str:
    match piece.part:
        case Text(text=text):
            return text
        case Media(caption=caption):
            return caption or ""
    return ""
