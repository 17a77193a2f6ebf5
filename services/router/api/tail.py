"""events.v1 read from any place, without a group: nothing is committed, and rebalances concern nobody."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.bus.kafka import connection
from shared.bus.leaving import leave
from shared.contract.envelope import utc
from shared.contract.records import EVENTS
from shared.runtime.settings import Settings

SECONDS: Final = 10.0  # what a broker that is there needs at the most
POLL_MS: Final = 500

Positions = dict[int, int]  # partition → offset of the next record
Start = Positions | Literal["now", "beginning"]


@dataclass(frozen=True, slots=True)
class Event:
    """One record of events.v1; `data` is the JSON object that listeners are sent, in one line."""

    partition: int
    offset: int
    data: bytes
    tenant: str = ""


class Tail:
    """One reader of all partitions, standing at `positions`."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._places: list[TopicPartition] = sorted(consumer.assignment())
        self.positions: Positions = {}

    async def seek(self, start: Start) -> None:
        """Stand at `start`; a partition that it does not name, or where the log no longer holds it, is read from its beginning."""
        async with asyncio.timeout(SECONDS):
            first = await self._consumer.beginning_offsets(self._places)
            end = await self._consumer.end_offsets(self._places)
        for place in self._places:
            offset = _within(start, place.partition, first=first[place], end=end[place])
            self._consumer.seek(place, offset)
            self.positions[place.partition] = offset

    async def read(self) -> list[Event]:
        """What came within half a second, each partition in order."""
        return list(map(as_event, await self.records()))

    async def records(self) -> list[Any]:
        """The same, as Kafka has it."""
        batches = await self._consumer.getmany(timeout_ms=POLL_MS)
        found = [record for records in batches.values() for record in records]
        self.positions |= {record.partition: record.offset + 1 for record in found}
        return found

    async def is_behind(self) -> bool:
        async with asyncio.timeout(SECONDS):
            end = await self._consumer.end_offsets(self._places)
        return any(self.positions[place.partition] < offset for place, offset in end.items())


@contextlib.asynccontextmanager
async def open_tail(settings: Settings, start: Start) -> AsyncIterator[Tail]:
    consumer = AIOKafkaConsumer(
        settings.topic(EVENTS),
        **connection(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    try:
        async with asyncio.timeout(SECONDS):
            await consumer.start()
        tail = Tail(consumer)
        await tail.seek(start)
        yield tail
    finally:
        await leave(consumer)


def as_event(record: Any) -> Event:
    """{"type", "id", "key", "time", "published_at", "partition", "offset", "data"}; `data` is null where the value is not JSON."""
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    published = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    shown = {
        "type": headers.get("ce_type"),
        "id": headers.get("ce_id"),
        "key": (record.key or b"").decode(errors="replace"),
        "time": headers.get("ce_time"),
        "published_at": utc(published),
        "partition": record.partition,
        "offset": record.offset,
        "data": _parsed(record.value),
    }
    return Event(record.partition, record.offset, orjson.dumps(shown), headers.get("ce_tenant", ""))


def _parsed(value: bytes | None) -> Any:
    try:
        return orjson.loads(value or b"null")
    except orjson.JSONDecodeError:
        return None


def _within(start: Start, partition: int, *, first: int, end: int) -> int:
    if start == "now":
        return end
    if start == "beginning":
        return first
    offset = start.get(partition, first)
    return offset if first <= offset <= end else first
