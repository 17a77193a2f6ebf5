"""What Facebook calls things, and what we call them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

# https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
SUBSCRIBED: Final = (
    "messages",
    "messaging_postbacks",
    "message_deliveries",
    "message_reads",
    "message_echoes",
    "message_reactions",
    "message_edits",
    "messaging_handovers",
    "messaging_referrals",
    "standby",
    "feed",
)

# https://developers.facebook.com/docs/graph-api/webhooks/reference/page#feed
POSTS: Final = frozenset({"album", "link", "note", "photo", "post", "share", "status", "video"})
REACTIONS: Final[Mapping[str, str]] = {
    "like": "👍",
    "love": "❤️",
    "care": "🤗",
    "haha": "😆",
    "wow": "😮",
    "sad": "😢",
    "angry": "😡",
    "pride": "🏳️‍🌈",
    "thankful": "🌸",
}

# https://developers.facebook.com/documentation/business-messaging/messenger-platform/identity/user-profile
NAMES: Final = ("name", "first_name", "last_name")
LOCALE: Final = ("locale", "timezone")  # each needs a permission of its own

MEGABYTE: Final = 1024 * 1024
BODY_BYTES: Final = (
    3 * MEGABYTE
)  # up to 1000 updates: https://developers.facebook.com/docs/graph-api/webhooks/getting-started
# https://developers.facebook.com/docs/messenger-platform/reference/send-api
TEXT: Final = 2000
METADATA: Final = 1000
# https://developers.facebook.com/docs/messenger-platform/reference/attachment-upload-api
ASSET_BYTES: Final = 25 * MEGABYTE
ASSET_KEPT: Final = timedelta(days=89)  # the id expires after 90
IMAGES: Final = frozenset({"image/jpeg", "image/png", "image/gif"})
# https://developers.facebook.com/docs/graph-api/reference/object/comments
COMMENT: Final = 8000
PHOTO_BYTES: Final = 4 * MEGABYTE
