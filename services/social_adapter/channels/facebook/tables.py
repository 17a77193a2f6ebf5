"""What Facebook calls things, and what we call them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from shared.contract.envelope import MediaKind

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

# https://developers.facebook.com/documentation/business-messaging/messenger-platform/policy (2026-09-28): "for most user
# actions"; after an advertisement it "may last up to 7 days", and nothing tells an app whether it does.
STANDARD_WINDOW: Final = timedelta(hours=24)
HUMAN_AGENT_WINDOW: Final = timedelta(days=7)
# https://developers.facebook.com/docs/messenger-platform/discovery/private-replies
PRIVATE_REPLY_WINDOW: Final = timedelta(days=7)

# What happened around a thread, but was not said by the customer: a link followed, a permission given, another app's turn.
# Each is a notice.
NOT_MESSAGES: Final = frozenset(
    {
        "account_linking",
        "app_roles",
        "message_context",
        "messaging_customer_information",
        "optin",
        "pass_thread_control",
        "policy_enforcement",
        "referral",
        "request_thread_control",
        "take_thread_control",
    }
)
ABOUT_EVENT: Final = frozenset({"sender", "recipient", "timestamp", "prior_message", "hop_context", "is_standby"})

# https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/messages
FILES: Final[Mapping[str, MediaKind]] = {
    "image": "image",
    "audio": "audio",
    "video": "video",
    "file": "file",
    "sticker": "sticker",
}

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
QUICK_REPLIES: Final = 13
TITLE: Final = 20
PAYLOAD: Final = 1000
# https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/template/button
BUTTONS: Final = 3
BUTTON_TEXT: Final = 640
# https://developers.facebook.com/docs/messenger-platform/reference/attachment-upload-api
ASSET_BYTES: Final = 25 * MEGABYTE
ASSET_KEPT: Final = timedelta(days=89)  # the id expires after 90
IMAGES: Final = frozenset({"image/jpeg", "image/png", "image/gif"})
# https://developers.facebook.com/docs/graph-api/reference/object/comments
COMMENT: Final = 8000
PHOTO_BYTES: Final = 4 * MEGABYTE
