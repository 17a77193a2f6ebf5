"""A world in which only outbox and publisher are real: replicas, row locks, a broker that fails, a clock that skips the waiting."""

from __future__ import annotations

import asyncio
import random
import selectors
import uuid
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiokafka.errors import KafkaError

from services.router.batch.publish import Outbox, Row
from shared.bus.cloudevents import Out
from shared.bus.produce import Publisher, partition_of
from shared.contract.records import EVENTS
from shared.runtime.settings import Settings

PARTITIONS = 2
SETTINGS = Settings()
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = uuid.UUID(int=0)
BATCH_ROWS = 3  # small, so that what one call publishes leaves in several batches


class Impatient(selectors.SelectSelector):
    """Never waits: tells how long it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again: somebody waits for what was lost")
        self.skipped += max(0.0, timeout)
        return super().select(0)


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next thing that is due."""

    def __init__(self) -> None:
        self._impatient = Impatient()
        super().__init__(self._impatient)

    def time(self) -> float:
        return self._impatient.skipped


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine, however many seconds it sleeps, at once."""
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(main)


# the broker ----------------------------------------------------------------------------------------------------------


@dataclass
class Faults:
    """How often a batch is refused, is lost, lands although its sender is told otherwise, or lands very late."""

    refused: float = 0.0
    unanswered: float = 0.0
    late: float = 0.0


@dataclass
class Broker:
    """Appends batches to a log per partition, each as a whole."""

    chance: random.Random
    faults: Faults
    logs: dict[int, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))

    async def append(self, partition: int, rows: Sequence[tuple[str, int]]) -> None:
        """One produce request: it goes on even when nobody waits for its answer any more."""
        await asyncio.sleep(self.chance.uniform(0, 0.3))
        dice = self.chance.random()
        if dice < self.faults.refused:
            raise KafkaError("refused")
        if dice < self.faults.refused + self.faults.unanswered:
            await asyncio.sleep(3600)
        if self.chance.random() < self.faults.late:
            await asyncio.sleep(self.chance.uniform(5, 60))
        self.logs[partition] += rows

    def firsts(self) -> dict[str, list[int]]:
        """What a consumer that drops `sequence <= last seen` is left with, by conversation."""
        seen: dict[str, list[int]] = defaultdict(list)
        for log in self.logs.values():
            for conversation, sequence in log:
                if sequence > (seen[conversation] or [0])[-1]:
                    seen[conversation].append(sequence)
        return seen


class Batch:
    """aiokafka's BatchBuilder as the publisher uses it."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int]] = []

    def append(self, *, timestamp: None, key: bytes, value: bytes, headers: object) -> object | None:
        if len(self.rows) == BATCH_ROWS:
            return None
        self.rows.append((key.decode(), int(value)))
        return object()

    def close(self) -> None:
        pass


class Transport:
    """Stands where `shared.bus.produce.Producer` stands, and where aiokafka's producer stands behind it."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.requests: set[asyncio.Task[None]] = set()

    async def partitions(self, _topic: str) -> int:
        return PARTITIONS

    async def current(self) -> Transport:
        return self

    async def discard(self, producer: Transport) -> None:
        assert producer is self

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, _topic: str, *, partition: int) -> asyncio.Future[None]:
        request = asyncio.ensure_future(self.broker.append(partition, batch.rows))
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.requests.add(request)
        request.add_done_callback(lambda _: self._answer(request, answer))
        return answer

    def _answer(self, request: asyncio.Task[None], answer: asyncio.Future[None]) -> None:
        self.requests.discard(request)
        error = None if request.cancelled() else request.exception()
        if answer.done():
            return
        if error:
            answer.set_exception(error)
            answer.exception()  # a publisher that has died looks no more
        else:
            answer.set_result(None)


class SingleSends(Publisher):
    """What the publisher must not be: each row by itself, tried again by itself."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def prepare(self, topics: Iterable[str]) -> None:
        pass

    def enqueue(self, rows: Sequence[Out]) -> asyncio.Future[None]:
        return asyncio.ensure_future(self._send_each(rows))

    async def _send_each(self, rows: Sequence[Out]) -> None:
        await asyncio.gather(*map(self._send, rows))

    async def _send(self, row: Out) -> None:
        partition = partition_of(row.key, PARTITIONS)
        while True:
            batch = self._transport.create_batch()
            batch.append(timestamp=None, key=row.key, value=row.value, headers=row.headers)
            try:
                async with asyncio.timeout(20):
                    await (await self._transport.send_batch(batch, row.topic, partition=partition))
                return
            except (KafkaError, TimeoutError):
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        pass


# the database and the replicas ------------------------------------------------------------------------------------------


@dataclass
class Rules:
    """The rules of publishing (docs/architecture.md), each of which can be broken."""

    helping: bool = True
    publisher: Callable[[Transport], Publisher] = Publisher  # type: ignore[assignment]
    sweeps_whole_conversations: bool = True
    deletes_after_acknowledgement: bool = True


@dataclass
class Database:
    """Committed rows, and a lock per conversation. `began`: when the row's transaction began."""

    locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    last: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    outbox: dict[tuple[str, int], float] = field(default_factory=dict)

    def left_in(self, conversations: Sequence[str]) -> list[tuple[str, int]]:
        return sorted(row for row in self.outbox if row[0] in conversations)


