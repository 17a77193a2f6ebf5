"""Batches that share a transaction: who waits together goes together, and nobody bears another's error."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg
import pytest

from services.router.batch.together import Batch, Together
from shared.contract.errors import DatabaseUnavailable, Fenced
from tests.promises.house import LOG, Customer, House, as_read
from tests.services.router.batch.test_batch import stored_offset, unstorable


@dataclass
class Work:
    """Takes what it is given when it is let, and fails for whoever is with a partition in `bad`."""

    bad: dict[int, Exception] = field(default_factory=dict)
    taken: list[list[int]] = field(default_factory=list)
    let: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, batches: Sequence[Batch]) -> asyncio.Future[None]:
        self.taken.append([batch.partition for batch in batches])
        await self.let.wait()
        for batch in batches:
            if batch.partition in self.bad:
                raise self.bad[batch.partition]
        published: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        published.set_result(None)
        return published


def batch(partition: int, records: int = 1) -> Batch:
    read = [as_read(Customer().says(), offset=n) for n in range(records)]
    return Batch("inbound", partition, 1, read, 0, records)


async def all_through(work: Work, together: Together, batches: Sequence[Batch]) -> list[BaseException | None]:
    """Each batch's outcome; the first has gone ahead when the others come."""
    turns = []
    for one in batches:
        turns.append(asyncio.create_task(together.take(one)))
        while not work.taken:
            await asyncio.sleep(0)
    for _ in range(10):  # what would begin now has begun
        await asyncio.sleep(0)
    work.let.set()
    given = await asyncio.gather(*turns, return_exceptions=True)
    return [one if isinstance(one, BaseException) else None for one in given]


async def test_what_comes_while_a_transaction_runs_goes_together() -> None:
    work = Work()
    await all_through(work, Together(work, most=500), [batch(n) for n in range(8)])
    assert work.taken == [[0], [1, 2, 3, 4, 5, 6, 7]]


async def test_together_they_are_no_more_records_than_allowed() -> None:
    work = Work()
    batches = [batch(n, records) for n, records in enumerate((1, 2, 2, 1, 9))]
    await all_through(work, Together(work, most=4), batches)
    assert work.taken == [[0], [1, 2], [3], [4]]


async def test_a_backlog_is_worked_off_by_two_transactions_at_once_and_no_more() -> None:
    work = Work()
    together = Together(work, most=5)
    turns = [asyncio.create_task(together.take(batch(n, 5))) for n in range(6)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert work.taken == [[0], [1]]
    work.let.set()
    await asyncio.gather(*turns)
    assert sorted(work.taken) == [[n] for n in range(6)]


async def test_an_error_is_told_to_whom_it_belongs() -> None:
    fenced, poison = Fenced("3"), ValueError("5")
    work = Work(bad={3: fenced, 5: poison})
    outcomes = await all_through(work, Together(work, most=500), [batch(n) for n in range(8)])
    assert outcomes == [None, None, None, fenced, None, poison, None, None]


async def test_a_database_that_is_away_is_asked_once_for_all_of_them() -> None:
    away = DatabaseUnavailable("away")
    work = Work(bad={5: away})
    outcomes = await all_through(work, Together(work, most=500), [batch(n) for n in range(8)])
    assert outcomes == [None, *[away] * 7]
    assert len(work.taken) == 2


async def test_a_batch_for_which_nobody_waits_any_more_is_left_out() -> None:
    work = Work()
    together = Together(work, most=500)
    turns = [asyncio.create_task(together.take(batch(n))) for n in range(2)]
    while not work.taken:
        await asyncio.sleep(0)
    late = asyncio.create_task(together.take(batch(9)))
    await asyncio.sleep(0)
    late.cancel()
    work.let.set()
    await asyncio.gather(*turns, together.take(batch(6)))
    assert work.taken == [[0, 1], [6]]


async def test_one_partition_that_was_lost_and_one_with_poison_hold_up_no_other(house: House) -> None:
    router, customer, topic = house.another_router(), Customer(), f"t{uuid.uuid4().hex}"
    for partition in range(8):
        await router.claim(topic, partition, LOG)
    await house.another_router().claim(topic, 4, LOG)
    said = [customer.says(f"{n}") if n != 6 else unstorable(customer) for n in range(8)]
    outcomes = await asyncio.gather(
        *(router.handle(topic, n, [as_read(one)], 0, 1) for n, one in enumerate(said)), return_exceptions=True
    )
    assert [type(one) for one in outcomes if one] == [Fenced, asyncpg.ProgramLimitExceededError]
    moved = [(await stored_offset(house, (topic, n)))[0] for n in range(8)]
    assert moved == [1, 1, 1, 1, -1, 1, -1, 1]
    (conversation,) = await house.conversations(customer)
    assert await house.log(conversation) == list(range(1, 8))


@pytest.mark.parametrize("first", ["reply", "message"])
async def test_records_of_different_topics_may_share_a_transaction(house: House, first: str) -> None:
    """What a person writes, what is answered, and what became of an earlier answer."""
    customer = Customer()
    conversation = await house.opened(customer)
    message = await house.queued(customer, conversation)
    batches = [customer.reply(conversation), customer.says("and then"), customer.report(message, "sent", "p1")]
    await house.take(*(batches if first == "reply" else reversed(batches)))
    assert sorted(await house.types(conversation)) == [
        "conversation.opened", "message.queued", "message.queued", "message.received", "message.received",
        "message.status",
    ]  # fmt: skip
    assert await house.statuses(message) == ["sent"]
