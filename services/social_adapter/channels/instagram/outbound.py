"""Pieces as calls: of the Send API in private, of the comment's or the mention's edge in public.

https://developers.facebook.com/documentation/instagram-platform/instagram-api-with-instagram-login/messaging-api
https://developers.facebook.com/documentation/business-messaging/instagram-messaging/features/send-message
https://developers.facebook.com/documentation/instagram-platform/instagram-graph-api/reference/ig-comment/replies
https://developers.facebook.com/docs/instagram-api/reference/ig-user/mentions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import quote

from services.social_adapter.channels.instagram.places import kind_of, media_of
from shared.contract.channel import Piece, SendFailed
from shared.contract.envelope import PUBLIC, Choices, Media, Text
from shared.dialects.messenger.choices import offered

Json = dict[str, Any]
Link = Callable[[Media], str]


class Account(Protocol):
    @property
    def instagram_id(self) -> str: ...
    @property
    def node(self) -> str: ...


def is_public(piece: Piece) -> bool:
    return piece.surface in PUBLIC and piece.way != "private"


def compose(account: Account, piece: Piece, link: Link) -> tuple[str, Json]:
    """The path and the body of the call. Raises SendFailed for what Instagram does not take there."""
    place = kind_of(piece.to)
    if (place is None) != (piece.surface not in PUBLIC):
        raise SendFailed("bad_address", "this address is not of the place where the answer belongs")
    if not is_public(piece):
        return f"{account.node}/messages", _message(piece, link)
    words = {"message": piece.text}
    if place == "media":
        return f"{quoted(first(piece))}/replies", words
    if place == "mention":
        media = media_of(piece.to)
        comment = {"comment_id": first(piece)} if first(piece) != media else {}
        return f"{account.instagram_id}/mentions", {"media_id": media, **comment, **words}
    raise SendFailed("unsupported", "nobody is answered under a live video; answer in private while it lasts")


def first(piece: Piece) -> str:
    """The comment under which the answer will stand: the first one, also for an answer to an answer."""
    if target := piece.thread_key or piece.reply_to:
        return target
    raise SendFailed("bad_address", "an answer to a comment needs the comment; answer in its conversation")


def quoted(name: str) -> str:
    """A name as a part of an address."""
    return quote(name, safe="")


def _message(piece: Piece, link: Link) -> Json:
    tag = {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"} if piece.way == "human_agent" else {}
    answers = {"reply_to": {"mid": piece.reply_to}} if piece.reply_to and piece.way != "private" else {}
    return {"recipient": _recipient(piece), **tag, "message": _content(piece, link), **answers}


def _recipient(piece: Piece) -> Json:
    if piece.way != "private":
        return {"id": piece.to}
    if kind_of(piece.to) == "mention":
        raise SendFailed("unsupported", "only who writes under the account's own posts is answered in private")
    return {"comment_id": piece.reply_to or first(piece)}


def _content(piece: Piece, link: Link) -> Json:
    match piece.part:
        case Text(text=text):
            return {"text": text}
        case Choices() as choices:
            return offered(choices)
        case Media() as media if piece.attachments:
            return {"attachments": [_attachment(one, link) for one in (media, *piece.attachments)]}
        case Media() as media:
            return {"attachment": _attachment(media, link)}
    raise SendFailed("unsupported", f"Instagram takes no {piece.part.kind}")


def _attachment(media: Media, link: Link) -> Json:
    """By an address of ours, which Meta fetches at once."""
    return {"type": "image" if media.media == "sticker" else media.media, "payload": {"url": link(media)}}
