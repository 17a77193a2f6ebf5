"""How Instagram says no: its messages, private answers and comments."""

from __future__ import annotations

from typing import Final

from shared.dialects.messenger import errors
from shared.dialects.meta_errors import Refusals

# https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
REFUSALS: Final = Refusals(
    {
        **errors.CODES,
        (100, 2534068): "refused",  # several pictures in one send: not at this account
        (230, 0): "refused",  # who has not written in private is not told of
        (200, 2534041): "auth",  # the account's owner has shut its messages off from apps ("connected tools")
        (613, 2534040): "throttled",
        (10900, 0): "refused",  # one private answer to a comment, ever
        (10903, 0): "refused",
        (10904, 0): "refused",
    },
    of_one_person=errors.OF_ONE_PERSON,
)
