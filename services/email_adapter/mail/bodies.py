"""The body of a mail: which sections are its words, which are its files (RFC 2046, RFC 2387)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Final

from services.email_adapter.mail.charsets import Guesses, decode
from services.email_adapter.mail.flowed import unflow
from services.email_adapter.mail.newest import NewText, by_marks, cut
from services.email_adapter.mail.parameters import Structured, parse
from services.email_adapter.mail.readable import as_lines
from services.email_adapter.mail.sections import Section
from services.email_adapter.mail.transfer import footer, undo

CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
TEXTS: Final = frozenset({"text/plain", "text/html"})
SAME_AGAIN: Final = frozenset({"text/x-amp-html", "text/watch-html"})  # the words once more, for some readers only


@dataclass(frozen=True, slots=True)
class Words:
    """One body as plain text, as HTML, or as both."""

    plain: str | None = None
    html: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    words: tuple[Words, ...] = ()
    files: tuple[Section, ...] = ()

    def text(self) -> str:
        """All of it as text; from HTML only where the plain part is missing or empty."""
        return "\n".join(filter(None, (_plain(one) for one in self.words)))

    def new_text(self) -> NewText:
        """What of it was written now, what is repeated, and the signature."""
        lines: list[str] = []
        known: list[str] = []
        for one in self.words:
            more, letters = _lines_of(one)
            if any(more):
                lines += more
                known += letters
        found = cut(lines, known)
        told = None if found.quoted or len(self.words) != 1 else by_marks(self.words[0].plain, self.words[0].html)
        return told or found

    def html(self) -> str | None:
        """All of it as HTML, not yet sanitised; None where there is none."""
        if not any(one.html for one in self.words):
            return None
        return "\n".join(one.html or _marked_up(one.plain or "") for one in self.words)


@dataclass(frozen=True, slots=True)
class Undeclared:
    """What words are read by that do not say their charset: the mail's `hint`, then the guesses that all its parts share."""

    hint: str | None
    guesses: Guesses


def read_body(top: Section, raw: bytes, hint: str | None = None) -> Body:
    """The words and files of a mail. `hint`: the charset of words that nothing describes.

    A text with a file's name that is meant to be read where it stands is the words where there are no others.
    """
    charset = Undeclared(hint, Guesses())
    body = _read(top, raw, charset, alone=True)
    shown = next((one for one in body.files if _is_shown(one)), None)
    if body.words or shown is None:
        return body
    files = tuple(one for one in body.files if one is not shown)
    return Body(_words(shown, raw, charset), files)


def _is_shown(section: Section) -> bool:
    return section.kind in TEXTS and disposition(section).main == "inline"


def _read(section: Section, raw: bytes, charset: Undeclared, *, alone: bool) -> Body:
    """As deep as sections may nest. `alone`: nothing else beside it, or only the same again, so that it is no file."""
    if not section.children:
        return _leaf(section, raw, charset, alone=alone)
    alone = section.kind == "multipart/alternative" or (alone and len(section.children) == 1)
    inner = [_read(child, raw, charset, alone=alone) for child in section.children]
    match section.kind:
        case "multipart/alternative":
            return Body(_alternatives(inner), _files(inner))
        case "multipart/related":
            return _related(section, inner)
        case _:
            return Body(tuple(words for body in inner for words in body.words), _files(inner))


def content(section: Section, raw: bytes) -> bytes:
    """The bytes of a section as they were before they were encoded for the way."""
    return undo(section.body(raw), _encoding(section))


def _encoding(section: Section) -> str:
    return parse(section.headers.first("content-transfer-encoding") or b"").main


def disposition(section: Section) -> Structured:
    """Content-Disposition (RFC 2183)."""
    return parse(section.headers.first("content-disposition") or b"")


def _leaf(section: Section, raw: bytes, charset: Undeclared, *, alone: bool) -> Body:
    if section.unread or section.kind in SAME_AGAIN:
        return Body()
    if not _is_words(section, alone=alone):
        return Body(files=(section,))
    return Body(_words(section, raw, charset))


def _words(section: Section, raw: bytes, charset: Undeclared) -> tuple[Words, ...]:
    """A text as it was meant, and behind it what a list has put there unencoded."""
    declared = section.type.token("charset") or None
    text = decode(content(section, raw), declared, charset.hint, guesses=charset.guesses)
    added = decode(footer(section.body(raw), _encoding(section)), None, charset.hint, guesses=charset.guesses)
    text = _lines(text)
    if section.kind == "text/html":
        return (Words(html=text), *((Words(plain=_lines(added)),) if added else ()))
    if section.type.token("format") == "flowed":
        text = unflow(text, delete_space=section.type.token("delsp") == "yes")
    return (Words(plain=f"{text.rstrip()}\n\n{_lines(added)}".rstrip()),)


def _lines(text: str) -> str:
    return CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _is_words(section: Section, *, alone: bool) -> bool:
    """A text with a file name is a file that mailers show, and still a file. A multipart without parts is shown as it is."""
    if section.kind.startswith("multipart/"):
        return True
    told = disposition(section)
    return section.kind in TEXTS and told.main != "attachment" and (alone or "filename" not in told.values)


def _alternatives(inner: Iterable[Body]) -> tuple[Words, ...]:
    """The same words in several forms: the first plain text, the last HTML, which is the richest (RFC 2046 §5.1.4)."""
    bodies = [body for body in inner if body.words]
    plain = next((body.text() for body in bodies if not body.html()), None)
    html = next((found for body in reversed(bodies) if (found := body.html())), None)
    return (Words(plain, html),) if plain is not None or html is not None else ()


def _related(section: Section, inner: list[Body]) -> Body:
    """One root, and what it shows; a text beside the root is a file of it."""
    start = section.type.raw("start").strip(b"<> ")
    ids = [(child.headers.first("content-id") or b"").strip(b"<> ") for child in section.children]
    root = ids.index(start) if start and start in ids else 0
    others = [
        (child,) if body.words and not child.children else body.files
        for number, (child, body) in enumerate(zip(section.children, inner, strict=True))
        if number != root
    ]
    return Body(inner[root].words, (*inner[root].files, *(file for files in others for file in files)))


def _files(inner: Iterable[Body]) -> tuple[Section, ...]:
    return tuple(_each_file(inner))


def _each_file(inner: Iterable[Body]) -> Iterator[Section]:
    for body in inner:
        yield from body.files


def _plain(words: Words) -> str:
    return "\n".join(_lines_of(words)[0])


def _lines_of(words: Words) -> tuple[list[str], list[str]]:
    """Its text in lines, and the letters of those that the HTML tells."""
    if words.plain and not words.plain.isspace():
        lines = words.plain.split("\n")
        return lines, [""] * len(lines)
    return as_lines(words.html) if words.html else ([], [])


def _marked_up(text: str) -> str:
    return f"<div>{escape(text, quote=False).replace(chr(10), '<br>')}</div>"
