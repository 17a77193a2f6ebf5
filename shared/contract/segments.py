"""What a text costs as an SMS: segments of 140 bytes, in GSM 7-bit letters where it has no others, else in UCS-2."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, takewhile
from typing import Final

# 3GPP TS 23.038 §6.2.1 and §6.2.1.1: the alphabet, and what takes an escape before it.
BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED: Final = frozenset("\f^{}\\[~]|€")
GSM: Final = BASIC | EXTENDED
# Letters of one segment alone, and of each of several, whose headers take six bytes (TS 23.040 §9.2.3.24.1).
SEPTETS: Final = (160, 153)
UNITS: Final = (70, 67)  # of UTF-16: a surrogate pair is two, and never parted


def segments(text: str) -> int:
    """How many the text takes; none where it is empty."""
    gsm = GSM.issuperset(text)
    widths, (alone, each) = (_septets(text), SEPTETS) if gsm else (_units(text), UNITS)
    *_, length = accumulate(widths, initial=0)
    return min(length, 1) if length <= alone else _packed(widths, each)[-1]


def reach(text: str, limit: int) -> int:
    """How many characters from the text's beginning fit into so many segments."""
    plain = sum(1 for _ in takewhile(GSM.__contains__, text[: limit * SEPTETS[0]]))
    septets = _fitting(_septets(text[:plain]), SEPTETS, limit)
    return septets if septets < plain else max(plain, _fitting(_units(text[: limit * UNITS[0]]), UNITS, limit))


def _fitting(widths: list[int], room: tuple[int, int], limit: int) -> int:
    """How many letters of these widths fit: together into one segment, or packed into several."""
    alone, each = room
    together = sum(1 for _ in takewhile(lambda length: length <= alone, accumulate(widths)))
    several = sum(1 for _ in takewhile(lambda number: number <= limit, _packed(widths, each))) if limit > 1 else 0
    return max(together, several)


def _packed(widths: Iterable[int], each: int) -> list[int]:
    """In which segment each letter stands; one that does not fit into what is left begins the next."""
    number, left, found = 1, each, []
    for width in widths:
        if width > left:
            number, left = number + 1, each
        left -= width
        found.append(number)
    return found


def _septets(text: str) -> list[int]:
    return [2 if letter in EXTENDED else 1 for letter in text]


def _units(text: str) -> list[int]:
    return [2 if letter > "\uffff" else 1 for letter in text]
