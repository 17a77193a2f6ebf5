"""Acknowledged sends, and the publisher whose output is always a prefix of what it was given."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import islice
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, OutOfOrderSequenceNumber
from aiokafka.partitioner import murmur2
from aiokafka.protocol.metadata import MetadataRequest
from prometheus_client import Counter

from shared.bus.cloudevents import Out
from shared.bus.joining import find_reason, start
from shared.bus.kafka import connection
from shared.bus.leaving import leave
from shared.contract.errors import BusUnavailable, BusUnreachable, Misconfigured, TooLarge
from shared.contract.records import DEAD_LETTER_LIMIT
from shared.runtime.lasting import spawn
from shared.runtime.observe import RECORDS_OUT
from shared.runtime.settings import Settings

log = structlog.get_logger(__name__)

AT_ONCE: Final = 500  # records of one sender that are on their way
PATIENCE: Final = 5.0  # seconds until a send that is not acknowledged counts as refused
RECYCLE: Final = 24 * 3600.0  # seconds of a producer's life: its sequence numbers must never wrap (aiokafka)
BATCH: Final = 256 * 1024  # bytes
REPLACED: Final = 1.0  # seconds that a producer lives at least, whatever Kafka answers
SILENCE: Final = 2.0  # seconds without an acknowledgement after which Kafka is asked whether it is there


@lru_cache(maxsize=16_384)  # aiokafka's murmur2 is pure Python; a conversation's next event has the same key
def partition_of(key: bytes, partitions: int) -> int:
    """The partition that every Kafka client's default gives to this key."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


@cache
def _written(topic: str) -> Counter:
    return RECORDS_OUT.labels(topic)


