"""The page about the architecture names only what exists, and README only commands there are."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from services.cli.__main__ import app
from tests.mutants.table import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`((?:shared|services|deploy|tests)/[\w/]+(?:\.py)?/?)(?::(\w+))?`")
PAGES = ("README.md", "CONTRIBUTING.md", "docs/architecture.md")


@cache
def defined(path: Path) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_function_that_is_named_exists(page: str) -> None:
    found = NAMED.findall((ROOT / page).read_text())
    assert found
    assert [path for path, _ in found if not (ROOT / path).exists()] == []
    assert [f"{path}:{name}" for path, name in found if name and name not in defined(ROOT / path)] == []


@pytest.mark.parametrize(
    "page",
    [*PAGES, "CHANGELOG.md", "examples/README.md", "docs/integrate.md", "docs/operations.md", "docs/kubernetes.md"],
)
def test_every_command_that_is_named_exists(page: str) -> None:
    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    named = set(re.findall(r"(?:`|bin/)parley ([a-z]+)", (ROOT / page).read_text()))
    assert named <= known


def test_every_rule_names_a_test() -> None:
    rules = (
        (ROOT / "docs" / "architecture.md")
        .read_text()
        .partition("## The rules of delivery")[2]
        .partition("### Dead")[0]
    )
    rows = [line for line in rules.splitlines() if line.startswith("| ") and not line.startswith(("| rule", "|---"))]
    assert len(rows) > 15
    assert [row for row in rows if not re.search(r"\| `tests/[\w/.]+` \|$", row)] == []


def rules() -> dict[str, str]:
    """Each rule of the page, with the test that its row names."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    part = page.partition("## The rules of delivery")[2].partition("### Dead")[0]
    rows = re.findall(r"^\| ((?!rule|-)[^|]+) \| [^|]+ \| `([\w/.]+)` \|$", part, flags=re.MULTILINE)
    return dict(rows)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule[:40])
def test_every_rule_is_broken_in_two_ways_and_its_row_names_the_test_that_sees_it(rule: str) -> None:
    own = [mutant for mutant in MUTANTS if rule.startswith(mutant.rule)]
    assert len({mutant.name for mutant in own}) >= 2
    assert any(rules()[rule] in mutant.tests.split() for mutant in own)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.rule[:30]}: {mutant.name}")
def test_what_a_mutant_replaces_stands_once_and_its_tests_are_there(mutant: Mutant) -> None:
    assert any(rule.startswith(mutant.rule) for rule in rules())
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1
    assert all((ROOT / part).exists() for part in mutant.tests.split() if part.startswith("tests/"))
