"""How Facebook says no: Messenger, private replies, comments."""

from __future__ import annotations

from typing import Final

from shared.dialects.messenger import errors
from shared.dialects.meta_errors import Refusals

# https://developers.facebook.com/docs/graph-api/reference/page/messages#error-codes
REFUSALS: Final = Refusals(
    {
        **errors.CODES,
        (10900, 0): "refused",  # one private reply to a comment, ever
        (10903, 0): "refused",
        (10904, 0): "refused",
    },
    of_one_person=errors.OF_ONE_PERSON,
)
