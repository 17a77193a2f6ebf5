"""What a text weighs on X: letters one or two, an emoji two, a link 23, by twitter-text's configuration v3.

https://docs.x.com/fundamentals/counting-characters, https://github.com/twitter/twitter-text/tree/master/config. Which words are
links, X decides by a list of domains that changes; what looks like one counts as one, so that we never count less.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate
from typing import Final

LINK: Final = 23
LEAST: Final = 2 * LINK  # of a limit, so that a piece that begins within a link holds something
LIGHT: Final = ((0, 0x10FF), (0x2000, 0x200D), (0x2010, 0x201F), (0x2032, 0x2037))  # one; all others two

_ONE = (
    "(?:[\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf\u2934\u2935\u2b05-\u2b55"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001faff]|[\u00a9\u00ae](?=\ufe0f))"
    "[\ufe0f\U0001f3fb-\U0001f3ff]?"
)
_EMOJI = (
    "[#*0-9]\ufe0f?\u20e3|[\U0001f1e6-\U0001f1ff]{2}|\U0001f3f4[\U000e0030-\U000e007a]+\U000e007f"
    f"|{_ONE}(?:\u200d{_ONE}){{0,3}}"
)
# With https:// before it, the link is one whole; without, what is longer than it would count anyway is counted as letters.
_WHOLE = (
    r"(?<![A-Za-z0-9@$#])https?://[A-Za-z0-9.-]*[A-Za-z0-9]\.[A-Za-z]{2,63}(?![A-Za-z0-9-])(?::[0-9]{1,5})?"
    r"(?:/(?:[A-Za-z0-9!*';:=+,.$/%#_~@|&-]*[A-Za-z0-9=_#/-])?)?(?:\?[A-Za-z0-9!*';:=+,.$/%#_~@|&?-]*[A-Za-z0-9_&=#/-])?"
)
_BARE = r"(?<![A-Za-z0-9.-])[A-Za-z0-9.-]*[A-Za-z0-9]\.[A-Za-z]{2}[A-Za-z0-9.-]*"
HEAVY: Final = re.compile(f"(?P<whole>{_WHOLE})|(?P<bare>{_BARE})|(?P<emoji>{_EMOJI})", re.ASCII | re.IGNORECASE)

MARKED: Final = re.compile("[!-~](?=[\u0300-\u036f])")  # NFC makes one letter of the two, which is none of a link's

Span = tuple[int, int, int]  # from, to, weight


def weight(text: str) -> int:
    plain = unicodedata.normalize("NFC", text)
    return sum(map(_letter, plain)) + sum(heavy - sum(map(_letter, plain[a:b])) for a, b, heavy in _spans(plain))


def links(text: str) -> list[tuple[int, int]]:
    """Where nothing may be cut: a part of a link weighs otherwise than its share."""
    return [(start, end) for start, end, heavy in _spans(_composed(text)) if heavy >= LINK]


def reach(text: str, limit: int) -> Callable[[int], int]:
    """A function from where a piece begins to the furthest offset at which it surely still fits.

    A letter is counted by itself here, which is never less than what it weighs beside others (NFC).
    """
    costs, spans = list(map(_letter, text)), _spans(_composed(text))
    for start, end, heavy in spans:
        room = heavy - (end - start) if heavy > LINK else heavy - 1
        costs[start:end] = [1 + max(room, 0), *([1 if heavy > LINK else 0] * (end - start - 1))]
    total, begins = [0, *accumulate(costs)], [start for start, _, _ in spans]

    def furthest(start: int) -> int:
        at = bisect_left(begins, start) - 1
        within = at >= 0 and start < spans[at][1]
        return max(bisect_right(total, total[start] + limit - LINK * within) - 1, start + 1)

    return furthest


def _composed(text: str) -> str:
    """As long as the text, with what stands in links only where it does in NFC too."""
    return MARKED.sub("\u00e9", text)


def _spans(text: str) -> list[Span]:
    return [(found.start(), found.end(), _heavy(found)) for found in HEAVY.finditer(text)]


def _heavy(found: re.Match[str]) -> int:
    if found["emoji"]:
        return 2
    return LINK if found["whole"] else max(LINK, len(found[0]))


@lru_cache(maxsize=4096)
def _letter(letter: str) -> int:
    return sum(
        1 if any(first <= ord(one) <= last for first, last in LIGHT) else 2
        for one in unicodedata.normalize("NFC", letter)
    )
