"""What the samples of a channel show of it: tests/channels/NAME, each of which the conformance suite holds against the code."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

Json = dict[str, Any]

FOLDER: Final = Path(__file__).resolve().parents[3] / "tests/channels"
NOT_SAMPLES: Final = ("settings.json", "limits.json", "failures.json")


class Sample(NamedTuple):
    """`kind`: what it is a sample of (`out`, `amend`, `poll` …), "" of something that came in by webhook or mail."""

    name: str
    kind: str
    told: Json

    @property
    def records(self) -> list[Json]:
        """What comes in by it, as WHAT.json says."""
        found: list[Json] = self.told.get("records") or self.told.get("polled", {}).get("records") or []
        return found


@cache
def samples(channel: str) -> tuple[Sample, ...]:
    """In the order of their names; none of a channel whose messages come by a server of our own."""
    return tuple(_read(path) for path in sorted((FOLDER / channel).glob("*.json")) if path.name not in NOT_SAMPLES)


def _read(path: Path) -> Sample:
    name, _, kind = path.name.removesuffix(".json").partition(".")
    return Sample(name, kind, orjson.loads(path.read_bytes()))


def limits(channel: str) -> dict[str, list[Any]]:
    """Each limit with the page that says it."""
    path = FOLDER / channel / "limits.json"
    found: dict[str, list[Any]] = orjson.loads(path.read_bytes()) if path.exists() else {}
    return found


def refusals(channel: str) -> dict[str, list[Json]]:
    """Each way to say no of which there is no sample of its own: the answer, and what it is told as."""
    path = FOLDER / channel / "failures.json"
    found: dict[str, list[Json]] = orjson.loads(path.read_bytes()) if path.exists() else {}
    return found


def settings(channel: str) -> Json | None:
    path = FOLDER / channel / "settings.json"
    return orjson.loads(path.read_bytes()) if path.exists() else None


def parts(channel: str) -> Iterator[tuple[Sample, Json]]:
    """Every part of every message that comes in."""
    for sample in samples(channel):
        for record in sample.records:
            for part in record.get("parts", ()):
                yield sample, part
