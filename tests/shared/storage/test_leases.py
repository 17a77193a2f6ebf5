"""What only one replica may run: it is run by one, and what was fenced writes no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.runtime.settings import Settings
from shared.storage import leases, migrate
from shared.storage.database import open_pool
from shared.storage.leases import Leases
from tests.patience import SECONDS

EXPIRE = "UPDATE lease SET lease_until = now() - interval '1 second' WHERE name = $1"


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Any]:
    await asyncio.to_thread(migrate.upgrade, settings, "chat_adapter")
    async with open_pool(settings, "chat_adapter") as pool:
        yield pool


async def test_a_lease_has_one_holder_until_it_is_given_back(pool: Any) -> None:
    first, second = Leases(pool), Leases(pool)
    assert await first.take("poll") == await first.take("poll")
    assert await second.take("poll") is None
    await second.release("poll")
    assert await second.take("poll") is None, "only the holder gives it back"
    await first.release("poll")
    assert await second.take("poll") is not None


async def test_of_many_who_reach_for_it_at_once_one_gets_it(pool: Any) -> None:
    taken = await asyncio.gather(*(Leases(pool).take("poll") for _ in range(8)))
    assert len([epoch for epoch in taken if epoch is not None]) == 1


async def test_each_new_holder_has_a_higher_epoch(pool: Any) -> None:
    first, second = Leases(pool), Leases(pool)
    before = await first.take("poll")
    await pool.execute(EXPIRE, "poll")
    after = await second.take("poll")
    assert before is not None
    assert after is not None
    assert after > before


async def test_work_ends_when_the_lease_is_lost_and_the_next_holder_goes_on(
    pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "SECONDS", 6.0)  # renewed within two, also on a busy machine
    began: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
    ended: asyncio.Queue[str] = asyncio.Queue()

    async def hold(who: str, epoch: int) -> None:
        await began.put((who, epoch))
        try:
            await asyncio.Event().wait()
        finally:
            await ended.put(who)

    tasks = [
        asyncio.create_task(Leases(pool).run("poll", lambda epoch, who=who: hold(who, epoch))) for who in ("ann", "bob")
    ]
    async with asyncio.timeout(SECONDS):
        first, epoch = await began.get()
        await pool.execute("UPDATE lease SET owner = gen_random_uuid(), epoch = epoch + 1, lease_until = now()")
        assert await ended.get() == first
        _, later = await began.get()
    assert later > epoch
    assert began.empty(), "never two at once"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_holder_that_stops_leaves_the_lease_to_others_at_once(pool: Any) -> None:
    entered = asyncio.Event()

    async def hold(_epoch: int) -> None:
        entered.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(Leases(pool).run("poll", hold))
    await entered.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await Leases(pool).take("poll") is not None