class Producer:
    """An idempotent producer that is built anew when it is broken, old, or has never reached a broker.

    aiokafka's waits for ever when the brokers are gone, is dead for good after an unexpected error in its sender, and counts
    a batch that a broker refuses as sent: that partition takes nothing from it any more. All end here, in BusUnavailable
    within five seconds and in a new producer, while the old one finishes what it has on its way.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        connection(settings)  # settings that cannot be used end the start
        self._current: AIOKafkaProducer | None = None
        self._born = 0.0
        self._heard = 0.0
        self._replacing: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._failing_since: float | None = None
        self._reason = ""

    @property
    def trouble(self) -> str | None:
        """Why sends fail at the moment; None while they are acknowledged."""
        if self._current is None:
            return f"no connection to Kafka{self._because}"
        if self._failing_since is not None:
            return f"Kafka has not acknowledged for {time.monotonic() - self._failing_since:.0f} s{self._because}"
        return None

    @property
    def _because(self) -> str:
        return self._reason and f": {self._reason}"

    async def tend(self) -> None:
        """Keep a working producer: connect, recycle, and find out whether Kafka is there while nobody sends."""
        while True:
            if self._current is None or self._broken() or time.monotonic() - self._born > RECYCLE:
                await self.discard(self._current)
            elif self._failing_since is not None or time.monotonic() - self._heard > SILENCE:
                await self._probe(self._current)
            await asyncio.sleep(0.5)

    def _broken(self) -> bool:
        sender = self._current and self._current._sender
        return bool(sender and sender.sender_task and sender.sender_task.done())

    async def _probe(self, producer: AIOKafkaProducer) -> None:
        """Kafka is there as long as one of its brokers says so; who of them leads what shows when something is sent."""
        try:
            async with asyncio.timeout(PATIENCE):
                await _first_answer(producer.client)
        except (TimeoutError, KafkaError, OSError):
            self._fails()
            self._reason = await find_reason(self._settings)
        else:
            self._works()

    def _works(self) -> None:
        self._heard, self._failing_since, self._reason = time.monotonic(), None, ""

    def _fails(self, reason: str = "") -> None:
        if self._failing_since is None:
            self._failing_since, self._reason = time.monotonic(), reason

    async def start(self) -> None:
        """One attempt to connect; without success `tend` goes on trying and sends are refused meanwhile."""
        await self.discard(None)

    async def discard(self, producer: AIOKafkaProducer | None) -> None:
        """Put a new one in the place of a producer that proved broken, once for all who found that out.

        Whoever waits may lose patience; the work goes on. Another one is not made within a second.
        """
        if self._current is not producer:
            return
        if self._replacing is None or self._replacing.done():
            self._replacing = spawn(self._replace(producer), "new producer")
        await asyncio.shield(self._replacing)

    async def _replace(self, old: AIOKafkaProducer | None) -> None:
        if old is not None:
            await asyncio.sleep(self._born + REPLACED - time.monotonic())
        new = await self._build()
        if new is None:
            return
        self._current, self._born = new, time.monotonic()
        self._works()
        if old is not None:
            log.info("bus.producer_replaced")
            closing = spawn(_close(old), "old producer")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _build(self) -> AIOKafkaProducer | None:
        """One that is connected; None, and why, while there can be none."""
        new = None
        try:
            new = AIOKafkaProducer(
                **connection(self._settings),
                enable_idempotence=True,
                acks="all",
                linger_ms=0,
                max_batch_size=BATCH,
                max_request_size=DEAD_LETTER_LIMIT,
                request_timeout_ms=15_000,
            )
            await start(new, self._settings, seconds=PATIENCE)
        except (BusUnreachable, Misconfigured) as error:
            self._reason = error.detail
            log.warning("bus.unreachable", reason=self._reason)
            if new is not None:
                await _close(new)
            return None
        return new

    async def current(self) -> AIOKafkaProducer:
        """The live producer; raises BusUnavailable while there is none."""
        if self._current is None:
            raise BusUnavailable("not connected")
        return self._current

    async def send(self, record: Out) -> None:
        """Return when the record is durable. Raises BusUnavailable (not accepted, or not known to be), TooLarge."""
        try:
            async with asyncio.timeout(PATIENCE):
                alone = False
                while not await self._is_sent(record, alone=alone):
                    alone = True
        except MessageSizeTooLargeError as error:
            raise TooLarge(record.topic) from error
        except (TimeoutError, KafkaError, OSError) as error:
            self._fails()
            raise BusUnavailable(type(error).__name__) from error
        self._works()
        _written(record.topic).inc()

    async def _is_sent(self, record: Out, *, alone: bool) -> bool:
        """Whether it is durable; False where it certainly is not, and another record was or may have been the reason."""
        producer = await self.current()
        acknowledged = await (_send_alone if alone else _send)(producer, record)
        try:
            await acknowledged
        except OutOfOrderSequenceNumber:
            await self.discard(producer)
            return False
        except KafkaError as error:
            await self.discard(producer)
            if isinstance(error, MessageSizeTooLargeError) and not alone:
                return False
            self._fails(f"{record.topic} refuses a record ({type(error).__name__}); see `parley topics plan`")
            raise BusUnavailable(type(error).__name__) from error
        return True

    async def send_all(self, records: Iterable[Out]) -> None:
        """All durable, or the first error. However many there are, so many at a time are on their way."""
        left = iter(records)
        while some := tuple(islice(left, AT_ONCE)):
            if len(some) == 1:
                await self.send(some[0])
                continue
            outcomes = await asyncio.gather(*map(self.send, some), return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome

    async def partitions(self, topic: str) -> int:
        """How many partitions a topic has; raises BusUnavailable."""
        producer = await self.current()
        try:
            async with asyncio.timeout(PATIENCE):
                return len(await producer.partitions_for(topic))
        except (TimeoutError, KafkaError, OSError) as error:
            raise BusUnavailable(topic) from error

    async def stop(self) -> None:
        if self._replacing is not None:
            self._replacing.cancel()
        current, self._current = self._current, None
        await asyncio.gather(*self._closing, *([_close(current)] if current is not None else []))


async def _send(producer: AIOKafkaProducer, record: Out) -> asyncio.Future[Any]:
    """Its acknowledgement. Raises MessageSizeTooLargeError for what no topic takes: it never leaves."""
    acknowledged: asyncio.Future[Any]
    acknowledged = await producer.send(record.topic, record.value, key=record.key, headers=record.headers)
    return acknowledged


async def _send_alone(producer: AIOKafkaProducer, record: Out) -> asyncio.Future[Any]:
    """Its acknowledgement, in a batch of its own."""
    batch = producer.create_batch()
    batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers)
    batch.close()
    place = partition_of(record.key or b"", len(await producer.partitions_for(record.topic)))
    acknowledged: asyncio.Future[Any] = await producer.send_batch(batch, record.topic, partition=place)
    return acknowledged


async def _first_answer(client: Any) -> None:
    """Return when one broker has answered. Raises KafkaError of the last one where none does."""
    brokers = client.cluster.brokers()
    for number, broker in enumerate(brokers, 1):
        try:
            async with asyncio.timeout(PATIENCE / len(brokers)):
                await client.send(broker.nodeId, MetadataRequest([]))
            return
        except (TimeoutError, KafkaError, OSError):
            if number == len(brokers):
                raise


async def _close(producer: AIOKafkaProducer) -> None:
    if not await leave(producer):
        log.warning("bus.producer_abandoned")


@dataclass(slots=True)
class _Lane:
    """The rows of one output partition that are not acknowledged yet, in order."""

    waiting: deque[tuple[Out, _Ticket]] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class _Ticket:
    """Counts the rows of one call down to the moment when all are durable."""

    __slots__ = ("done", "left")

    def __init__(self, rows: int) -> None:
        self.left = rows
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not rows:
            self.done.set_result(None)

    def acknowledge(self) -> None:
        self.left -= 1
        if not self.left and not self.done.done():
            self.done.set_result(None)


class Publisher:
    """What leaves is always a prefix (docs/architecture.md, Publishing).

    Per output partition, rows are packed in order into explicit record batches with one outstanding; nothing behind a
    batch that failed leaves until that one is acknowledged. (Single sends do not stop each other: one refused alone lets
    the next ones through, and a consumer that drops what it has passed loses the refused one for ever.)

    `failures`: how many batches were sent once more; what was not acknowledged may still come to stand behind.
    """

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._partitions: dict[str, int] = {}
        self.failures = 0

    async def publish(self, rows: Sequence[Out]) -> None:
        """Return when all rows are durable; waits as long as that takes. Rows of one key keep their order."""
        await self.prepare({row.topic for row in rows})
        await self.enqueue(rows)

    async def prepare(self, topics: Iterable[str]) -> None:
        """Learn what `enqueue` must know of these topics."""
        for topic in set(topics) - self._partitions.keys():
            self._partitions[topic] = await self._count(topic)

    def enqueue(self, rows: Sequence[Out]) -> asyncio.Future[None]:
        """Put rows behind all that was put before, at once; the future is done when they are durable."""
        ticket = _Ticket(len(rows))
        for row in rows:
            place = (row.topic, partition_of(row.key or b"", self._partitions[row.topic]))
            lane = self._lanes.setdefault(place, _Lane())
            lane.waiting.append((row, ticket))
            if lane.task is None:
                self._begin(place, lane)
        return ticket.done

    def _begin(self, place: tuple[str, int], lane: _Lane) -> None:
        """Again where it ended before all was sent, which only what it awaited can have done to it."""

        def ended(task: asyncio.Task[None]) -> None:
            lane.task = None
            if lane.waiting and not task.cancelling():
                self._begin(place, lane)

        lane.task = spawn(self._drain(place, lane), f"publish {place[0]}")
        lane.task.add_done_callback(ended)

    async def _count(self, topic: str) -> int:
        while True:
            try:
                return await self._producer.partitions(topic)
            except BusUnavailable:
                await asyncio.sleep(0.5)

    async def _drain(self, place: tuple[str, int], lane: _Lane) -> None:
        pause = 0.1
        while lane.waiting:
            try:
                sent = await self._send_batch(place, lane.waiting)
            except Exception as error:  # noqa: BLE001 whatever it is: whoever waits for these rows waits for this task
                self.failures += 1
                log.warning("publish.failed", topic=place[0], partition=place[1], error=repr(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, 5.0)
                continue
            pause = 0.1
            RECORDS_OUT.labels(place[0]).inc(sent)
            for _ in range(sent):
                lane.waiting.popleft()[1].acknowledge()

    async def _send_batch(self, place: tuple[str, int], rows: Iterable[tuple[Out, Any]]) -> int:
        """Send as many of the first rows as fit into one batch; how many those were."""
        producer = await self._producer.current()
        batch = producer.create_batch()
        count = 0
        for row, _ in rows:
            if batch.append(timestamp=None, key=row.key, value=row.value, headers=row.headers) is None:
                break
            count += 1
        batch.close()
        acknowledged: asyncio.Future[Any] | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                acknowledged = await producer.send_batch(batch, place[0], partition=place[1])
            done, _ = await asyncio.wait({acknowledged}, timeout=4 * PATIENCE)
            if not done:
                raise BusUnavailable("batch not acknowledged")
            acknowledged.result()
        except (BusUnavailable, TimeoutError, KafkaError, OSError) as error:
            await self._producer.discard(producer)
            raise BusUnavailable(type(error).__name__) from error
        return count

    async def stop(self) -> None:
        """Give up what is not acknowledged: it stands in the outbox."""
        tasks = [lane.task for lane in self._lanes.values() if lane.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
