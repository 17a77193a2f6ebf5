"""What the writer of a mail wrote now, apart from what it repeats and from the signature; where in doubt, it is theirs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from services.email_adapter.mail import marks
from services.email_adapter.mail.lines import DASHES, RULE, letters_of
from services.email_adapter.mail.readable import as_lines
from shared.contract.envelope import Cut

Owner = Literal["t", "q", "s"]

MARKER: Final = re.compile("[wohf]")
ANNOUNCED: Final = re.compile("[wohfcer]*")
QUOTES: Final = re.compile("[qwohfce]*")
LIMITED: Final = re.compile("[temrs]*")
DEVICE: Final = re.compile("(?:(?<=[ers])|^)m(?=[erswohf]|$)e*")
REASONS: Final = {
    "w": ("a line that says who wrote it", 0.95),
    "h": ("the head of another mail", 0.95),
    "o": ("a divider", 0.97),
    "f": ("a forward", 0.9),
}
BELOW: Final = ("answered below", 0.85)
MARKS: Final = ("quote marks at the end", 0.9)
EXACT: Final = ("the signature delimiter", 0.97)
LIKELY: Final = ("a line of dashes", 0.8)
FOOTER: Final = ("a footer below a line", 0.8)
SENT_FROM: Final = ("sent from a device", 0.9)

FROM_THE_END: Final = 80  # lines in which a signature may begin
MOST_EXACT: Final = 40  # lines of one that are not empty
MOST_LIKELY: Final = 10
PROSE: Final = 90  # characters; a shorter line is none
NAME: Final = 40
REACHED: Final = re.compile(r"https?://|www\.|\S@\S")
NUMBER: Final = re.compile(r"\+?\d(?:[ ()./-]?\d)+")
DIGITS: Final = 7
SENTENCE: Final = (".", "?", "!", ":", ";", ",")
ROUNDS: Final = 3


class Range(NamedTuple):
    begin: int
    end: int
    owner: Owner
    why: tuple[str, float]


@dataclass(frozen=True, slots=True)
class NewText:
    """`text` is empty only where the whole is. `cuts`: why the other two were set apart, and how sure that is."""

    text: str
    quoted: str | None = None
    signature: str | None = None
    cuts: tuple[Cut, ...] = ()


def new_text(whole: str) -> NewText:
    """Pure, linear in time. Lines keep their order; only empty ones around what is cut are dropped.

    Answers between quoted lines stay with these. A mail that is only a forward, or only a quote, is its writer's text.
    """
    return cut(whole.split("\n"))


def cut(lines: Sequence[str], known: Sequence[str] = ()) -> NewText:
    """As `new_text`. `known`: the letters of lines that something else tells (see `lines`), empty for the others."""
    letters = letters_of(lines, known)
    ranges = _ranges(lines, letters)
    owners = ["t"] * len(lines)
    for one in ranges:
        owners[one.begin : one.end] = one.owner * (one.end - one.begin)
    text = _of(lines, owners, "t")
    if not ranges or not text:
        return NewText("\n".join(lines))
    return NewText(text, _of(lines, owners, "q") or None, _of(lines, owners, "s") or None, _cuts(ranges))


def by_marks(plain: str | None, html: str | None) -> NewText | None:
    """The plain text cut where the same words in HTML are, by the marks that its mail program left there; None: it cannot be."""
    if not plain or not html or not marks.ANY.search(html):
        return None
    found = cut(*as_lines(html))
    if not found.quoted:
        return None
    lines, at, parts = plain.split("\n"), 0, []
    for part in (found.text, found.signature or ""):
        begin, at = at, _behind(lines, at, _letters_and_digits(part))
        if at < 0:
            return None
        parts.append("\n".join(lines[begin:at]).strip("\n"))
    return NewText(parts[0], "\n".join(lines[at:]).strip("\n") or None, parts[1] or None, found.cuts)


def _behind(lines: Sequence[str], at: int, wanted: str) -> int:
    """The line behind those that have all these letters, and no others; -1: there are none such."""
    done = 0
    while done < len(wanted) and at < len(lines):
        told = _letters_and_digits(lines[at])
        if not wanted.startswith(told, done):
            return -1
        done, at = done + len(told), at + 1
    return at if done == len(wanted) else -1


def _letters_and_digits(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _of(lines: Sequence[str], owners: Sequence[str], owner: Owner) -> str:
    kept = (line.rstrip() for line, mine in zip(lines, owners, strict=True) if mine == owner)
    return "\n".join(kept).strip("\n")


def _cuts(ranges: Sequence[Range]) -> tuple[Cut, ...]:
    told = {(one.owner, one.why): None for one in ranges}
    return tuple(
        Cut(part="quoted" if owner == "q" else "signature", reason=reason, confidence=sure)
        for owner, (reason, sure) in told
    )


def _ranges(lines: Sequence[str], letters: str) -> list[Range]:
    """What is not the writer's text; none where all of it is."""
    found = _tail(lines, letters, len(lines))
    end = found[-1].begin if found else len(lines)
    at, first = 0, letters.find("t")
    while marker := MARKER.search(letters, at, end):
        begin = len(letters[at : marker.start()].rstrip("er")) + at
        written = 0 <= first < begin
        behind = _end(ANNOUNCED, letters, marker.end(), end)
        at = _end(QUOTES, letters, behind, end) if letters[behind : behind + 1] == "q" else behind
        if at == behind and behind < end:
            if not written:
                return []
            found = [Range(begin, len(lines), "q", REASONS[marker[0]])]
        elif "t" not in letters[at:end]:
            found.append(Range(begin, at, "q", REASONS[marker[0]]))
        elif not written and "q" not in letters[at:end]:
            found.append(Range(begin, at, "q", BELOW))
            continue
        else:
            continue
        found += _tail(lines, letters, begin)
        end = found[-1].begin
        break
    devices = (Range(one.start(), one.end(), "s", SENT_FROM) for one in DEVICE.finditer(letters, 0, end))
    return [*found, *devices]


