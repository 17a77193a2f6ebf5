"""A reader of the events topic that obeys the one rule: what is not above the last sequence of its conversation is dropped."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer

from shared.contract.records import EVENTS
from shared.runtime.settings import Settings
from tests.e2e.people import SECONDS

Json = dict[str, Any]


@dataclass
class Listener:
    """`events`: everything since it began, each with its record type's name as `type`."""

    events: list[Json] = field(default_factory=list)
    _last: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, record: Any) -> None:
        event = json.loads(record.value)
        sequence, key = event.get("sequence"), record.key.decode()
        if sequence is not None:
            if sequence <= self._last[key]:
                return
            self._last[key] = sequence
        name = dict(record.headers)["ce_type"].decode().removeprefix("parley.").removesuffix(".v1")
        async with self._more:
            self.events.append({**event, "type": name})
            self._more.notify_all()

    async def all(self, kind: str, wanted: Callable[[Json], bool], *, count: int = 1) -> list[Json]:
        """The events of this type, as soon as there are so many. Raises TimeoutError."""

        def found() -> list[Json]:
            return [event for event in self.events if event["type"] == kind and wanted(event)]

        async with asyncio.timeout(SECONDS), self._more:
            await self._more.wait_for(lambda: len(found()) >= count)
            return found()

    async def first(self, kind: str, wanted: Callable[[Json], bool]) -> Json:
        return (await self.all(kind, wanted))[0]


@asynccontextmanager
async def listening(kafka: str) -> AsyncIterator[Listener]:
    """From now on, on every partition."""
    consumer = AIOKafkaConsumer(Settings().topic(EVENTS), bootstrap_servers=kafka, auto_offset_reset="latest")
    await consumer.start()
    await consumer.seek_to_end()
    for place in consumer.assignment():
        await consumer.position(place)
    listener = Listener()

    async def listen() -> None:
        async for record in consumer:
            await listener.take(record)

    task = asyncio.create_task(listen())
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await consumer.stop()
