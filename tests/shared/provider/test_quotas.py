"""A day's quota is counted for all who share it, before it is spent; polls leave a part of it to sends, and last the day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from provider import Account, Provider, make_channel

from shared.contract.channel import Http, Quota
from shared.contract.errors import SendFailed
from shared.provider.calls import Caller, Principal
from shared.provider.quotas import Quotas
from shared.runtime.settings import Settings
from shared.storage import migrate
from shared.storage.blobs import Blobs
from shared.storage.database import open_pool

DAY = timedelta(hours=25)  # of the one on which clocks go back
PACIFIC = "America/Los_Angeles"
CHANNEL = replace(make_channel(), quota=lambda _account: Quota(name="ours", units=100, reserve=60, zone=PACIFIC))


class Replica:
    """A process that calls the provider."""

    def __init__(self, caller: Caller, account: Account) -> None:
        self.caller, self.account = caller, account

    async def asks(self, cost: int, *, polling: bool = False, commits: bool = False) -> None:
        principal = Principal(channel=CHANNEL, account=self.account, polling=polling)
        await self.caller.ask(Http(url=self.account.api, cost=cost, commits=commits), principal)

    async def pause(self, spent: int) -> timedelta:
        return await self.caller.pause(spent, Principal(channel=CHANNEL, account=self.account, polling=True))


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    await provider.start()
    yield provider
    await provider.stop()


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Any]:
    await asyncio.to_thread(migrate.upgrade, settings, "chat_adapter")
    async with open_pool(settings, "chat_adapter") as pool:
        yield pool


@pytest.fixture
async def replicas(settings: Settings, pool: Any, provider: Provider) -> AsyncIterator[tuple[Replica, Replica]]:
    blobs = Blobs.open(settings.blobs)
    async with Caller(blobs, quotas=Quotas(pool)) as one, Caller(blobs, quotas=Quotas(pool)) as two:
        yield (
            Replica(one, Account(name="a", api=provider.address)),
            Replica(two, Account(name="b", api=provider.address)),
        )


async def test_accounts_and_replicas_share_it_and_a_call_beyond_it_is_put_off_to_the_next_day(
    replicas: tuple[Replica, Replica], provider: Provider
) -> None:
    one, two = replicas
    await one.asks(50, commits=True)
    await two.asks(50, commits=True)
    with pytest.raises(SendFailed, match="100 units is used up") as failed:
        await one.asks(1, commits=True)
    assert failed.value.reason == "throttled"
    assert failed.value.retry_after is not None
    assert timedelta(0) < failed.value.retry_after <= DAY
    assert len(provider.seen) == 2, "what is beyond it does not leave"


async def test_what_a_poll_may_not_spend_a_send_may(replicas: tuple[Replica, Replica]) -> None:
    one, _ = replicas
    await one.asks(40, polling=True)
    with pytest.raises(SendFailed, match="60 are kept for sends"):
        await one.asks(1, polling=True)
    await one.asks(50, commits=True)
    assert REGISTRY.get_sample_value("parley_quota_left_units", {"channel": "line", "account": "a"}) == 10


async def test_many_at_once_spend_no_more_than_there_is(replicas: tuple[Replica, Replica], provider: Provider) -> None:
    asked = [replica.asks(10) for replica in replicas for _ in range(10)]
    ended = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(end, SendFailed) for end in ended) == 10
    assert len(provider.seen) == 10


async def test_the_next_day_has_its_own(replicas: tuple[Replica, Replica], pool: Any) -> None:
    one, _ = replicas
    await one.asks(100)
    await pool.execute("UPDATE quota SET day = day - 1")
    await one.asks(100)
    with pytest.raises(SendFailed):
        await one.asks(1)


async def test_a_poll_waits_as_long_as_its_share_lasts_for_the_day(replicas: tuple[Replica, Replica]) -> None:
    one, _ = replicas
    assert await one.pause(0) == timedelta(0)
    rest = await one.pause(1000)
    assert timedelta(0) < rest <= DAY, "nothing is left: tomorrow"
    await one.asks(20, polling=True)
    pause = await one.pause(2)
    assert rest * 2 / 20 - timedelta(minutes=5) < pause <= rest * 2 / 20


async def test_a_channel_without_a_quota_asks_nobody(settings: Settings, provider: Provider) -> None:
    async with Caller(Blobs.open(settings.blobs), quotas=Quotas(None)) as caller:
        principal = Principal(channel=make_channel(), account=Account(name="a", api=provider.address))
        await caller.ask(Http(url=provider.address, cost=1), principal)
    assert len(provider.seen) == 1
