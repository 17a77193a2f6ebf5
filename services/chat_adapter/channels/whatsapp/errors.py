"""How WhatsApp says no — https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes."""

from __future__ import annotations

from typing import Final

from shared.dialects.meta_errors import Refusals

REFUSALS: Final = Refusals(
    {
        (0, 0): "auth",
        (33, 0): "auth",  # a number of ours that is gone
        (368, 0): "refused",
        (80007, 0): "throttled",
        (130429, 0): "throttled",
        (130472, 0): "refused",
        (130497, 0): "refused",
        (131000, 0): "unreachable",
        (131005, 0): "auth",
        (131008, 0): "malformed",
        (131009, 0): "malformed",
        (131016, 0): "unreachable",
        (131021, 0): "bad_address",
        (131026, 0): "bad_address",
        (131030, 0): "refused",  # of a number for tests, who may be written to is on a list
        (131031, 0): "auth",
        (131037, 0): "auth",
        (131042, 0): "refused",
        (131045, 0): "auth",
        (131047, 0): "window_closed",
        (131048, 0): "refused",
        (131049, 0): "refused",
        (131050, 0): "opted_out",
        (131051, 0): "unsupported",
        (131052, 0): "malformed",
        (131053, 0): "malformed",
        (131056, 0): "throttled",
        (131057, 0): "throttled",  # the number is being moved: nothing was taken
        (131062, 0): "unsupported",
        (132005, 0): "too_long",
        (133004, 0): "unreachable",
        (133010, 0): "auth",
        (133016, 0): "throttled",
    },
    of_one_person=frozenset({(131056, 0)}),
)
