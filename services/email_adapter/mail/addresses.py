"""Mailboxes of address headers (RFC 5322 §3.4), read as leniently as they are written, in linear time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from email_validator import EmailNotValidError, validate_email

from services.email_adapter.mail.charsets import decode
from services.email_adapter.mail.words import read_words
from shared.contract.identities import mail_address
from shared.contract.text import undirected

ADDRESS: Final = 320  # characters of an address at the most (RFC 3696, errata 1690: 254 on the way)
NAME: Final = 255

TOKEN: Final = re.compile(r"\"(?:[^\"\\]|\\.)*+\"?|<[^<>]*+>?|[(),;:>]|[^\"<>(),;:]++", re.DOTALL)
IN_COMMENT: Final = re.compile(r"\\.|[()]", re.DOTALL)
QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
LIKE_ADDRESS: Final = re.compile(
    r"(?<![^\s<>()\",;:])(?:\"[^\"]{1,64}\"|[^\s@<>()\",;:]{1,200})@[^\s@<>()\",;]{1,255}", re.ASCII
)
AROUND_AT: Final = re.compile(r"(?<=\S)\s*+@\s*+")  # obsolete (RFC 5322 §4.4), and seen


class Mailbox(NamedTuple):
    """`address` in lower case, `name` as a person reads it."""

    address: str
    name: str | None = None


def mailboxes(header: bytes, hint: str | None = None) -> Iterator[Mailbox]:
    """Whoever is named, in order; members of groups too, whatever has no address not.

    Where nobody is, the header is looked at as people read it: some mailers encode the address with the name.
    """
    entries = list(_entries(header.decode("latin-1")))
    if b"=?" in header and not any(found.address for found in entries):
        entries = list(_entries(read_words(header, hint).encode().decode("latin-1")))
    for found in entries:
        if found.address:
            name = read_words(found.name.encode("latin-1"), hint).strip("'\" ")[:NAME].strip()
            address = mail_address(undirected(decode(found.address.encode("latin-1"), guess=False)))
            yield Mailbox(address, name if name and name.lower() != address else None)


def on_the_wire(address: str) -> str | None:
    """The address in ASCII, its domain in IDNA; None for one that only SMTPUTF8 (RFC 6531) could carry, or that is none."""
    try:
        checked = validate_email(address, check_deliverability=False, globally_deliverable=False, strict=True)
    except EmailNotValidError:
        return None
    return checked.ascii_email


def wire_domain(address: str) -> str:
    """The domain in ASCII and lower case (IDNA), whatever stands before it; empty for none."""
    return (on_the_wire("a@" + address.rpartition("@")[2]) or "").rpartition("@")[2].lower()


class _Entry(NamedTuple):
    address: str
    name: str


def _entries(text: str) -> Iterator[_Entry]:
    words: list[str] = []
    comments: list[str] = []
    angle: str | None = None
    at = 0
    while found := TOKEN.match(text, at):
        token, at = found[0], found.end()
        match token[0]:
            case "<":
                angle = angle or token[1:].removesuffix(">")
            case "(":
                comment, at = comment_at(text, at)
                comments.append(comment)
            case "," | ";":
                yield _entry(words, comments, angle)
                words, comments, angle = [], [], None
            case ":" if "@" not in "".join(words[-1:]):
                words = []  # what stood before is a group's name, or `mailto`
            case _:
                words.append(token)
    yield _entry(words, comments, angle)


def comment_at(text: str, at: int) -> tuple[str, int]:
    """The comment that begins before `at`, and where it ends; comments nest."""
    depth, start = 1, at
    for found in IN_COMMENT.finditer(text, at):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth == 0:
            return text[start : found.start()], found.end()
    return text[start:], len(text)


def _entry(words: list[str], comments: list[str], angle: str | None) -> _Entry:
    if angle is not None and (address := _address(angle)):
        return _Entry(address, " ".join(map(_unquoted, words)))
    return _Entry(_address("".join(words)), " ".join(comments))


def _address(text: str) -> str:
    """What looks like an address in it, behind a source route (RFC 5322 §4.4); empty if nothing does."""
    route, colon, rest = text.rpartition(":")
    candidate = rest if colon and route.lstrip().startswith("@") else text
    if len(candidate) > 2 * ADDRESS:
        return ""
    found = LIKE_ADDRESS.search(candidate) or LIKE_ADDRESS.search(AROUND_AT.sub("@", candidate))
    address = found[0].strip("'.") if found else ""
    return address if len(address) <= ADDRESS else ""


def _unquoted(word: str) -> str:
    if word.startswith('"'):
        return QUOTED_PAIR.sub(r"\1", word[1:].removesuffix('"'))
    return word.strip()
