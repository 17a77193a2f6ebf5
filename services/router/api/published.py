"""When Kafka took the events of one message: read from the log, since nothing else knows."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import web
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.router.api.answers import answer, path_uuid
from services.router.api.tail import SECONDS
from services.router.api.threads import SEEN
from services.router.api.tokens import GRANT
from shared.bus.kafka import connection
from shared.bus.leaving import leave
from shared.bus.produce import partition_of
from shared.contract.errors import BusUnavailable
from shared.contract.records import EVENTS
from shared.runtime.settings import Settings
from shared.storage.database import Pool

READERS: Final = 4
MOST_EVENTS: Final = 50
MOST_RECORDS: Final = 20_000  # read for one message; what lies further away is not looked for
EARLIER: Final = timedelta(seconds=2)  # the router's clock and the broker's are not one
POLL_MS: Final = 300

OF_MESSAGE: Final = f"""
    SELECT conversation_id, sequence, at FROM message WHERE id = $1 AND {SEEN}
    UNION ALL
    SELECT conversation_id, sequence, at FROM event WHERE message_id = $1 AND {SEEN}
    ORDER BY sequence LIMIT $3
"""  # noqa: S608 constants only


async def show_published(pool: Pool, log: Log, request: web.Request) -> web.Response:
    """GET /api/messages/{id}/published: {"published": {sequence: time}}; what the log no longer holds is left out."""
    rows = await pool.fetch(OF_MESSAGE, path_uuid(request), request[GRANT].only, MOST_EVENTS)
    if not rows:
        return answer({"published": {}})
    found = await log.find(rows[0]["conversation_id"], {row["sequence"]: row["at"] for row in rows})
    return answer({"published": {str(sequence): at for sequence, at in found.items()}})


class Log:
    """events.v1 as it is stored: each record with the time at which the broker took it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._readers = asyncio.Semaphore(READERS)

    async def find(self, conversation: uuid.UUID, wanted: Mapping[int, datetime]) -> dict[int, datetime]:
        """The broker's time of each sequence that is still there; `wanted` says when each came about. Raises BusUnavailable."""
        key = str(conversation).encode()
        try:
            async with self._readers, asyncio.timeout(SECONDS), self._open(key) as (consumer, place):
                return await _find(consumer, place, key, wanted)
        except (KafkaError, TimeoutError, OSError) as error:
            raise BusUnavailable("the events cannot be read") from error

    @contextlib.asynccontextmanager
    async def _open(self, key: bytes) -> AsyncIterator[tuple[Any, TopicPartition]]:
        topic = self._settings.topic(EVENTS)
        consumer = AIOKafkaConsumer(**connection(self._settings), enable_auto_commit=False)
        try:
            await consumer.start()
            await consumer._client._wait_on_metadata(topic)
            place = TopicPartition(topic, partition_of(key, len(consumer.partitions_for_topic(topic) or (0,))))
            consumer.assign([place])
            yield consumer, place
        finally:
            await leave(consumer)


async def _find(
    consumer: Any, place: TopicPartition, key: bytes, wanted: Mapping[int, datetime]
) -> dict[int, datetime]:
    """Sequences stand in the log in their order, so that the search only ever goes forward."""
    found: dict[int, datetime] = {}
    end = (await consumer.end_offsets([place]))[place]
    here, budget = 0, MOST_RECORDS
    for sequence, at in sorted(wanted.items()):
        if sequence in found:
            continue
        begin = await _offset_at(consumer, place, at - EARLIER)
        if begin is None:
            break
        consumer.seek(place, here := max(here, begin))
        while here < end and budget > 0 and not (found and max(found) >= sequence):
            batch = (await consumer.getmany(place, timeout_ms=POLL_MS)).get(place, [])
            budget -= len(batch) or 1
            here = await consumer.position(place)
            found |= _times(batch, key, wanted)
    return found


async def _offset_at(consumer: Any, place: TopicPartition, at: datetime) -> int | None:
    found = (await consumer.offsets_for_times({place: int(at.timestamp() * 1000)}))[place]
    return found.offset if found else None


def _times(batch: list[Any], key: bytes, wanted: Mapping[int, datetime]) -> dict[int, datetime]:
    mine = ((dict(record.headers).get("ce_sequence"), record) for record in batch if record.key == key)
    return {
        int(sequence): datetime.fromtimestamp(record.timestamp / 1000, UTC)
        for sequence, record in mine
        if sequence and sequence.isdigit() and int(sequence) in wanted
    }
