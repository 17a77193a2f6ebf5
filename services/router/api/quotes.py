"""What a mail repeats of those before it, folded away in its HTML as it is in its text."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

# How Gmail, Apple Mail and Thunderbird, and Outlook set it apart; the sanitiser leaves these marks.
WRAPPED: Final = "div.gmail_quote, blockquote[type=cite]"
SEPARATOR: Final = "div#appendonsend, div#divRplyFwdMsg"  # Outlook wraps nothing: what it quotes is all that follows


def folded(tree: LexborHTMLParser, words: str) -> str:
    """The body, the quote at its end behind `words` to press. A quote that is the whole mail, or is answered below, stays as it is."""
    if tree.body is None:
        return ""
    body = tree.body.inner_html or ""
    told = [node for node in tree.body.traverse(include_text=True) if tells(node)]
    first, last = (set(path(node)) for node in (told[0], told[-1])) if told else (set(), set())
    for quote in quotes(tree):
        places = {node.mem_id for node in quote}
        if places & last and not places & first:
            before, found, after = body.rpartition("".join(node.html or "" for node in quote))
            return (
                f"{before}<details><summary>{html.escape(words)}</summary>{found}</details>{after}" if found else body
            )
    return body


def quotes(tree: LexborHTMLParser) -> Iterator[list[LexborNode]]:
    """Each as the nodes beside each other that it consists of; an outer one before those within it."""
    yield from ([node] for node in tree.css(WRAPPED))
    if separator := tree.css_first(SEPARATOR):
        yield [separator, *following(separator)]


def following(node: LexborNode) -> Iterator[LexborNode]:
    """All nodes beside it that come after, texts among them."""
    while (after := node.next) is not None:
        yield after
        node = after


def path(node: LexborNode | None) -> Iterator[int]:
    """The node and all it stands in."""
    while node is not None:
        yield node.mem_id
        node = node.parent


def tells(node: LexborNode) -> bool:
    """Something to read or to look at."""
    return node.tag == "img" or (node.tag == "-text" and bool((node.text_content or "").strip()))
