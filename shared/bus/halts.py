"""Where readers stand still over records that fail, and what a person has said of it: offsets in Kafka, of groups without members.

Kafka takes such an offset from anybody at any time, so that a reader need not be stopped to be told, and a restored or mended
database knows nothing of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.bus.joining import start
from shared.bus.kafka import connection
from shared.runtime.settings import Settings

SECONDS: Final = 15.0
GOES_ON: Final = "goes on"


class Halt(NamedTuple):
    """`offset`: where a partition of this log stands, and why; or where it `goes_on` to: what fails before is set aside."""

    offset: int
    log_id: str
    why: str

    @property
    def goes_on(self) -> bool:
        return self.why == GOES_ON


def halts_group(group: str) -> str:
    return f"{group}.halts"


def halt_of(kept: Any) -> Halt | None:
    """What a committed offset says; None: nothing was ever said."""
    if kept is None or kept.offset < 0:
        return None
    log_id, _, why = kept.metadata.partition(" ")
    return Halt(kept.offset, log_id, why)


async def tell(settings: Settings, group: str, place: TopicPartition, said: Halt) -> Halt:
    """Say it, unless a person has said that this log goes on past there; what stands now. Raises KafkaError, BusUnavailable, TimeoutError."""
    async with _offsets(settings, group) as offsets, asyncio.timeout(SECONDS):
        offsets.assign([place])
        known = halt_of((await offsets._coordinator.fetch_committed_offsets([place])).get(place))
        if known and known.goes_on and known.log_id == said.log_id and known.offset > said.offset:
            return known
        if known != said:
            await offsets.commit({place: (said.offset, f"{said.log_id} {said.why}")})
        return said


@asynccontextmanager
async def _offsets(settings: Settings, group: str) -> AsyncIterator[Any]:
    name = settings.topic(halts_group(group))
    client = AIOKafkaConsumer(**connection(settings), group_id=name, enable_auto_commit=False)
    try:
        await start(client, settings, seconds=SECONDS)
        yield client
    finally:
        async with asyncio.timeout(SECONDS):
            await client.stop()
