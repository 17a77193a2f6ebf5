"""Pieces as posts and messages — https://docs.x.com/x-api/posts/create-post, …/direct-messages/manage/integrate."""

from __future__ import annotations

from typing import Any, Final

from services.social_adapter.channels.x.posts import LIKE
from shared.contract.channel import Piece, Refusal, SendFailed
from shared.contract.deliveries import Cost
from shared.contract.envelope import Media, Text
from shared.contract.weighted import links
from shared.dialects import likeness

Json = dict[str, Any]

POST: Final = 280
LONG_POST: Final = 25_000  # with X Premium: https://help.x.com/en/using-x/x-premium
MESSAGE: Final = 10_000
REACTIONS: Final = (LIKE,)

# X's own names: https://docs.x.com/x-api/getting-started/pricing#write-operations.
MODEL: Final = "pay-per-use"
PLAIN: Final = "Content: Create"
LINKED: Final = "Content: Create (with URL)"
DIRECT: Final = "DM Interaction: Create"


def is_public(piece: Piece) -> bool:
    return piece.surface == "comment"


def answered(piece: Piece) -> str:
    if piece.way == "private":
        raise Refusal("unsupported", "X has no private answer to a post")
    if target := piece.reply_to or piece.thread_key:
        return target
    raise SendFailed("bad_address", "an answer to a post needs the post; answer in its conversation")


def join_key(piece: Piece) -> str:
    """X takes no word of ours along: what comes back is known by where it stands and what it says."""
    return likeness.key(
        (piece.reply_to or piece.thread_key or "") if is_public(piece) else piece.to, likeness.words(piece)
    )


def post(piece: Piece, file: str | None) -> Json:
    shown = {"media": {"media_ids": [file]}} if file else {}
    return {**_words(piece), "reply": {"in_reply_to_tweet_id": answered(piece)}, **shown}


def message(piece: Piece, file: str | None) -> Json:
    if piece.surface != "direct":
        raise Refusal("unsupported", "what is said in a group of X Chat is encrypted; answer in the X app")
    return {**_words(piece), **({"attachments": [{"media_id": file}]} if file else {})}


def _words(piece: Piece) -> Json:
    match piece.part:
        case Text(text=text):
            return {"text": text}
        case Media(caption=caption):
            return {"text": caption} if caption else {}
    raise SendFailed("unsupported", f"X takes no {piece.part.kind}")


def cost(piece: Piece) -> Cost:
    """As the price list has it; only X's bill knows the sum."""
    linked = LINKED if links(likeness.words(piece)) else PLAIN
    return Cost(billable=True, category=linked if is_public(piece) else DIRECT, model=MODEL)
