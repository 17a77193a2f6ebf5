"""How the Messenger Platform says no, for pages and for Instagram's accounts alike.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes (2026-06-25)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.contract.codes import Code
from shared.dialects.meta_errors import Number

CODES: Final[Mapping[Number, Code]] = {
    (10, 1404170): "refused",  # the page may not ask for permissions for a while
    (10, 1893015): "opted_out",
    (10, 1893063): "refused",  # the page may not send for a while
    (10, 2018065): "window_closed",
    (10, 2018108): "blocked",
    (10, 2018278): "window_closed",
    (10, 2534022): "window_closed",
    (100, 33): "bad_address",  # what is answered is gone; nobody has this number
    (100, 1893061): "refused",  # a tag of before 2026-04-27
    (100, 2018001): "bad_address",
    (100, 2018008): "malformed",  # a file that cannot be fetched, uploaded, used or shown
    (100, 2018047): "malformed",
    (100, 2018074): "malformed",
    (100, 2018294): "malformed",
    (100, 2018109): "too_long",
    (100, 2018218): "refused",  # no profile: the account was made with a phone number only
    (100, 2018247): "auth",  # the token may not see profiles, or not all that was asked for
    (100, 2534014): "bad_address",
    (100, 2534015): "malformed",
    (100, 2534025): "refused",  # not as a private reply
    (100, 2534029): "refused",  # the business is blocked
    (100, 2534037): "refused",  # another app owns the thread
    (200, 1545041): "blocked",
    (551, 0): "blocked",
    (613, 2018338): "throttled",
    (1200, 0): "unreachable",
    (2022, 0): "refused",
    (2018300, 0): "refused",  # another app controls the thread
    (2018321, 0): "throttled",  # until the person has gone through the automated questions
    (9000001, 0): "refused",  # the message answered was deleted
}
OF_ONE_PERSON: Final[frozenset[Number]] = frozenset({(613, 2018338), (2018321, 0)})
