"""Kafka's topics read without a group: from any place, nothing committed, nobody disturbed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.cli.running import MISUSED, fail
from shared.bus.joining import start
from shared.bus.kafka import connection
from shared.contract.envelope import utc
from shared.contract.records import DEAD_LETTER_LIMIT, TOPICS
from shared.runtime.settings import Settings

SECONDS: Final = 15.0  # what a broker that is there needs at the most


@asynccontextmanager
async def consumer(settings: Settings, topics: Iterable[str] = (), **options: Any) -> AsyncIterator[Any]:
    """A consumer of all partitions of these topics (full names), standing nowhere yet."""
    reading = AIOKafkaConsumer(
        *topics,
        **connection(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=DEAD_LETTER_LIMIT + 64 * 1024,
        **options,
    )
    try:
        await start(reading, settings, seconds=SECONDS)
        yield reading
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                await reading.stop()


async def seek(reading: Any, *, beginning: bool) -> dict[TopicPartition, int]:
    """Stand at the beginning or at the end; the offset behind the last record of each partition."""
    places = sorted(reading.assignment())
    async with asyncio.timeout(SECONDS):
        ends: dict[TopicPartition, int] = await reading.end_offsets(places)
        starts = await reading.beginning_offsets(places) if beginning else ends
    for place in places:
        reading.seek(place, starts[place])
    return ends


async def records(reading: Any) -> AsyncIterator[Any]:
    """What comes, for ever, each partition in order."""
    while True:
        for batch in (await reading.getmany(timeout_ms=1000)).values():
            for record in batch:
                yield record


async def standing(reading: Any) -> AsyncIterator[Any]:
    """Everything that is in the log now, each partition in order."""
    ends = await seek(reading, beginning=True)
    while any([await reading.position(place) < end for place, end in ends.items()]):
        for batch in (await reading.getmany(timeout_ms=1000)).values():
            for record in batch:
                if record.offset < ends[TopicPartition(record.topic, record.partition)]:
                    yield record


async def present(reading: Any) -> list[Any]:
    """The same, oldest first, and all of it in memory."""
    found = [record async for record in standing(reading)]
    return sorted(found, key=lambda record: (record.timestamp, record.topic, record.partition, record.offset))


def resolve(settings: Settings, name: str) -> list[str]:
    """The full names of the topics meant by a short one, as `events`, `inbound` or `inbound.chat`; else ends the command."""
    short = name.removeprefix(settings.prefix)
    declared = [topic.name for topic in TOPICS]
    found = [short] if short in declared else _within(short, declared)
    if not found:
        kinds = sorted({topic.removesuffix(".v1") for topic in declared if not topic.endswith(".dlq")})
        fail(f"There is no topic {name}. There are {', '.join(kinds)}, and the *.dlq of `parley dlq list`.", MISUSED)
    return [settings.topic(topic) for topic in found]


def _within(short: str, declared: Sequence[str]) -> list[str]:
    return [topic for topic in declared if topic.startswith(f"{short}.") and not topic.endswith(".dlq")]


def headers_of(record: Any) -> dict[str, str]:
    """The headers as text; what is not UTF-8 is replaced."""
    return {name: value.decode(errors="replace") for name, value in record.headers}


def described(record: Any) -> dict[str, Any]:
    """{"topic", "partition", "offset", "at", "type", "id", "key", "data"}; `data` is null where the value is not JSON."""
    headers = headers_of(record)
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "at": utc(datetime.fromtimestamp(record.timestamp / 1000, UTC)),
        "type": headers.get("ce_type"),
        "id": headers.get("ce_id"),
        "key": (record.key or b"").decode(errors="replace"),
        "data": parsed(record.value),
    }


def parsed(value: bytes | None) -> Any:
    """The value as JSON; None where it is none."""
    try:
        return orjson.loads(value or b"null")
    except orjson.JSONDecodeError:
        return None
