"""A text as it is found: its words by ICU, in every script, written in one way.

Scripts without spaces between words (Khmer, Thai, Lao, Burmese, Chinese, Japanese) are cut by ICU's dictionaries, when a
message is written and when its words are asked for (https://unicode-org.github.io/icu/userguide/boundaryanalysis/).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Final

from icu4py.breakers import WordBreaker

from shared.contract.text import LONE_SURROGATE

MOST: Final = 20_000  # code points of a message that are looked at
MOST_WORDS: Final = 10_000  # of a message; a tsvector tells 16,383 places apart, and holds 1 MB
LONGEST: Final = 64  # code points of a word; what is longer is found by so many
BEFORE, AFTER = 40, 140  # code points of an excerpt around its first word
NAMED: Final = 1000  # code points of a conversation's name, address and subject

ACCENTS: Final = re.compile("[\u0300-\u036f]")  # of Latin, Greek and Cyrillic; in other scripts marks are letters
UNSEEN: Final = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
WITHIN: Final = re.compile("[^._'’:·]+")  # ICU leaves these within a word: example.com


@lru_cache(2_000)
def folded(text: str) -> str:
    """As everybody writes it: without case, without accents, in one form (NFKC)."""
    plain = ACCENTS.sub("", unicodedata.normalize("NFKD", UNSEEN.sub("", text).casefold()))
    return unicodedata.normalize("NFKC", plain)


def words(text: str) -> Iterator[tuple[int, str]]:
    """Where each word begins, and the word as it stands."""
    place = 0
    for segment in WordBreaker(LONE_SURROGATE.sub("\ufffd", text), "und"):
        if any(map(str.isalnum, segment)):
            yield from ((place + found.start(), found[0]) for found in WITHIN.finditer(segment))
        place += len(segment)


def lexemes(text: str) -> Iterator[str]:
    return (lexeme for _, word in words(text) if (lexeme := folded(word[:LONGEST])))


def document(texts: Iterable[str], tags: Iterable[str]) -> str:
    """A tsvector, as PostgreSQL reads it: the words of the texts with their places, and tags, which are no words."""
    left, said, place = MOST, list(map(_quoted, tags)), 0
    for text in texts:
        for lexeme in islice(lexemes(text[:left]), MOST_WORDS - place):
            place += 1
            said.append(f"{_quoted(lexeme)}:{place}")
        left -= len(text[:left])
        place = min(place + 1, MOST_WORDS)  # the last word of one is not beside the first of the next
    return " ".join(said)


def query(asked: str) -> str:
    """A tsquery: every word, and beside each other those with no space between them. Empty where there are none."""
    beside = (" <-> ".join(map(_quoted, lexemes(one))) for one in asked.split())
    return " & ".join(f"({some})" for some in beside if some)


def tagged(query: str, tags: Iterable[Collection[str]]) -> str:
    """The same query, of what carries one of each."""
    return " & ".join([query, *(f"({' | '.join(map(_quoted, some))})" for some in tags)])


def tag_of_tenant(tenant: str) -> str:
    return f"=t{tenant}"


def tag_of_channel(channel: str) -> str:
    return f"=c{channel}"


def tags_of_time(at: datetime) -> tuple[str, str]:
    """Its day and its month, in UTC: what is asked for newest first is asked for one after the other."""
    return f"=d{at:%Y%m%d}", f"=m{at:%Y%m}"


def grams(text: str) -> set[str]:
    """All pairs and triples of code points beside each other: a part of a name is found by those that it has."""
    plain = folded(text[:NAMED])
    return {plain[at : at + size] for size in (2, 3) for at in range(len(plain) - size + 1)}


def asked_grams(asked: str) -> set[str]:
    """Those that a text has which contains `asked`; none where it is too short to be found by."""
    plain = folded(asked)
    size = min(len(plain), 3)
    return {plain[at : at + size] for at in range(len(plain) - size + 1)} if size > 1 else set()


def excerpt(texts: Iterable[str], asked: str) -> list[dict[str, object]]:
    """What stands around the first word that was asked for, in pieces: {"text", "found"}; how it begins where none is there."""
    wanted, first = set(lexemes(asked)), ""
    for text in texts:
        first = first or text
        places = [(at, at + len(word)) for at, word in words(text[:MOST]) if folded(word[:LONGEST]) in wanted]
        if places:
            return list(_pieces(text, places))
    return [{"text": first[:AFTER], "found": False}] if first else []


def _pieces(text: str, places: list[tuple[int, int]]) -> Iterator[dict[str, object]]:
    begin = max(0, places[0][0] - BEFORE)
    end = min(len(text), places[0][0] + AFTER)
    for start, stop in places:
        if stop > end:
            break
        if start > begin:
            yield {"text": text[begin:start], "found": False}
        yield {"text": text[start:stop], "found": True}
        begin = stop
    if begin < end:
        yield {"text": text[begin:end], "found": False}


def _quoted(lexeme: str) -> str:
    """As tsvector and tsquery read it (https://www.postgresql.org/docs/current/datatype-textsearch.html)."""
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"
