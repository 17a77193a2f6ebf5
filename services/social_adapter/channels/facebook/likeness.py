"""By what a comment of ours is known when it comes back in the feed."""

from __future__ import annotations

from services.social_adapter.channels.facebook.outbound import is_public
from shared.contract.channel import Piece
from shared.dialects import likeness


def join_key(piece: Piece) -> str:
    """What goes through Messenger carries the piece's id in its metadata. The parent of a comment is the first comment, or
    the visitor's post: an answer to an answer stands under the first comment too.
    """
    if not is_public(piece):
        return piece.id
    return likeness.key(piece.thread_key or piece.reply_to or piece.to, likeness.words(piece))
