"""What the Messenger Platform calls things, and its limits that hold for pages and Instagram's accounts alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from shared.contract.envelope import MediaKind

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
ABOUT_EVENT: Final = frozenset(
    {"sender", "recipient", "timestamp", "prior_message", "hop_context", "is_self", "is_standby"}
)

# https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/messages
FILES: Final[Mapping[str, MediaKind]] = {
    "image": "image",
    "audio": "audio",
    "video": "video",
    "file": "file",
    "sticker": "sticker",
}

# https://developers.facebook.com/documentation/business-messaging/instagram-messaging/features/quick-replies
QUICK_REPLIES: Final = 13
TITLE: Final = 20
PAYLOAD: Final = 1000
# https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/template/button
BUTTONS: Final = 3
BUTTON_TEXT: Final = 640
