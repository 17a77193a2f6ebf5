"""More accounts in the file of a running stack, which its adapters take up by themselves."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def add_tables(home: Path, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Each by its dotted name, as `accounts.facebook.second`; no reader sees half of it."""
    file = home / "accounts.toml"
    text = file.read_text() + "".join(f"\n[{name}]\n{_lines(table)}" for name, table in tables.items())
    tomllib.loads(text)
    draft = file.with_suffix(".new")
    draft.write_text(text)
    draft.chmod(0o600)
    draft.replace(file)


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in table.items())
