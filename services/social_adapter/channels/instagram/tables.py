"""What Instagram calls things, and its limits."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

# https://developers.facebook.com/documentation/instagram-platform/webhooks/fields (2026-10-28), with Instagram Login; mentions
# come among the comments there
SUBSCRIBED: Final = (
    "messages",
    "message_edit",
    "message_reactions",
    "messaging_postbacks",
    "messaging_referral",
    "messaging_seen",
    "comments",
    "live_comments",
)
# The app's dashboard sends its samples as changes of these: https://developers.facebook.com/docs/graph-api/webhooks/reference/instagram
MESSAGING: Final = frozenset(
    {
        "message_edit",
        "message_reactions",
        "messages",
        "messaging_handover",
        "messaging_optins",
        "messaging_postbacks",
        "messaging_referral",
        "messaging_seen",
        "standby",
    }
)
QUIET: Final = frozenset({"story_insights"})  # counts of who has seen what: nobody has said anything

MEGABYTE: Final = 1024 * 1024
BODY_BYTES: Final = (
    3 * MEGABYTE
)  # up to 1000 updates: https://developers.facebook.com/documentation/instagram-platform/webhooks/setup
# https://developers.facebook.com/documentation/instagram-platform/instagram-api-with-instagram-login/messaging-api (2026-09-11)
TEXT: Final = 1000
ALBUM: Final = 10
MEDIA_BYTES: Final = 25 * MEGABYTE
COMMENT: Final = 2200  # no page of Meta's says it; the app of Instagram itself takes no more
# How long a live video can be, while which who writes under it can be answered in private:
# https://help.instagram.com/292478487812558
LIVE: Final = timedelta(hours=4)
# A token is not refreshed within its first day: https://developers.facebook.com/documentation/instagram-platform/reference/refresh_access_token
PROBATION: Final = timedelta(hours=37)  # two thirds of it, after which it is asked for, are more than a day
