"""Dead letters as they lie in Kafka: whose, why, and the record they were."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from services.cli.reading import SECONDS, consumer, headers_of, parsed, present
from services.cli.running import MISUSED, fail
from shared.contract.envelope import utc
from shared.runtime.settings import Settings

SUFFIX: Final = ".dlq"
MARK: Final = "dlq-"


@dataclass(frozen=True)
class Letter:
    """One dead letter. `record`: as Kafka gave it."""

    record: Any

    @property
    def headers(self) -> dict[str, str]:
        return headers_of(self.record)

    @property
    def original(self) -> list[tuple[str, bytes]]:
        """The headers that the record had before it was set aside."""
        return [(name, value) for name, value in self.record.headers if not name.startswith(MARK)]

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.record.timestamp / 1000, UTC)

    @property
    def place(self) -> str:
        return f"{self.record.topic} {self.record.partition} {self.record.offset}"

    def told(self) -> dict[str, Any]:
        """Where it lies, where it came from, and why."""
        headers = self.headers
        return {
            "topic": self.record.topic,
            "partition": self.record.partition,
            "offset": self.record.offset,
            "at": utc(self.at),
            "from": headers.get("dlq-original-topic") or headers.get("http-url"),
            "type": headers.get("ce_type"),
            "error": headers.get("dlq-error-class"),
            "message": headers.get("dlq-error-message"),
            "bytes": len(self.record.value or b""),
        }

    def whole(self) -> dict[str, Any]:
        """The same with key, headers and value; a value that is not JSON as text, or as base64."""
        return {
            **self.told(),
            "key": (self.record.key or b"").decode(errors="replace"),
            "headers": self.headers,
            **_value(self.record.value or b""),
        }


def _value(value: bytes) -> dict[str, Any]:
    if (found := parsed(value)) is not None:
        return {"value": found}
    try:
        return {"text": value.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


async def topics(settings: Settings) -> list[str]:
    """Every dead-letter topic that Kafka has under our prefix."""
    async with consumer(settings) as reading, asyncio.timeout(SECONDS):
        names: Iterable[str] = await reading.topics()
    return sorted(name for name in names if name.startswith(settings.prefix) and name.endswith(SUFFIX))


async def letters(settings: Settings, names: list[str]) -> list[Letter]:
    """All dead letters of these topics, oldest first."""
    if not names:
        return []
    async with consumer(settings, names) as reading:
        return [Letter(record) for record in await present(reading)]


async def counts(settings: Settings) -> dict[str, int]:
    """How many there are in each topic that has any."""
    names = await topics(settings)
    async with consumer(settings, names) as reading, asyncio.timeout(SECONDS):
        places = list(reading.assignment())
        starts, ends = await reading.beginning_offsets(places), await reading.end_offsets(places)
    found = dict.fromkeys(names, 0)
    for place in places:
        found[place.topic] += ends[place] - starts[place]
    return {name: count for name, count in found.items() if count}


async def named(settings: Settings, topic: str) -> list[Letter]:
    """All of one topic, named in full or without the prefix; ends the command where there is none."""
    full = topic if topic.startswith(settings.prefix) else settings.topic(topic)
    if full not in await topics(settings):
        fail(f"There is no dead-letter topic {topic}. `parley dlq list` names those that hold something.", MISUSED)
    return await letters(settings, [full])
