"""What each line of a mail's text is, as a letter: a rule is then a short pattern over the letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from services.email_adapter.mail.programs import DECLINED, DEVICES, LANGUAGES, PRONOUNS

EMPTY: Final = "e"
TEXT: Final = "t"
QUOTE: Final = "q"  # > in front
WROTE: Final = "w"  # "On Monday, Dara wrote:", its first line
HEAD: Final = "h"  # "From: …", "Sent: …", "To: …": its first line
ORIGINAL: Final = "o"  # "--- Original message ---"
FORWARDED: Final = "f"
MORE: Final = "c"  # a further line of the one before
DASHES: Final = "s"  # "-- " (RFC 3676 §4.3), and what people take for it
RULE: Final = "r"  # a line across
MOBILE: Final = "m"  # "Sent from my telephone"

LOOKED_AT: Final = 4_000  # lines; of those behind only quote marks are seen
LONGEST: Final = 300  # characters of a line that may be more than text
WITHIN: Final = 200  # characters in which it stands where what it announces follows in the same line
SPAN: Final = 4  # lines of one announcement
FIELDS: Final = 12  # lines of a head, those that are wrapped among them
WRAPPED_AT: Final = 60
FULL: Final = 72

INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
DECORATION: Final = " \t*_|\u00a0"
DELIMITER: Final = re.compile(r"\s*(?:--|__|[—–―])\s*")
ACROSS: Final = re.compile(r"\s*(?:[-_=*~#+—–―─━_]\s?){3,}\s*")
BETWEEN_DASHES: Final = re.compile(
    r"\s*([-_=*~#—–─]{2,})\s*([^-_=*~#—–─\s].{1,60}?)\s*[:：]?\s*[-_=*~#—–─]{2,}\s*[:：]?\s*"
)
COLONS: Final = ":：៖"
TIME: Final = re.compile(r"\d{1,2}\s?[:.h時时点시]\s?\d{2}(?!\d)")
DAY: Final = re.compile(r"(?<!\d)\d{4}(?!\d)|\d{1,4}[./-]\d{1,2}[./-]\d{1,4}")
DATE: Final = re.compile(
    rf"{DAY.pattern}|\d{{1,2}}\.? [^\W\d_]{{3,12}}|(?<!\w)[^\W\d_]{{3,12}}\.? \d{{1,2}}\b|\d{{1,2}}\s?[日일]"
)
ADDRESS: Final = re.compile(r"[^\s<>()@\"]@[^\s<>()@\"]+\.[^\s<>()@\"]")
ENDS_WITH_ADDRESS: Final = re.compile(r"@[^\s<>@]+\s?[>)\]]+\s?[:：៖]$")
NAMES: Final = 3  # words of a person's name, where it stands behind the verb
LINK: Final = re.compile(r"[<(\[](?:https?|mailto):[^<>\s]*[>)\]]|https?://\S+")
ABOVE: Final = re.compile(r"\b(?:reply|respond|write|type|answer)\b.{0,30}\babove\b.{0,20}\bline\b", re.IGNORECASE)
ABOVE_WIDTH: Final = 120


def _every(name: str) -> Iterator[str]:
    for language in LANGUAGES.values():
        yield from filter(None, getattr(language, name).casefold().split("|"))


def _one_of(phrases: Iterable[str]) -> str:
    """The longest first, with anything short for …"""
    ordered = sorted(set(phrases), key=len, reverse=True)
    return "|".join(re.escape(one).replace("…", r"\S{1,40}") for one in ordered)


KINDS: Final = ("sender", "date", "to", "subject", "copy")
LABELS: Final[dict[str, set[str]]] = {}
for _kind in KINDS:
    for _label in _every(_kind):
        LABELS.setdefault(_label, set()).add(_kind)
ORIGINALS: Final = frozenset(_every("original"))
FORWARDS: Final = frozenset(_every("forwarded"))
VERB: Final = re.compile(
    rf"(?<!\w)(?:{_one_of(_every('wrote'))})(?!\w)|(?:写道|寫道|のメール|작성|씀|เขียน(?:ว่า)?|សរសេរ)"
)
UNSPACED: Final = "\u0e00"  # from Thai on words are not set apart
SAID_BY: Final = re.compile(rf"@[^\s<>@]+>\s?(?:{_one_of(_every('wrote'))})\s?:")
BEGINS: Final = re.compile(
    rf"(?:{_one_of(one for one in _every('begins') if one < UNSPACED)})(?!\w)"
    rf"|(?:{_one_of(one for one in _every('begins') if one >= UNSPACED)})|\d|[^\W\d_]{{2,9}}[.,]+ \d"
)
VERBS: Final = tuple(set(_every("wrote")))
MOST_VERB: Final = max(map(len, VERBS))
SENT_FROM: Final = tuple((*one.split("…"), "")[:2] for one in set(_every("sent_from")))
SAID_FIRST: Final = tuple(before for before, _ in SENT_FROM if before)
SAID_LAST: Final = tuple(after for before, after in SENT_FROM if not before)
SAID: Final = 90  # characters
CLAUSE: Final = re.compile(r"[.,;:!?]\s|\s[-–—]\s")
NAMED: Final = 8  # words of a device's name
OWN: Final = re.compile(
    r"\b(?:my|mein\w*|mon|mi|meu|mio|mijn|min|moj\w*|моего|saya)\b|我的|ខ្ញុំ|ของฉัน|của tôi|내|나의|私の|שלי|من$"
)


def letters_of(lines: Sequence[str], known: Sequence[str] = ()) -> str:
    """One letter for each line; `known`: those that something else tells. Linear in time: only so much is looked at."""
    plain = [_plain(line) for line in lines[:LOOKED_AT]]
    found = [_letter(line) for line in plain] + [_mark(line) for line in lines[LOOKED_AT:]]
    for at, letter in enumerate(known):
        found[at] = letter or found[at]
    _heads(plain, found)
    _announcements(plain, found)
    _continued(plain, found)
    return "".join(found)


def _mark(line: str) -> str:
    bare = line.lstrip()
    return QUOTE if bare[:1] in {">", "＞"} and bare[1:2] != ":" else TEXT if bare else EMPTY


def _plain(line: str) -> str:
    """As it is compared: without what is not seen, in one form. A long line is not looked at."""
    if line.isascii() or len(line) > LONGEST:
        return line
    return unicodedata.normalize("NFKC", INVISIBLE.sub("", line))


def _letter(line: str) -> str:
    mark = _mark(line)
    if mark != TEXT or len(line) > LONGEST:
        return mark
    if DELIMITER.fullmatch(line):
        return DASHES
    if ACROSS.fullmatch(line):
        return RULE
    return _divider(line) or (MOBILE if _is_mobile(line) else TEXT)


def _divider(line: str) -> str | None:
    """Between dashes, or alone with a colon; also a line that asks to write above it."""
    found = BETWEEN_DASHES.fullmatch(line)
    bare = line.strip(DECORATION)
    phrase = (
        (found[2] if found else bare.rstrip(f"{COLONS} ") if bare[-1:] in COLONS else "").strip(DECORATION).casefold()
    )
    if phrase in FORWARDS:
        return FORWARDED
    if phrase in ORIGINALS:
        return ORIGINAL
    return (
        ORIGINAL
        if len(line) < ABOVE_WIDTH and ABOVE.search(line) and (found or line.lstrip()[:1] in "#-=_*~")
        else None
    )


def _is_mobile(line: str) -> bool:
    """Whether a telephone or a program says that it sent this: by a name that is known or its owner's word, and no sentence."""
    said = LINK.sub("", line).strip(DECORATION).rstrip(".!").casefold()
    if len(said) > SAID or not (said.startswith(SAID_FIRST) or said.endswith(SAID_LAST)):
        return False
    sure = bool(OWN.search(said)) or LINK.search(line) is not None
    for before, after in SENT_FROM:
        if said.startswith(before) and said.endswith(after) and len(said) >= len(before) + len(after):
            thing, *more = CLAUSE.split(said[len(before) : len(said) - len(after)], maxsplit=1)
            words = thing.split()
            if len(words) <= NAMED and (
                any(map(_is_known, words)) or (sure and not more and 0 < len(words) <= NAMED / 2)
            ):
                return True
    return False


