"""What WhatsApp calls things, and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from shared.contract.codes import Status
from shared.contract.envelope import MediaKind

MEGABYTE: Final = 1024 * 1024

# What is asked for: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview
SUBSCRIBED: Final = ("messages", "smb_message_echoes", "calls", "standby", "messaging_handovers", "user_preferences")
# Changes that are read; user_id_update, that a person is called otherwise, came without being asked for.
FIELDS: Final = frozenset({*SUBSCRIBED, "user_id_update"})

KINDS: Final[Mapping[str, MediaKind]] = {
    "audio": "audio",
    "document": "file",
    "image": "image",
    "sticker": "sticker",
    "video": "video",
}

# https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status
STATUSES: Final[Mapping[str, Status]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "played": "read",
    "failed": "failed",
}


class Sends(NamedTuple):
    """A type of message that carries a file: how large it may be, and whether words go along."""

    type: str
    limit: int
    caption: bool = True


DOCUMENT: Final = Sends("document", 100 * MEGABYTE)
IMAGE: Final = Sends("image", 5 * MEGABYTE)
VIDEO: Final = Sends("video", 16 * MEGABYTE)
AUDIO: Final = Sends("audio", 16 * MEGABYTE, caption=False)
STICKER: Final = Sends("sticker", 500 * 1024, caption=False)

# https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media#supported-media-types; the rest are documents.
SENDS: Final[Mapping[tuple[MediaKind, str], Sends]] = {
    ("image", "image/jpeg"): IMAGE,
    ("image", "image/png"): IMAGE,
    ("video", "video/mp4"): VIDEO,
    ("video", "video/3gpp"): VIDEO,
    ("audio", "audio/aac"): AUDIO,
    ("audio", "audio/amr"): AUDIO,
    ("audio", "audio/mpeg"): AUDIO,
    ("audio", "audio/mp4"): AUDIO,
    ("audio", "audio/ogg"): AUDIO,
    ("sticker", "image/webp"): STICKER,
}
MEDIA_BYTES: Final = DOCUMENT.limit
MEDIA_LIVES: Final = timedelta(days=29)  # a day less than the 30 that uploads are kept

# https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/interactive-reply-buttons-messages
BUTTONS: Final = 3
BUTTON_TITLE: Final = 20
BUTTON_BODY: Final = 1024
# https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/interactive-list-messages
ROWS: Final = 10
ROW_DESCRIPTION: Final = 72
ROW_ID: Final = 200  # a button's may have 256, but by its length a question of buttons becomes a list
