"""Members come, go and crash, on a real broker: who keeps a partition reads on, and who loses it is fenced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from deploy.local.home import Addresses
from shared.bus import cloudevents, consume
from shared.bus.leaving import leave
from shared.contract.errors import Fenced
from shared.runtime.settings import Settings
from tests.patience import SECONDS, until
from tests.shared.broker import GROUP, TOPIC, Owner, Reading, make_topics, reading, reply, settings_for, write


@pytest.fixture
async def settings(servers: Addresses) -> Settings:
    """A topic of two partitions, and sessions that outlive every test."""
    settings = settings_for(servers.kafka).model_copy(update={"session_seconds": 2 * SECONDS})
    await make_topics(settings, partitions=2)
    return settings


@dataclass
class Table:
    """What the router has in PostgreSQL: where each partition stands, and who was the last to claim it."""

    positions: dict[tuple[str, int], int] = field(default_factory=dict)
    owners: dict[tuple[str, int], object] = field(default_factory=dict)


class Fencing(Owner):
    """`let`: while it is not set, a batch under way does not end."""

    def __init__(self, table: Table) -> None:
        super().__init__(positions=table.positions)
        self.table, self.entered, self.let = table, set[int](), asyncio.Event()
        self.let.set()

    async def claim(self, topic: str, partition: int, log_id: str) -> int | None:
        self.table.owners[topic, partition] = self
        return await super().claim(topic, partition, log_id)

    async def handle(self, topic: str, partition: int, records: Sequence[cloudevents.In], start: int, end: int) -> None:
        self.entered.add(partition)
        await self.let.wait()
        if self.table.owners[topic, partition] is not self or self.positions.get((topic, partition), 0) != start:
            raise Fenced(topic)
        await super().handle(topic, partition, records, start, end)


class Slow(ConsumerRebalanceListener):  # type: ignore[misc]
    """A member that lets its group wait, until it is `let`."""

    def __init__(self) -> None:
        self.asked, self.let = asyncio.Event(), asyncio.Event()

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if revoked:
            self.asked.set()
            await self.let.wait()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None: ...


@asynccontextmanager
async def slow_member(settings: Settings) -> AsyncIterator[tuple[Slow, Any]]:
    member = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        group_id=settings.topic(GROUP),
        heartbeat_interval_ms=200,
        rebalance_timeout_ms=int(2 * SECONDS * 1000),
        enable_auto_commit=False,
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
    )
    listener = Slow()
    await member.start()
    member.subscribe([settings.topic(TOPIC)], listener=listener)
    try:
        yield listener, member
    finally:
        listener.let.set()
        await member.stop()


def is_settled(one: Reading, partitions: int) -> bool:
    return len(one.reader._seated) == partitions and not one.reader._agreeing


async def crash(consumer: Any) -> bool:
    """It is gone, and has told nobody."""
    consumer._coordinator.generation = 0
    return await leave(consumer)


def generation(one: Reading) -> int:
    return int(one.reader._consumer._coordinator.generation)


async def write_everywhere(settings: Settings, name: str) -> list[str]:
    names = [f"{name} {partition}" for partition in range(2)]
    for partition, id_ in enumerate(names):
        await write(settings, reply(id_=id_), partition=partition)
    return names


async def test_while_the_group_agrees_anew_what_is_ours_is_read_on(settings: Settings) -> None:
    table = Table()
    owner, second = Fencing(table), Fencing(table)
    async with reading(settings, owner) as first:
        await until(lambda: is_settled(first, 2))
        async with slow_member(settings) as (slow, member):
            await until(lambda: len(member.assignment()) == 1)
            await until(lambda: is_settled(first, 1))
            (ours,) = first.reader._seated
            claims = list(owner.claims)
            async with reading(settings, second):
                await asyncio.wait_for(slow.asked.wait(), SECONDS)
                await until(lambda: first.reader._agreeing)
                await write(settings, reply(id_="meanwhile"), partition=ours.partition)
                await until(lambda: "meanwhile" in owner.ids)
                assert not slow.let.is_set()
                assert owner.claims == claims
                slow.let.set()
        await until(lambda: is_settled(first, 2))
        names = await write_everywhere(settings, "afterwards")
        await until(lambda: set(names) <= {*owner.ids, *second.ids})
    assert sorted(owner.ids + second.ids) == sorted(["meanwhile", *names])


async def test_a_batch_under_way_when_members_change_is_handled_once(settings: Settings) -> None:
    """Where its partition is kept it goes on behind the batch; where it is lost, the new owner is the one."""
    table = Table()
    owner, second = Fencing(table), Fencing(table)
    async with reading(settings, owner) as first:
        await until(lambda: is_settled(first, 2))
        owner.let.clear()
        names = await write_everywhere(settings, "under way")
        await until(lambda: owner.entered == {0, 1})
        names += await write_everywhere(settings, "behind it")
        async with reading(settings, second) as other:
            await until(lambda: is_settled(other, 1) and is_settled(first, 1))
            owner.let.set()
            await until(lambda: len(owner.ids) == len(second.ids) == 2)
    assert sorted(owner.ids + second.ids) == sorted(names)


async def test_who_leaves_is_followed_at_once_and_who_crashed_has_its_partitions_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each under a name of its own. Nobody else notices the crash, since it is the same member that comes again."""
    table = Table()
    owner, second, third = (Fencing(table) for _ in range(3))
    named = [settings.model_copy(update={"instance": name}) for name in ("one", "two")]
    async with reading(named[0], owner) as first:
        async with reading(named[1], second) as other:
            await until(lambda: is_settled(first, 1) and is_settled(other, 1))
            agreed, claims = generation(first), list(owner.claims)
            with monkeypatch.context() as crashed:
                crashed.setattr(consume, "leave", crash)
                await other.reader.stop()
        async with reading(named[1], third) as again:
            await until(lambda: is_settled(again, 1))
            names = await write_everywhere(settings, "again")
            await until(lambda: len(owner.ids) == len(third.ids) == 1)
            assert generation(first) == generation(again) == agreed
            assert owner.claims == claims
        await until(lambda: is_settled(first, 2))
        names += await write_everywhere(settings, "alone")
        await until(lambda: len(owner.ids) == 3)
    assert sorted(owner.ids + third.ids) == sorted(names)
