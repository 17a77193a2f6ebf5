"""How each provider says no, by name: the failures that its channel's samples document (`parley docs` writes them)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

Json = dict[str, Any]
FOLDER: Final = Path(__file__).parent


@cache
def failures(channel: str) -> dict[str, Json]:
    """{name: {of: the kind of sample, code, status, headers, body}}; none of a channel without samples."""
    path = FOLDER / f"{channel}.json"
    found: dict[str, Json] = orjson.loads(path.read_bytes()) if path.exists() else {}
    return found


def refusals() -> dict[str, dict[str, str]]:
    """{channel: {name: code}}: what a send may be refused with."""
    found = {path.stem: failures(path.stem) for path in sorted(FOLDER.glob("*.json"))}
    return {
        one: {name: told["code"] for name, told in all_.items() if told["of"] == "out"} for one, all_ in found.items()
    }
