"""What a service really reads, by its code: the settings' names in every module that it imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from shared.runtime import settings
from shared.runtime.settings import Settings
from tests.deploy.manifests import ROOT

HOUSE: Final = ("shared", "services", "deploy")
VARIABLE: Final = re.compile(r"PARLEY_[A-Z_]+")
FIELDS: Final = frozenset(Settings.model_fields)


def variable(field: str) -> str:
    return f"PARLEY_{field.upper()}"


@cache
def variables_read(module: str) -> frozenset[str]:
    """The names of all environment variables that `python -m MODULE` may read."""
    found: set[str] = set()
    for path in files_of(module):
        if path == Path(settings.__file__):
            continue
        tree = ast.parse(path.read_text())
        found |= {variable(field) for field in fields_read(tree)}
        found |= {node.value for node in ast.walk(tree) if is_name(node)}  # type: ignore[attr-defined]
    return frozenset(found)


def fields_read(tree: ast.AST) -> Iterator[str]:
    """`settings.kafka`, `self._settings.kafka`, `life.settings.kafka`; `.topic()` reads the prefix."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ends_in_settings(node.value):
            if node.attr in FIELDS:
                yield node.attr
            if f"{node.attr}_file" in FIELDS:  # the settings themselves read it
                yield f"{node.attr}_file"
            elif node.attr == "topic":
                yield "prefix"


def ends_in_settings(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in {"settings", "_settings"}


def is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(VARIABLE.fullmatch(node.value))


def files_of(module: str) -> set[Path]:
    """The module's file and those of all that it imports from this house, however deep."""
    waiting, seen = [f"{module}.__main__" if file_of(f"{module}.__main__") else module], set()
    while waiting:
        file = file_of(waiting.pop())
        if file is None or file in seen:
            continue
        seen.add(file)
        waiting += imported(file)
    return seen


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def file_of(module: str) -> Path | None:
    """The file of a module of this house; None for anything else, a class among them."""
    if module.partition(".")[0] not in HOUSE:
        return None
    path = ROOT.joinpath(*module.split("."))
    found = (candidate for candidate in (path / "__init__.py", path.with_suffix(".py")) if candidate.exists())
    return next(found, None)
