"""The page about adding a channel shows one that is whole in fewer than a hundred lines, and says how many it has."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def lines_of_code(source: str) -> int:
    """Without blank lines, comments and docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, documented) and ast.get_docstring(node) is not None
        for line in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    }
    rest = [line.strip() for at, line in enumerate(source.splitlines(), 1) if at not in docstrings]
    return sum(bool(line) and not line.startswith("#") for line in rest)


def test_the_shortest_channel_has_as_many_lines_as_the_page_says_and_fewer_than_a_hundred() -> None:
    page = (ROOT / "docs" / "adding-a-channel.md").read_text()
    (said,) = re.findall(r"\[Bluesky\]\(\.\./(\S+)\), has (\d+) lines of code", page)
    assert lines_of_code((ROOT / said[0]).read_text()) == int(said[1]) < 100


def test_neither_docstrings_nor_comments_are_code() -> None:
    assert lines_of_code('"""One\n\ntwo."""\n\n# three\ndef four():\n    """Five."""\n    return 6\n') == 2
