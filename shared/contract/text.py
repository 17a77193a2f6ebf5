"""Text as its readers count and break it: units of length, and pieces that fit."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal

from icu4py.breakers import CharacterBreaker, LineBreaker, SentenceBreaker

from shared.contract import weighted
from shared.contract.segments import SEPTETS, reach, segments

Unit = Literal["code_points", "utf16", "bytes", "graphemes", "segments", "weighted"]

# Embeddings, overrides and isolates of UAX #9, which turn round how what is beside them is read. Marks (LRM, RLM, ALM) turn nothing.
TURNING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
# What a terminal obeys, and what turns a line round. Zero-width spaces stay: Khmer is written with them.
UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")
LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
LINE_END: Final = re.compile(r"\r\n|[\n\r\u2028]")
PARAGRAPH_END: Final = re.compile(r"(?>\r\n|[\n\r])[^\S\r\n]*[\r\n]\n?|\u2029")

# How good a place for a cut is; a better one is taken unless it leaves the piece less than half full.
CLUSTER, WORD, SENTENCE, LINE, PARAGRAPH = range(1, 6)


def undirected(name: str) -> str:
    """A name, a subject or a title without what makes it read as another: `exe.gpj` as `jpg.exe`, a stranger as a colleague."""
    return name if name.isascii() else TURNING.sub("", name)


def on_one_line(said: str) -> str:
    """A stranger's words in a line of ours: nothing in it ends the line, is obeyed by a terminal or turns what stands beside it."""
    return UNFIT.sub(" ", said)


def measure(text: str, unit: Unit) -> int:
    """The length in the channel's own unit; `bytes` are of UTF-8, `graphemes` the extended clusters of UAX #29, `segments` an SMS's, `weighted` X's."""
    if unit == "segments":
        return segments(text)
    if unit == "weighted":
        return weighted.weight(text)
    if text.isascii():
        return len(text) - (text.count("\r\n") if unit == "graphemes" else 0)
    match unit:
        case "code_points":
            return len(text)
        case "utf16":
            return len(text.encode("utf-16-le", "surrogatepass")) // 2
        case "bytes":
            return len(text.encode("utf-8", "surrogatepass"))
        case "graphemes":
            return sum(1 for _ in CharacterBreaker(_readable(text), "und"))


def fits(text: str, limit: int, unit: Unit) -> bool:
    """Whether the text is within the limit; counts only where its length alone cannot tell."""
    widest = {"utf16": 2, "bytes": 4, "weighted": weighted.LINK}.get(unit, 1)
    return len(text) * widest <= limit or measure(text, unit) <= limit


def split(text: str, limit: int, unit: Unit = "code_points", *, locale: str = "und") -> tuple[str, ...]:
    """The text in pieces within the limit, cut at paragraphs, else lines, sentences, words, grapheme clusters.

    Joined, the pieces lack only white space where they were cut. A cluster is broken only when it is larger than the
    limit. ICU's dictionaries find words in scripts without spaces (Khmer, Lao, Thai, Burmese, Chinese, Japanese)
    whatever the locale; it decides on finer points. Linear time. ValueError: a limit that cannot hold every code point.
    """
    if fits(text, limit, unit):
        return (text,)
    if limit < {"bytes": 4, "utf16": 2, "weighted": weighted.LEAST}.get(unit, 1):
        raise ValueError(f"a limit of {limit} {unit} cannot hold every character")
    whole = weighted.links(text) if unit == "weighted" else ()
    return tuple(_pieces(text, _places(text, locale, whole), _reach(text, limit, unit)))


@dataclass(frozen=True, slots=True)
class Places:
    """Where a text may be cut: the rank of each code point offset, 0 inside a grapheme cluster."""

    ranks: bytearray

    def last(self, rank: int, start: int, end: int) -> int:
        """The last place of this rank or a better one in start … end, -1 if there is none."""
        return max(self.ranks.rfind(better, start, end + 1) for better in range(rank, PARAGRAPH + 1))

    def best(self, start: int, full: int, end: int) -> int:
        """Where a piece that begins at `start`, is full at `full` and may reach to `end` had best end."""
        half = (start + full + 1) // 2
        candidates = (
            *((rank, half) for rank in (PARAGRAPH, LINE, SENTENCE)),
            *((rank, start + 1) for rank in (WORD, CLUSTER)),
        )
        found = (self.last(rank, earliest, end) for rank, earliest in candidates)
        return next((place for place in found if place > start), full)


def _places(text: str, locale: str, whole: Iterable[tuple[int, int]] = ()) -> Places:
    """`whole`: what is not to be cut within."""
    readable = _readable(text)
    ranks = bytearray(len(text) + 1)
    for place in accumulate(map(len, CharacterBreaker(readable, locale))):
        ranks[place] = CLUSTER
    for rank, breaker in ((WORD, LineBreaker), (SENTENCE, SentenceBreaker)):
        for place in accumulate(map(len, breaker(readable, locale))):
            if ranks[place]:
                ranks[place] = rank
    for rank, ending in ((LINE, LINE_END), (PARAGRAPH, PARAGRAPH_END)):
        for found in ending.finditer(text):
            ranks[found.end()] = rank
    for start, end in whole:
        ranks[start + 1 : end] = bytes(end - start - 1)
    return Places(ranks)


def _reach(text: str, limit: int, unit: Unit) -> Callable[[int], int]:
    """A function from where a piece begins to the furthest code point offset at which it still fits."""
    match unit:
        case "code_points":
            return lambda start: min(start + limit, len(text))
        case "utf16":
            return lambda start: start + _prefix(text[start : start + limit], "utf-16-le", 2 * limit)
        case "bytes":
            return lambda start: start + _prefix(text[start : start + limit], "utf-8", limit)
        case "segments":
            return lambda start: start + reach(text[start : start + limit * SEPTETS[0]], limit)
        case "weighted":
            return weighted.reach(text, limit)
        case "graphemes":
            ends = array("L", accumulate(map(len, CharacterBreaker(_readable(text), "und"))))
            return lambda start: ends[min(bisect_right(ends, start) + limit, len(ends)) - 1]


def _prefix(text: str, encoding: str, size: int) -> int:
    """How many code points of the text fit into so many bytes of the encoding."""
    return len(_readable(text).encode(encoding)[:size].decode(encoding, "ignore"))


def _pieces(text: str, places: Places, reach: Callable[[int], int]) -> Iterator[str]:
    start = 0
    while (full := reach(start)) < len(text):
        end = places.best(start, full, _over_space(text, full))
        if piece := text[start:end].rstrip():
            yield piece
        start = _next_start(text, places, end)
    if start < len(text):
        yield text[start:]


def _over_space(text: str, place: int) -> int:
    """White space at the end of a piece is dropped, so it need not fit."""
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _next_start(text: str, places: Places, place: int) -> int:
    """Where the next piece begins: behind the white space, but not behind a space that carries a combining mark."""
    start = _over_space(text, place)
    return start if start == place or places.ranks[start] else start - 1


def _readable(text: str) -> str:
    """ICU refuses lone surrogates; what stands in for them is as long."""
    return LONE_SURROGATE.sub("\ufffd", text)