def _end(pattern: re.Pattern[str], letters: str, begin: int, end: int) -> int:
    found = pattern.match(letters, begin, end)
    return found.end() if found else begin


def _tail(lines: Sequence[str], letters: str, end: int) -> list[Range]:
    """What stands below the text: marked lines that nothing announces, and signatures."""
    found: list[Range] = []
    for _ in range(ROUNDS):
        end = found[-1].begin if found else end
        if one := _signature(lines, letters, end) or _marks(letters, end):
            found.append(one)
    return found


def _marks(letters: str, end: int) -> Range | None:
    begin = len(letters[:end].rstrip("qe"))
    marked = "q" in letters[begin:end] and letters[begin - 1 : begin] in ("t", "m", "s", "r")
    return Range(begin, end, "q", MARKS) if marked else None


def _signature(lines: Sequence[str], letters: str, end: int) -> Range | None:
    for at in range(max(0, end - FROM_THE_END), end):
        if letters[at] in "sr" and _end(LIMITED, letters, at, end) == end and (why := _why(lines, letters, at, end)):
            return Range(at, end, "s", why)
    return None


def _why(lines: Sequence[str], letters: str, at: int, end: int) -> tuple[str, float] | None:
    """Why what stands below this line is a signature; None: it may be text, as between two lines across."""
    told = [bare for line in lines[at + 1 : end] if (bare := line.strip())]
    dashes = letters[at] == DASHES
    if dashes and lines[at].strip() == "--":
        return EXACT if len(told) <= MOST_EXACT else None
    if not told or len(told) > MOST_LIKELY or any(len(line) > PROSE for line in told):
        return None
    if dashes:
        return LIKELY if _is_name(told[0]) else None
    if RULE in letters[:at] or RULE in letters[at + 1 : end].rstrip("er"):
        return None
    return FOOTER if any(map(_is_reach, told)) else None


def _is_name(line: str) -> bool:
    """Short, and no sentence."""
    return len(line) <= NAME and not line.endswith(SENTENCE)


def _is_reach(line: str) -> bool:
    """By which somebody is reached: an address, or a telephone number, which has seven digits at the least."""
    return bool(REACHED.search(line)) or any(sum(map(str.isdigit, one[0])) >= DIGITS for one in NUMBER.finditer(line))
