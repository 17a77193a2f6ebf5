"""Snapshots (docs/architecture.md): the last record of each key is the newest, whoever writes it, dies, or wakes up late."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from services.router.batch import snapshots
from services.router.batch.service import Router
from services.router.batch.snapshots import KINDS, Snapshots
from shared.bus.cloudevents import Out
from shared.bus.produce import Publisher
from shared.contract.errors import BusUnavailable
from shared.contract.events import ConversationState
from shared.contract.records import CONVERSATIONS
from tests.patience import until
from tests.promises.house import Customer, House, records_of
from tests.promises.test_retention import age, removing, to_the_end

CONVERSATION = KINDS[0]


@dataclass
class Log:
    """A compacted topic; each record with its value, or None."""

    records: list[tuple[uuid.UUID, dict[str, Any] | None]] = field(default_factory=list)

    def last(self) -> dict[uuid.UUID, dict[str, Any] | None]:
        """What compaction leaves."""
        return dict(self.records)

    def versions(self, conversation: uuid.UUID) -> list[int | None]:
        return [value and value["version"] for key, value in self.records if key == conversation]


@dataclass
class Pen:
    """Stands where the publisher stands. `slow`: awaited before anything is written; `fails`: how often before it succeeds."""

    log: Log
    slow: Callable[[], Any] | None = None
    fails: int = 0
    failures: int = 0

    async def publish(self, rows: Sequence[Out]) -> None:
        if self.slow:
            await self.slow()
        self.failures, self.fails = self.failures + self.fails, 0
        for row in rows:
            assert row.key is not None
            value = orjson.loads(row.value) if row.value else None
            self.log.records.append((uuid.UUID(row.key.decode()), value))


@dataclass
class Process:
    """A router that commits batches, and what tells how things are since."""

    house: House
    pen: Pen

    def __post_init__(self) -> None:
        self.router: Router = self.house.another_router()
        name = self.router._outbox.name
        self.snapshots = Snapshots(self.house.settings, self.house.pool, self.pen, name)  # type: ignore[arg-type]

    async def take(self, *models: Any) -> Any:
        return await self.house.take(*models, router=self.router)

    async def marks(self) -> set[uuid.UUID]:
        rows = await self.house.pool.fetch(
            "SELECT entity FROM untold WHERE publisher = $1 AND kind = 'conversation'", self.router._outbox.name
        )
        return {row[0] for row in rows}


@pytest.fixture
async def log(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Log]:
    """Nothing is left to be told by anybody; of conversations only."""
    monkeypatch.setattr(snapshots, "KINDS", (CONVERSATION,))
    await house.pool.execute("DELETE FROM untold")
    yield Log()
    await house.pool.execute("DELETE FROM untold")


async def as_it_is(house: House, conversation: uuid.UUID) -> int | None:
    found: int | None = await house.pool.fetchval("SELECT last_sequence FROM conversation WHERE id = $1", conversation)
    return found


async def test_a_conversation_is_told_as_it_is_once_for_all_that_happened(house: House, log: Log) -> None:
    process, customer = Process(house, Pen(log)), Customer()
    (opened,) = (await process.take(customer.says("one"), customer.says("two", name="n"))).opened
    await process.take(customer.says("three", minutes=1))
    assert await process.snapshots.tell() == 1
    assert await process.marks() == set()
    ((key, value),) = log.records
    told = ConversationState.model_validate(value)
    assert (key, told.id, told.version, told.last_sequence) == (opened.id, opened.id, 4, 4)
    assert (told.tenant, told.channel, told.account, told.peer) == (customer.tenant, "webhook", "main", "ann")
    assert "three" not in str(value), "what was said stands in events only"
    assert await process.snapshots.tell() == 0


async def test_what_a_killed_process_has_committed_is_told_by_another(house: House, log: Log) -> None:
    dead, other, customer = Process(house, Pen(log)), Process(house, Pen(log)), Customer()
    (opened,) = (await dead.take(customer.says())).opened
    await dead.snapshots.appear()
    await other.snapshots.adopt(CONVERSATION)
    assert await other.snapshots.tell() == 0, "it may live"
    await other.snapshots.adopt(CONVERSATION, silent=0)
    assert await other.snapshots.tell() == 1
    assert log.versions(opened.id) == [2]
    assert await dead.marks() == set()


async def test_what_was_read_before_and_written_after_anothers_is_told_again(house: House, log: Log) -> None:
    """One and two by the quick one, then one by the slow one: compaction would keep the one."""
    quick, customer = Process(house, Pen(log)), Customer()

    async def meanwhile() -> None:
        slow.pen.slow = None
        await quick.take(customer.says("two", minutes=1))
        await quick.snapshots.tell()

    slow = Process(house, Pen(log, slow=meanwhile))
    (opened,) = (await slow.take(customer.says("one"))).opened
    await slow.snapshots.tell()
    assert log.versions(opened.id) == [3, 2]
    assert await slow.marks() == {opened.id}
    await slow.snapshots.tell()
    assert log.versions(opened.id) == [3, 2, 3]
    assert await slow.marks() == set()


async def test_who_was_taken_for_dead_and_wakes_up_tells_again_what_it_wrote_late(house: House, log: Log) -> None:
    heir, customer = Process(house, Pen(log)), Customer()

    async def meanwhile() -> None:
        sleeper.pen.slow = None
        await heir.snapshots.adopt(CONVERSATION, silent=-1)
        await heir.take(customer.says("two", minutes=1))
        await heir.snapshots.tell()
        assert await heir.marks() == await sleeper.marks() == set()

    sleeper = Process(house, Pen(log, slow=meanwhile))
    (opened,) = (await sleeper.take(customer.says("one"))).opened
    await sleeper.snapshots.tell()
    await sleeper.snapshots.tell()
    assert log.versions(opened.id) == [3, 2, 3]


async def test_what_changes_while_it_is_told_is_told_again(house: House, log: Log) -> None:
    customer = Customer()

    async def meanwhile() -> None:
        process.pen.slow = None
        await process.take(customer.says("two", minutes=1))

    process = Process(house, Pen(log, slow=meanwhile))
    (opened,) = (await process.take(customer.says("one"))).opened
    await process.snapshots.tell()
    assert await process.marks() == {opened.id}
    await process.snapshots.tell()
    assert log.versions(opened.id) == [2, 3]
    assert await process.marks() == set()


async def test_after_a_batch_that_may_still_come_to_stand_there_it_is_told_once_more(
    house: House, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "LATE", 0.0)
    process, customer = Process(house, Pen(log, fails=1)), Customer()
    (opened,) = (await process.take(customer.says("one"))).opened
    await process.snapshots.tell()
    assert await process.marks() == {opened.id}
    await process.snapshots.tell()
    assert log.versions(opened.id) == [2, 2]
    assert await process.marks() == set()


async def test_a_publisher_counts_what_it_sends_once_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = Publisher(house.producer)
    record = Out(house.settings.topic(CONVERSATIONS), b"key", b'{"tenant": "nobody", "version": 0}', [])
    await publisher.publish([record])
    assert publisher.failures == 0
    current = house.producer.current

    async def broken() -> Any:
        monkeypatch.setattr(house.producer, "current", current)
        raise BusUnavailable("not connected")

    monkeypatch.setattr(house.producer, "current", broken)
    await publisher.publish([record])
    assert publisher.failures == 1


async def test_what_retention_removes_is_told_as_gone(house: House, log: Log) -> None:
    process, customer = Process(house, Pen(log)), Customer()
    (opened,) = (await process.take(customer.says())).opened
    await process.snapshots.tell()
    await age(house, opened.id)
    await to_the_end(removing(house, customer).conversations)
    assert await as_it_is(house, opened.id) is None
    await process.snapshots.adopt(CONVERSATION)
    await process.snapshots.tell()
    assert log.versions(opened.id) == [2, None]


async def test_more_than_a_page_is_told_whole(house: House, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "TOGETHER", 2)
    process, customers = Process(house, Pen(log)), [Customer() for _ in range(5)]
    await process.take(*(customer.says() for customer in customers))
    assert await process.snapshots.tell() == 5
    assert len(log.last()) == 5


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_overtakes_what_the_last_record_is_the_newest(house: House, log: Log, seed: int) -> None:
    """Three processes that commit, tell, are slow and die at any await, over the same conversations."""
    chance = random.Random(seed)
    customers = [Customer() for _ in range(3)]
    minutes = iter(range(1000))

    async def slow() -> None:
        await asyncio.sleep(chance.choice((0, 0, 0.005, 0.02, 0.06)))

    async def live(process: Process) -> None:
        async def commit() -> None:
            for _ in range(6):
                some = chance.sample(customers, 2)
                await process.take(*(one.says(minutes=next(minutes)) for one in some))
                await slow()

        async def tell() -> None:
            while True:
                await process.snapshots.tell()
                await slow()

        telling = asyncio.create_task(tell())
        try:
            await commit()
            await slow()
        finally:
            telling.cancel()
            await asyncio.wait({telling})

    await asyncio.gather(*(live(Process(house, Pen(log, slow=slow))) for _ in range(3)))
    heir = Process(house, Pen(log))

    async def is_all_told() -> bool:
        await heir.snapshots.adopt(CONVERSATION, silent=-1)
        await heir.snapshots.tell()
        return not await house.pool.fetchval("SELECT EXISTS (SELECT FROM untold WHERE kind = 'conversation')")

    await until(is_all_told)
    last = {key: value and value["version"] for key, value in log.last().items()}
    ids = [one for customer in customers for one in await house.conversations(customer)]
    assert last == {one: await as_it_is(house, one) for one in ids}


async def test_on_kafka_a_snapshot_says_its_version_and_what_is_gone_has_no_value(house: House, log: Log) -> None:
    process, customer = Process(house, Pen(log)), Customer()
    process.snapshots = Snapshots(house.settings, house.pool, Publisher(house.producer), process.router._outbox.name)
    (opened,) = (await process.take(customer.says())).opened
    await process.snapshots.tell()
    async with house.pool.acquire() as connection, connection.transaction():
        await connection.execute("DELETE FROM conversation WHERE id = $1", opened.id)
        await snapshots.mark(connection, "conversation", [opened.id])
    await process.snapshots.adopt(CONVERSATION)
    await process.snapshots.tell()
    assert await process.marks() == set()
    first, last = [r for r in await records_of(house.settings, CONVERSATIONS) if r.key == str(opened.id).encode()]
    told = dict(first.headers)
    assert (told["ce_type"], told["ce_sequence"], told["ce_tenant"]) == (
        b"parley.conversation.v1",
        b"2",
        customer.tenant.encode(),
    )
    assert (last.value, last.headers) == (None, ())
