"""HTML as text: blocks become lines, quotes keep their marks, what is not shown is left out."""

from __future__ import annotations

import html
import re
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from services.email_adapter.mail import marks
from services.email_adapter.mail.lines import QUOTE, TEXT

SIZE: Final = 1024 * 1024
TAGS: Final = 10_000
LINKS: Final = 5_000
ENTITIES: Final = 20_000
NO_BREAK: Final = "\N{NO-BREAK SPACE}"  # which the cleaner writes as an entity
RUN: Final = 16 * 1024  # characters without a >
ATTRIBUTES: Final = 8_000

UNSEEN: Final = frozenset({"head", "title", "style", "script", "template", "object", "iframe", "textarea", "select"})
PARAGRAPHS: Final = frozenset({"p", "ul", "ol", "dl", "table", "pre", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6"})
_LINES: Final = """
address article aside body center caption dd details dir div dt fieldset figure figcaption footer form header hgroup
html legend li main menu nav option section summary tbody tfoot thead tr
"""
LINES: Final = frozenset(_LINES.split())
SET_APART: Final = frozenset({"blockquote", "div", "hr", "span", "table"})  # where mail programs leave their marks
HIDDEN: Final = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
SPACES: Final = re.compile(r"[ \t\r\n\f]+")
LINK: Final = re.compile(r"<a\b", re.IGNORECASE)
SEPARATOR: Final = re.compile(r"[\s/\"']")
QUOTES: Final = 20  # marks before a line at the most

# One token after another, each to its end or to the end of all: there is no way back, so time is linear.
TOKEN: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<(?P<unseen>script|style|title)\b.*?(?:</(?P=unseen)[^>]*+(?:>|\Z)|\Z)|</?(?P<tag>[a-z][a-z0-9]*)?+[^>]*+(?:>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
LONG_NUMBER: Final = re.compile(r"&#[xX]?[0-9a-fA-F]{8,}+;?")
BLANKS: Final = re.compile(r"\n[ \n]*\n")


def is_modest(source: str) -> bool:
    """Whether parsers may see it: HTML5 asks for time in the square of nesting, attributes and entities (its "in scope" rules)."""
    return (
        len(source) <= SIZE
        and source.count("<") <= TAGS
        and (source.count("<") <= LINKS or len(LINK.findall(source)) <= LINKS)
        and source.count("&") + source.count(NO_BREAK) <= ENTITIES
        and not any(len(run) > RUN and _attributes(run) > ATTRIBUTES for run in source.split(">"))
    )


def _attributes(run: str) -> int:
    """How many a tag may have that is all of a run without a >, at the most."""
    return sum(1 for _ in SEPARATOR.finditer(run.partition("<")[2]))


def as_text(source: str) -> str:
    """The words that a reader of the HTML sees, at any depth. Linear in time."""
    return "\n".join(as_lines(source)[0])


def as_lines(source: str) -> tuple[list[str], list[str]]:
    """The lines of `as_text`, and the letter of each (see `lines`) where the mail program that made it says what it is; else
    text, so that a blockquote is no quote only because it is set in; empty where only the words can tell.
    """
    if not is_modest(source):
        lines = _stripped(source).split("\n")
        return lines, [""] * len(lines)
    page = _Page()
    root = LexborHTMLParser(source).root
    if root is not None:
        _walk(root, page)
    return page.lines()


def _walk(root: LexborNode, page: _Page) -> None:
    """Depth first with no recursion: strangers nest as deep as they like."""
    node: LexborNode | None = root
    while node is not None:
        inside = page.enter(node)
        below = node.first_child if inside else None
        while node is not None and below is None:
            if inside:
                page.leave(node)
            if node.mem_id == root.mem_id:
                return
            below = node.next
            node, inside = (node if below else node.parent), True
        node = below


class _Page:
    """Lines as they come about."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._line: list[str] = []
        self._bullet = ""
        self._gap = False
        self._quotes = self._last_quotes = 0
        self._letters: list[str] = []
        self._cited = 0
        self._begins = ""
        self._kept = 0
        self._lists: list[int | None] = []

    def enter(self, node: LexborNode) -> bool:
        """Take up what the node itself shows. False: nothing below it is shown."""
        tag = node.tag or ""
        if tag == "-text":
            self._words(node.text_content or "")
        elif tag in UNSEEN or tag.startswith(("-", "!")) or _is_hidden(node):
            return tag == "-document"
        else:
            self._open(tag, node)
        return True

    def _open(self, tag: str, node: LexborNode) -> None:
        if tag in PARAGRAPHS or tag in LINES:
            self._break(paragraph=tag in PARAGRAPHS)
        if tag in SET_APART:
            self._begins = marks.begins(node) or self._begins
            self._cited += marks.is_cited(node)
        match tag:
            case "br":
                self._break(empty=True)
            case "hr":
                self._rule()
            case "img":
                self._words(node.attributes.get("alt") or "")
            case "td" | "th":
                self._words(" ")
            case "li":
                self._bullet = self._next_bullet()
            case "ul" | "ol":
                self._lists.append(0 if tag == "ol" else None)
            case "pre":
                self._kept += 1
            case "blockquote":
                self._quotes += 1

    def leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag in PARAGRAPHS or tag in LINES:
            self._break(paragraph=tag in PARAGRAPHS)
        if tag in SET_APART:
            self._cited -= marks.is_cited(node)
        match tag:
            case "ul" | "ol" if self._lists:
                self._lists.pop()
            case "pre":
                self._kept -= 1
            case "blockquote":
                self._quotes -= 1

    def lines(self) -> tuple[list[str], list[str]]:
        """Without empty ones at both ends; one at the least."""
        self._break()
        told = [at for at, line in enumerate(self._done) if line]
        within = slice(told[0], told[-1] + 1) if told else slice(0, 1)
        return self._done[within] or [""], self._letters[within] or [""]

    def _rule(self) -> None:
        self._break()
        self._line.append("---")
        self._break()

    def _next_bullet(self) -> str:
        if not self._lists or (number := self._lists[-1]) is None:
            return "- "
        self._lists[-1] = number + 1
        return f"{number + 1}. "

    def _words(self, text: str) -> None:
        if self._kept:
            first, *others = text.replace("\r\n", "\n").split("\n")
            self._line.append(first)
            for line in others:
                self._break(empty=True)
                self._line.append(line)
            return
        words = SPACES.sub(" ", text)
        if words.startswith(" ") and (not self._line or self._line[-1].endswith(" ")):
            words = words[1:]
        if words:
            self._line.append(words)

    def _break(self, *, paragraph: bool = False, empty: bool = False) -> None:
        """End the line. An empty one counts where it is wanted; between paragraphs there is one."""
        line = "".join(self._line).replace("\xa0", " ").rstrip()
        self._line = []
        if line:
            if self._gap and self._done:
                self._write("", min(self._quotes, self._last_quotes))
            self._write(self._bullet + line, self._quotes)
            self._bullet, self._gap = "", False
        elif empty and not self._gap:
            self._write("", self._quotes)
        self._gap = self._gap or paragraph

    def _write(self, line: str, quotes: int) -> None:
        self._done.append(("> " * min(quotes, QUOTES) + line).rstrip())
        self._letters.append(self._letter(line, quotes))
        self._begins = "" if line else self._begins
        self._last_quotes = quotes

    def _letter(self, line: str, quotes: int) -> str:
        if self._begins and line:
            return self._begins
        return QUOTE if self._cited else TEXT if quotes and line else ""


def _is_hidden(node: LexborNode) -> bool:
    style = node.attributes.get("style")
    return bool(style and HIDDEN.search(style))


def _stripped(source: str) -> str:
    """What is left without the tags: for HTML that is better not parsed."""
    words = TOKEN.sub(_instead, source)
    text = html.unescape(LONG_NUMBER.sub("\ufffd", words))
    return BLANKS.sub("\n\n", "\n".join(SPACES.sub(" ", line).strip() for line in text.split("\n"))).strip()


def _instead(tag: re.Match[str]) -> str:
    name = (tag["tag"] or "").lower()
    return "\n" if name in LINES or name in PARAGRAPHS or name == "br" else " " if name in {"td", "th"} else ""
