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
    """{name: {code, status, headers, body}}; none of a channel without samples."""
    path = FOLDER / f"{channel}.json"
    found: dict[str, Json] = orjson.loads(path.read_bytes()) if path.exists() else {}
    return found


def channels() -> list[str]:
    """Those of which there are any."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))
