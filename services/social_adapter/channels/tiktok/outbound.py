"""Pieces as messages and as answers to comments.

https://business-api.tiktok.com/portal/docs?id=1832184403754242, …/docs?id=1762228448779266
"""

from __future__ import annotations

from typing import Any, Final

from services.social_adapter.channels.tiktok.comments import video_of
from services.social_adapter.channels.tiktok.messages import ELSEWHERE
from shared.contract.channel import Piece, Refusal, SendFailed
from shared.contract.envelope import PUBLIC, Choices, Media, Surface, Text
from shared.dialects import likeness

Json = dict[str, Any]

TEXT: Final = 6000
QUESTION: Final = 40
BUTTONS: Final = 3
BUTTON: Final = 20
BUTTON_ID: Final = 40
COMMENT: Final = 1200  # 150 before August 2026
LIKE: Final = "❤️"
SEND: Final = "business/message/send"
ANSWER: Final = "business/comment/reply/create"


def join_key(piece: Piece) -> str:
    """TikTok takes no word of ours along: what comes back is known by where it stands and what it says."""
    where = (piece.thread_key or "") if piece.surface in PUBLIC else piece.to
    return likeness.key(where, likeness.words(piece))


def video(to: str, surface: Surface) -> str | None:
    """Under which it stands; None: in a private conversation. Raises SendFailed where address and surface do not fit together."""
    found = video_of(to)
    if to.startswith(ELSEWHERE):
        raise SendFailed(
            "bad_address",
            "TikTok does not tell apps who wrote from the EEA, Switzerland or the United Kingdom; answer in the TikTok app",
        )
    if (found is None) != (surface not in PUBLIC):
        raise SendFailed("bad_address", "this address is not of the place where the answer belongs")
    return found


def message(piece: Piece) -> Json:
    answers = {"referenced_message_info": {"referenced_message_id": piece.reply_to}} if piece.reply_to else {}
    match piece.part:
        case Text(text=text):
            return {**conversation(piece.to), "message_type": "TEXT", "text": {"body": text}, **answers}
        case Choices(text=text, options=options):
            buttons = [{"type": "REPLY", "title": one.title, "id": one.id} for one in options]
            card = {"type": "QA_BUTTON_CARD", "title": text, "buttons": buttons}
            return {**conversation(piece.to), "message_type": "TEMPLATE", "template": card}
        case Media(media="image"):
            return {**conversation(piece.to), "message_type": "IMAGE", "image": {"media_id": piece.handle}}
    raise SendFailed("unsupported", f"TikTok takes no {piece.part.kind}")


def conversation(name: str) -> Json:
    return {"recipient_type": "CONVERSATION", "recipient": name}


def action(name: str, what: str) -> Json:
    """What is shown and not said."""
    return {**conversation(name), "message_type": "SENDER_ACTION", "sender_action": what}


def comment(piece: Piece, under: str) -> Json:
    """An answer stands under the first comment, also one to an answer."""
    if piece.way == "private":
        raise Refusal("unsupported", "a comment is answered in public; who wrote it can be asked to write a message")
    if piece.thread_key is None:
        raise SendFailed("bad_address", "an answer to a comment needs the comment; answer in its conversation")
    return {"video_id": under, "comment_id": piece.thread_key, "text": piece.text}
