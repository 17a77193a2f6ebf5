"""A generated page of docs/ in Markdown: its head, its tables, and sentences that stand in the code."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any, Final

WRITTEN: Final = "<!-- Written by `parley docs`; change the code it comes from. -->"


def page(title: str, *blocks: str) -> str:
    return "\n\n".join((f"# {title}", WRITTEN, *blocks)) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split())


def said(thing: Any) -> str:
    """The docstring, as one paragraph, safe in a table."""
    return " ".join((inspect.cleandoc(thing.__doc__ or "")).split()).replace("|", "\\|")


def first_sentence(thing: Any) -> str:
    head, dot, _ = said(thing).partition(". ")
    return head + "." if dot else head
