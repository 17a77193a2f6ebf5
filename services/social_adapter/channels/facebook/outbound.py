"""Pieces as calls of the Send API and of the comments edge.

https://developers.facebook.com/docs/messenger-platform/reference/send-api
https://developers.facebook.com/docs/graph-api/reference/object/comments
"""

from __future__ import annotations

from typing import Any

import orjson

from services.social_adapter.channels.facebook import metadata
from services.social_adapter.channels.facebook.tables import IMAGES
from shared.contract.channel import Blob, Field, Form, Piece, SendFailed
from shared.contract.envelope import PUBLIC, Choices, Media, Template, Text
from shared.dialects import meta
from shared.dialects.messenger.choices import offered

Json = dict[str, Any]


def is_public(piece: Piece) -> bool:
    return piece.surface in PUBLIC and piece.way != "private"


def answered(piece: Piece) -> str:
    """The comment, or the visitor's post, that a public or private reply goes to."""
    if target := piece.reply_to or piece.thread_key:
        return target
    raise SendFailed("bad_address", "a reply to a comment needs the comment; answer in its conversation")


def comment(piece: Piece) -> Json | Form:
    match piece.part:
        case Text(text=text):
            return {"message": text}
        case Media(media="image") as photo:
            caption = (Field("message", photo.caption),) if photo.caption else ()
            return (*caption, Field("source", Blob.of(photo)))
    raise SendFailed("unsupported", f"a comment takes no {piece.part.kind}")


def message(piece: Piece) -> Json:
    sent: Json = {
        "recipient": _recipient(piece),
        **_allowed_by(piece),
        "message": {**_content(piece), "metadata": metadata.write(piece)},
    }
    if piece.reply_to and piece.way != "private":
        sent["reply_to"] = {"mid": piece.reply_to}
    return sent


def _recipient(piece: Piece) -> Json:
    if piece.way != "private":
        return {"id": piece.to}
    target = answered(piece)
    return {"post_id" if target == piece.to else "comment_id": target}


def _allowed_by(piece: Piece) -> Json:
    """What Facebook is told of why it may be sent; HUMAN_AGENT is the one tag that is left since 2026-04-27."""
    if isinstance(piece.part, Template):
        return {"messaging_type": "UTILITY"}
    if piece.way == "human_agent":
        return {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
    return {"messaging_type": "RESPONSE"}


def _content(piece: Piece) -> Json:
    """https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/utility-messages."""
    match piece.part:
        case Template() as template:
            return {"template": {"components": [], **meta.template(template)}}
        case Text(text=text):
            return {"text": text}
        case Choices() as choices:
            return offered(choices)
        case Media() as media if piece.handle:
            return {"attachment": {"type": asset_type(media), "payload": {"attachment_id": piece.handle}}}
        case Media():
            raise SendFailed("malformed", "the file was not uploaded")
    raise SendFailed("unsupported", f"Messenger takes no {piece.part.kind}")


def asset(media: Media) -> Form:
    """https://developers.facebook.com/docs/messenger-platform/reference/attachment-upload-api."""
    attachment = {"type": asset_type(media), "payload": {"is_reusable": True}}
    described = orjson.dumps({"attachment": attachment}).decode()
    return Field("message", described), Field("filedata", Blob.of(media))


def asset_type(media: Media) -> str:
    """Messenger shows three forms of images, and plays what says that it is sound or film; all else is a file."""
    mime_type = (media.mime_type or "").partition(";")[0].strip().lower()
    if media.media in {"image", "sticker"} and mime_type in IMAGES:
        return "image"
    if media.media in {"audio", "video"} and mime_type.startswith(f"{media.media}/"):
        return media.media
    return "file"
