"""services/sandbox/failures/: how each provider says no, as the samples of its channel show it, for whoever plays the provider."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]
ROOT: Final = Path(__file__).parents[3]
PLACE: Final = "services/sandbox/failures"
KINDS: Final = ("out", "amend", "upload", "fetch", "profile")  # what a call of the channel's account can be


def files() -> dict[str, str]:
    """By its path from the root, for each channel with such samples: {name: {code, status, headers, body}}."""
    found = {folder.name: dict(_failures(folder)) for folder in sorted((ROOT / "tests/channels").glob("*/"))}
    return {f"{PLACE}/{name}.json": _text(failures) for name, failures in found.items() if failures}


def _failures(folder: Path) -> Iterator[tuple[str, Json]]:
    """By the names of their samples; where two kinds have one name, it is a send's."""
    for kind in reversed(KINDS):
        for path in sorted(folder.glob(f"*.{kind}.json")):
            sample = json.loads(path.read_text())
            answer = sample["exchange"][-1].get("response", {}) if "failed" in sample and sample.get("exchange") else {}
            body = answer.get("body") or ""
            if "status" in answer and isinstance(body, dict | str):
                headers = {name: value for name, value in answer.get("headers", {}).items() if name != "content-type"}
                told = {"code": sample["failed"]["code"], "status": answer["status"], "headers": headers, "body": body}
                yield path.name.partition(".")[0], told


def _text(failures: Json) -> str:
    """A line for each, so that a change shows which."""
    lines = (f"{json.dumps(name)}: {json.dumps(failures[name], ensure_ascii=False)}" for name in sorted(failures))
    return "{\n" + ",\n".join(lines) + "\n}\n"
