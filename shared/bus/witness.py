"""Kafka as the witness of PostgreSQL: a copy older than what was done with it is noticed, and nothing is done with it until a person has run `parley recover`."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.bus.cloudevents import Out
from shared.bus.kafka import connection as kafka
from shared.bus.leaving import leave
from shared.bus.produce import Producer
from shared.contract.errors import BusUnavailable, DatabaseUnavailable, Restored
from shared.contract.records import WITNESS
from shared.runtime.observe import RESTORED
from shared.runtime.settings import Settings
from shared.storage.database import Connection, Pool, transaction

log = structlog.get_logger(__name__)

EVERY: Final = 2.0  # seconds between two ticks: what a copy may lack without being noticed


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a database had come: which one it is, and its tick. `at`: when Kafka was told."""

    id: uuid.UUID
    tick: int
    at: datetime

    def is_ahead_of(self, found: Seen) -> bool:
        """Whether that one is another database, or a copy from before."""
        return self.id != found.id or self.tick > found.tick


class Witness:
    """Compares each new connection with what Kafka was told, and tells it on.

    Whatever brings back an older copy (a restore, a failover that lost commits) begins with new connections, so no
    statement is run on one that was not compared.
    """

    def __init__(self, settings: Settings, schema: str) -> None:
        self._settings, self._schema = settings, schema
        self._known: Seen | None = None
        self.asked = asyncio.Event()

    async def check(self, connection: Connection) -> None:
        """Raises Restored for a copy from before, DatabaseUnavailable while Kafka has not been asked."""
        if await connection.fetchval("SELECT to_regclass('witness')") is None:
            return  # no tables yet, or the release before made them
        if not self.asked.is_set():
            raise DatabaseUnavailable("it is compared with what Kafka knows of it as soon as Kafka answers")
        found = await stands_at(connection)
        RESTORED.labels(self._schema).set(behind := self._known is not None and self._known.is_ahead_of(found))
        if behind:
            raise Restored(
                f"schema {self._schema} is at tick {found.tick}, Kafka knows of {self._known and self._known.tick}"
            )

    async def run(self, pool: Pool, producer: Producer) -> None:
        """Ask Kafka first; then tick until cancelled. While the copy is an older one, look whether it has been recovered."""
        is_restored = False
        while True:
            try:
                if is_restored or not self.asked.is_set():
                    self._learn(await told(self._settings, self._schema))
                await self._tick(pool, producer)
                is_restored = False
            except Restored as error:
                log.error("database.restored", error=str(error))
                is_restored = True
            except (KafkaError, OSError, TimeoutError, BusUnavailable, DatabaseUnavailable) as error:
                log.info("witness.waiting", error=str(error))
            await asyncio.sleep(EVERY)

    def _learn(self, found: Seen | None) -> None:
        """Kafka's word and what this process has seen itself: the further one; a person's word is another database, or higher."""
        if found and (self._known is None or found.tick >= self._known.tick):
            self._known = found
        self.asked.set()

    async def _tick(self, pool: Pool, producer: Producer) -> None:
        async with transaction(pool) as connection:
            if await connection.fetchval("SELECT to_regclass('witness')") is None:
                return
            row = await connection.fetchrow("UPDATE witness SET tick = tick + 1 RETURNING id, tick")
            now = Seen(row[0], row[1], datetime.now(UTC))
            if self._known and self._known.is_ahead_of(now):  # put back below a connection that stayed open
                await pool.expire_connections()
                raise Restored(f"schema {self._schema} went back from tick {self._known.tick} to {now.tick}")
        self._known = now
        await producer.send(record(self._settings, self._schema, now))


async def stands_at(connection: Connection) -> Seen:
    """Of the schema that the connection is in."""
    row = await connection.fetchrow("SELECT id, tick FROM witness")
    return Seen(row[0], row[1], datetime.now(UTC))


def record(settings: Settings, schema: str, seen: Seen) -> Out:
    value = orjson.dumps({"database": str(seen.id), "tick": seen.tick})
    return Out(settings.topic(WITNESS), schema.encode(), value, [])


async def told(settings: Settings, schema: str) -> Seen | None:
    """The furthest that Kafka was told of a schema. Raises KafkaError, OSError, TimeoutError."""
    consumer = AIOKafkaConsumer(
        **kafka(settings), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        async with asyncio.timeout(20):
            await consumer.start()
            topic = settings.topic(WITNESS)
            await consumer._client._wait_on_metadata(topic)
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            consumer.assign(partitions)
            await consumer.seek_to_beginning()
            ends = await consumer.end_offsets(partitions)
            found: list[Seen] = []
            for partition, end in ends.items():
                while await consumer.position(partition) < end:
                    for one in (await consumer.getmany(partition, timeout_ms=200)).get(partition, ()):
                        found += [_read(one)] if one.key == schema.encode() else []
    finally:
        await leave(consumer)
    return max(found, key=lambda seen: seen.tick, default=None)


def _read(one: Any) -> Seen:
    value = orjson.loads(one.value)
    return Seen(uuid.UUID(value["database"]), value["tick"], datetime.fromtimestamp(one.timestamp / 1000, UTC))