def _is_known(word: str) -> bool:
    """A device or a program, in whatever case its language puts it."""
    bare = word.strip("®™'’\"()<>[]“”«»")
    return bare in DEVICES or bare.startswith(DECLINED)


def _heads(lines: Sequence[str], found: list[str]) -> None:
    """Repeated heads: who sent it and two more of when, to whom and about what; two in all behind a divider or a line across."""
    at, last = 0, EMPTY
    while at < len(lines):
        stop = _head(lines, found, at, divided=last in (ORIGINAL, FORWARDED, RULE)) if found[at] == TEXT else 0
        if stop:
            found[at:stop] = [HEAD, *[MORE] * (stop - at - 1)]
            if last == TEXT and at and BETWEEN_DASHES.fullmatch(lines[at - 1]):
                found[at - 1] = ORIGINAL
            at = stop
        if at < len(lines) and found[at] != EMPTY:
            last = found[at]
        at += not stop


def _head(lines: Sequence[str], found: Sequence[str], at: int, *, divided: bool) -> int:
    """Where the head ends that begins here; 0: none does."""
    kinds: set[str] = set()
    if not (_kinds(lines[at]) - {"copy"}):
        return 0
    stop, seen, addressed = at, 0, False
    for place in range(at, min(at + FIELDS, len(lines))):
        if found[place] == EMPTY:
            if place + 1 < len(lines) and _kinds(lines[place + 1]):
                continue
            break
        if told := _kinds(lines[place]):
            kinds |= told
            stop, seen = place + 1, seen + 1
            addressed = addressed or bool(ADDRESS.search(lines[place]))
        elif place >= stop + 2:
            break
        else:
            addressed = addressed or (place == at + 1 and bool(ADDRESS.search(lines[place])))
    enough = (
        seen >= (2 if divided else 3)
        and "sender" in kinds
        and len(kinds & {"date", "to", "subject"}) >= (1 if divided else 2)
    )
    return stop if enough and (addressed or "subject" in kinds) else 0


