"""services/sandbox/failures/: how each provider says no, as the samples of its channel show it, for whoever plays the provider."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from services.cli.docs.samples import FOLDER, Json, samples

PLACE: Final = "services/sandbox/failures"
REFUSED: Final = 400
KINDS: Final = ("out", "amend", "upload", "fetch", "profile")  # what a call of the channel's account can be


def files() -> dict[str, str]:
    """By its path from the root, for each channel with such samples: {name: {of: kind of sample, code, status, headers, body}}."""
    found = {folder.name: dict(_failures(folder.name)) for folder in sorted(FOLDER.glob("*/"))}
    return {f"{PLACE}/{name}.json": _text(failures) for name, failures in found.items() if failures}


def _failures(channel: str) -> Iterator[tuple[str, Json]]:
    """By the names of their samples; where two kinds have one name, it is a send's."""
    for kind in reversed(KINDS):
        for sample in (one for one in samples(channel) if one.kind == kind):
            told = sample.told
            answers = [step.get("response", {}) for step in told.get("exchange") or ()] if "failed" in told else []
            refused = (one for one in reversed(answers) if one.get("status", 0) >= REFUSED)
            answer = next(refused, answers[-1] if answers else {})  # after a no more may be asked, about it
            body = answer.get("body") or ""
            if "status" in answer and isinstance(body, dict | str):
                headers = {name: value for name, value in answer.get("headers", {}).items() if name != "content-type"}
                no = {"of": kind, "code": told["failed"]["code"], "status": answer["status"]}
                yield sample.name, {**no, "headers": headers, "body": body}


def _text(failures: Json) -> str:
    """A line for each, so that a change shows which."""
    lines = (f"{json.dumps(name)}: {json.dumps(failures[name], ensure_ascii=False)}" for name in sorted(failures))
    return "{\n" + ",\n".join(lines) + "\n}\n"