def row_of(place: tuple[str, int]) -> Row:
    """A row of the outbox; its conversation's id is the name itself."""
    name, sequence = place
    return Row(name, sequence, EVENTS, "default", None, ID, "message.received", NOON, b"%d" % sequence)  # type: ignore[arg-type]


class Process:
    """What one process has in memory: a publisher, and an outbox that knows what it has sent."""

    def __init__(self, rules: Rules, broker: Broker, database: Database) -> None:
        self._publisher = rules.publisher(Transport(broker))
        self._outbox = Outbox(SETTINGS, self._publisher)
        self._database = database

    async def publish(self, rows: Sequence[tuple[str, int]]) -> None:
        """Publish, wait for it, and forget what was acknowledged."""
        await self._outbox.publish(list(map(row_of, rows)))
        with self._outbox.forgetting() as places:
            await asyncio.sleep(0)
            self.forget([(str(name), sequence) for name, sequence, _ in places])

    def forget(self, rows: Iterable[tuple[str, int]]) -> None:
        for row in rows:
            self._database.outbox.pop(row, None)

    async def stop(self) -> None:
        await self._publisher.stop()


@dataclass
class World:
    """Three replicas that may die at any await, a sweeper, one broker."""

    seed: int
    rules: Rules
    faults: Faults
    crashes: bool = True
    conversations: tuple[str, ...] = ("ann", "bob", "cho")
    batches: int = 5
    replicas: int = 3

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.database = Database()
        self.broker = Broker(self.chance, self.faults)

    async def live(self) -> dict[str, list[int]]:
        """All replicas through their batches, then calm; what a consumer has seen of each conversation."""
        await asyncio.gather(*(self._replica() for _ in range(self.replicas)))
        self.faults.refused = self.faults.unanswered = self.faults.late = 0.0
        await self._sweep(self._new_process(), older_than=0.0)
        await asyncio.sleep(100)
        return self.broker.firsts()

    def lost_or_turned(self, seen: dict[str, list[int]]) -> dict[str, list[int]]:
        """The conversations of which a consumer has not seen 1, 2, 3 … to the last."""
        return {
            name: seen[name] for name in self.conversations if seen[name] != [*range(1, self.database.last[name] + 1)]
        }

    async def _replica(self) -> None:
        """One after the other: a process that dies is followed by a new one with nothing in memory."""
        left = self.batches
        while left:
            process = asyncio.create_task(self._process(left))
            if self.crashes and self.chance.random() < 0.5:
                await asyncio.wait({process}, timeout=self.chance.uniform(0, 8))
                process.cancel()
            await asyncio.wait({process})
            left = left - 1 if process.cancelled() else process.result()
            await self._pause()

    async def _process(self, batches: int) -> int:
        process = self._new_process()
        sweeping = asyncio.create_task(self._sweep_now_and_then(process))
        try:
            shares = (batches // 2, batches - batches // 2)
            await asyncio.gather(*(self._partition(process, share) for share in shares))
        finally:
            sweeping.cancel()
            await process.stop()
        return 0

    def _new_process(self) -> Process:
        return Process(self.rules, self.broker, self.database)

    async def _partition(self, process: Process, batches: int) -> None:
        """Each input partition is read by a task of its own; all share the process's outbox."""
        for _ in range(batches):
            rows = await self._transaction()
            if not self.rules.deletes_after_acknowledgement:
                process.forget(rows)
            await self._pause()
            await process.publish(rows)

    async def _transaction(self) -> list[tuple[str, int]]:
        """Lock, read, number, commit; the rows to publish, in order."""
        touched = sorted(self.chance.sample(self.conversations, self.chance.randint(1, 2)))
        began = asyncio.get_running_loop().time()
        locks = [self.database.locks[name] for name in touched]
        held = []
        try:
            for lock in locks:
                await lock.acquire()
                held.append(lock)
                await self._pause()
            rows = self.database.left_in(touched) if self.rules.helping else []
            await self._pause()
            rows += self._commit(touched, began)
        finally:
            for lock in held:
                lock.release()
        return rows

    def _commit(self, touched: Sequence[str], began: float) -> list[tuple[str, int]]:
        """What is written becomes visible at once, or, where the process died before, never."""
        new = []
        for name in touched:
            for _ in range(self.chance.randint(1, 2)):
                self.database.last[name] += 1
                new.append((name, self.database.last[name]))
        self.database.outbox.update(dict.fromkeys(new, began))
        return new

    async def _sweep_now_and_then(self, process: Process) -> None:
        while True:
            await asyncio.sleep(self.chance.uniform(0.1, 2))
            await self._sweep(process, older_than=self.chance.uniform(0, 3))

    async def _sweep(self, process: Process, *, older_than: float) -> None:
        line = asyncio.get_running_loop().time() - older_than
        old = [row for row, began in self.database.outbox.items() if began <= line]
        if self.rules.sweeps_whole_conversations:
            old = self.database.left_in([name for name, _ in old])
        await self._pause()
        await process.publish(sorted(old))

    async def _pause(self) -> None:
        await asyncio.sleep(self.chance.choice((0, 0, 0.01, 0.2, 2)))