def _kinds(line: str) -> set[str]:
    """What a line of a head is about; nothing for any other line. A label is short, and may be printed bold."""
    head, colon, _ = line[:60].partition(":")
    return LABELS.get(head.strip(DECORATION).casefold(), set()) if colon else set()


def _announcements(lines: Sequence[str], found: list[str]) -> None:
    for end, line in enumerate(lines):
        if found[end] == TEXT and _is_within(line):
            found[end] = WROTE
        if found[end] != TEXT or not _may_end(line):
            continue
        begin = _begin(lines, found, end)
        if begin is not None:
            found[begin : end + 1] = [WROTE, *[MORE] * (end - begin)]


def _is_within(line: str) -> bool:
    """Whether what it announces stands in the same line, as some telephones write it: when, the address, the verb, a colon."""
    head = line[:WITHIN].strip()
    if "@" not in head or not (found := SAID_BY.search(head.casefold())):
        return False
    words = head[: found.end()].casefold()
    return bool(BEGINS.match(words) and DATE.search(words) and TIME.search(words)) and found.end() < len(line.strip())


def _may_end(line: str) -> bool:
    bare = line.rstrip(" \t-*_\u00a0")
    return len(line) <= LONGEST and (bare[-1:] in COLONS or bare[-MOST_VERB:].casefold().endswith(VERBS))


def _begin(lines: Sequence[str], found: Sequence[str], end: int) -> int | None:
    """The line that the announcement begins in which ends here; None: it is none. The fewest lines that have a beginning."""
    after = next((letter for letter in found[end + 1 : end + SPAN] if letter != EMPTY), EMPTY)
    words, best = "", None
    for begin in range(end, max(-1, end - SPAN), -1):
        if found[begin] != TEXT or len(words) > LONGEST:
            break
        words = f"{lines[begin].strip(' -*_')} {words}".strip().casefold()
        if _announces(words, quoted=after == QUOTE):
            if BEGINS.match(words) and (TIME.search(words) or DAY.search(words)):
                return begin
            best = begin if best is None else best
    return best


def _announces(words: str, *, quoted: bool) -> bool:
    """Whether this says who wrote what follows: when, and by whom, in any language; `quoted`: marked lines follow."""
    timed, dated, addressed = bool(TIME.search(words)), bool(DATE.search(words)), bool(ADDRESS.search(words))
    verb = next(VERB.finditer(words), None)
    if verb is None:
        return bool(ENDS_WITH_ADDRESS.search(words)) and (dated or timed or quoted)
    named = words.rstrip(f"{COLONS} -")[verb.end() :].split()
    if quoted:
        return (dated or timed or addressed or len(words) <= FULL) and len(words) <= LONGEST
    if (timed or dated) and addressed:
        return True
    told = words[: verb.start()].split()
    by_name = bool(told) and told[-1].strip(",") not in PRONOUNS
    return timed and dated and by_name and len(named) <= (NAMES if BEGINS.match(words) else 0)


def _continued(lines: Sequence[str], found: list[str]) -> None:
    """What a program wrapped of a quoted line has no mark: it goes on in small letters, or the line was full, without an end."""
    for at in range(1, len(lines) - 1):
        if found[at] != TEXT or found[at - 1] != QUOTE or found[at + 1] not in (QUOTE, EMPTY):
            continue
        before, line = lines[at - 1].rstrip(), lines[at].lstrip()
        full = len(before) >= FULL and before[-1] not in ".!?:"
        if found[at + 1] == QUOTE and len(before) >= WRAPPED_AT and (line[:1].islower() or full):
            found[at] = QUOTE
