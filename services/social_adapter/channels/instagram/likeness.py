"""By what a message or a comment of ours is known when it comes back, where its own name is not known yet."""

from __future__ import annotations

from services.social_adapter.channels.instagram.outbound import is_public
from shared.contract.channel import Message, Piece
from shared.contract.envelope import Choices, Text
from shared.dialects import likeness


def join_key(piece: Piece) -> str:
    """Whom it goes to, or the comment under which it will stand, and its words."""
    to = piece.thread_key or piece.reply_to or piece.to if is_public(piece) else piece.to
    return likeness.key(to, likeness.words(piece))


def of_echo(echo: Message) -> str:
    words = (part.text for part in echo.parts if isinstance(part, Text | Choices))
    return likeness.key(echo.peer, next(words, ""))
