"""A topic of a test's own on the real broker, an owner that remembers, and a reader in between."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.structs import TopicPartition
from pytest import MonkeyPatch

from shared.bus import cloudevents, produce
from shared.bus.consume import Reader
from shared.bus.produce import Producer
from shared.bus.topics import knows_controller
from shared.contract.envelope import Text
from shared.contract.errors import OtherLog
from shared.contract.records import DEAD_LETTER_LIMIT
from shared.contract.requests import Reply
from shared.runtime.lifecycle import Health
from shared.runtime.settings import Settings
from tests.patience import SECONDS

TOPIC, GROUP = "requests.v1", "readers"
DLQ = f"{TOPIC}.{GROUP}.dlq"


def settings_for(kafka: str) -> Settings:
    return Settings(kafka=kafka, prefix=f"s{uuid.uuid4().hex[:8]}.", partitions=1, replication=1, session_seconds=20)


async def make_topics(settings: Settings, *, partitions: int = 1, names: Sequence[str] = (TOPIC, DLQ)) -> None:
    limit = {"max.message.bytes": str(DEAD_LETTER_LIMIT)}
    async with administering(settings) as admin:
        await admin.create_topics([NewTopic(settings.topic(n), partitions, 1, topic_configs=limit) for n in names])
        async with asyncio.timeout(SECONDS):
            while {settings.topic(n) for n in names} - set(await admin.list_topics()):
                await asyncio.sleep(0.05)


async def make_anew(settings: Settings) -> None:
    """What a cluster that has lost its data looks like: the same topic, another log."""
    async with administering(settings) as admin:
        await admin.delete_topics([settings.topic(TOPIC)])
        async with asyncio.timeout(SECONDS):
            while settings.topic(TOPIC) in await admin.list_topics():
                await asyncio.sleep(0.05)
    await make_topics(settings, names=[TOPIC])


async def forget_before(settings: Settings, offset: int) -> None:
    """What retention does: everything below the offset is gone."""
    async with administering(settings) as admin:
        place = TopicPartition(settings.topic(TOPIC), 0)
        await admin.delete_records({place: RecordsToDelete(before_offset=offset)})


@asynccontextmanager
async def administering(settings: Settings) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        async with asyncio.timeout(SECONDS):
            await knows_controller(admin)
        yield admin
    finally:
        await admin.close()


@asynccontextmanager
async def our_patience() -> AsyncIterator[None]:
    """What is done here ends because our patience with Kafka does, long before aiokafka's of 15 seconds would."""
    with MonkeyPatch.context() as patch:
        patch.setattr(produce, "PATIENCE", 0.5)
        async with asyncio.timeout(12):
            yield


@asynccontextmanager
async def writing(settings: Settings, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """A stranger's producer."""
    options = {"max_request_size": DEAD_LETTER_LIMIT, "linger_ms": 5} | options
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


def reply(text: str = "hello", *, id_: str | None = None) -> cloudevents.Out:
    """A record that can be read."""
    model = Reply(conversation=uuid.uuid4(), parts=(Text(text=text),))
    made = cloudevents.headers(
        "request.reply",
        source="/test",
        id=id_ or uuid.uuid4().hex,
        time=datetime.now(UTC),
        tenant="default",
        subject="test",
    )
    return cloudevents.Out("", b"key", cloudevents.encode(model), made)


async def write(settings: Settings, *records: cloudevents.Out, partition: int = 0) -> None:
    async with writing(settings) as producer:
        pending = [
            await producer.send(settings.topic(TOPIC), r.value, key=r.key, headers=r.headers, partition=partition)
            for r in records
        ]
        await asyncio.gather(*pending)


async def records_of(settings: Settings, topic: str) -> list[Any]:
    """Everything that stands on a topic now."""
    consumer = AIOKafkaConsumer(settings.topic(topic), bootstrap_servers=settings.kafka, auto_offset_reset="earliest")
    async with asyncio.timeout(SECONDS):
        await consumer.start()
        try:
            found: list[Any] = []
            for partition, end in (await consumer.end_offsets(consumer.assignment())).items():
                while await consumer.position(partition) < end:
                    found += (await consumer.getmany(partition, timeout_ms=200)).get(partition, [])
            return found
        finally:
            await consumer.stop()


@dataclass
class Owner:
    """Keeps positions in memory, as the router does in its tables. `refuses`: what it raises over a batch, if anything."""

    positions: dict[tuple[str, int], int] = field(default_factory=dict)
    refuses: Callable[[Sequence[cloudevents.In]], None] = lambda _records: None
    seen: list[cloudevents.In] = field(default_factory=list)
    batches: list[tuple[int, int]] = field(default_factory=list)
    claims: list[int] = field(default_factory=list)
    logs: dict[tuple[str, int], str] = field(default_factory=dict)
    _moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def claim(self, topic: str, partition: int, log_id: str) -> int | None:
        self.claims.append(partition)
        if self.logs.setdefault((topic, partition), log_id) != log_id:
            raise OtherLog(log_id)
        return self.positions.get((topic, partition))

    async def handle(self, topic: str, partition: int, records: Sequence[cloudevents.In], start: int, end: int) -> None:
        self.refuses(records)
        async with self._moved:
            self.seen += records
            self.batches.append((start, end))
            self.positions[topic, partition] = end
            self._moved.notify_all()

    @property
    def ids(self) -> list[str]:
        return [record.id for record in self.seen]

    async def reaches(self, end: int) -> None:
        """Return when a partition has been read up to there."""
        async with asyncio.timeout(SECONDS), self._moved:
            await self._moved.wait_for(lambda: end in self.positions.values())


@dataclass
class Reading:
    reader: Reader
    task: asyncio.Task[None]
    health: Health
    producer: Producer


@asynccontextmanager
async def reading(
    settings: Settings, owner: Any, *, reader: type[Reader] = Reader, **options: Any
) -> AsyncIterator[Reading]:
    """A reader that runs, with the producer for its dead letters."""
    producer, health = Producer(settings), Health()
    await producer.start()
    made = reader(
        settings=settings, topics=[TOPIC], group=GROUP, owner=owner, producer=producer, health=health, **options
    )
    task = asyncio.create_task(made.run())
    made.begin(task)
    try:
        yield Reading(made, task, health, producer)
    finally:
        await made.stop()
        with suppress(asyncio.CancelledError, Exception):
            await task
        await producer.stop()
