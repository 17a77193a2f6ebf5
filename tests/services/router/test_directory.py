"""Every replica knows all accounts, as their adapters last described them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from deploy.local.home import Addresses
from services.router.directory import Directory
from shared.bus import cloudevents
from shared.bus.produce import Producer
from shared.contract.channel import Capabilities
from shared.contract.codes import Failure
from shared.contract.envelope import key
from shared.contract.events import AccountState
from shared.contract.records import ACCOUNTS
from shared.runtime.lifecycle import Health
from shared.runtime.settings import Settings
from tests.patience import SECONDS
from tests.shared.broker import make_topics, settings_for

ABLE = Capabilities(text=100).model_dump(mode="json")


def told(account: str, **more: object) -> AccountState:
    now = datetime.now(UTC)
    fields = {"tenant": "default", "channel": "webhook", "account": account, "healthy": True, "capabilities": ABLE}
    return AccountState.model_validate(fields | {"occurred_at": now} | more)


def record(settings: Settings, state: AccountState) -> cloudevents.Out:
    made = cloudevents.headers("account", source="/test", id="1", time=state.occurred_at, tenant="default", subject="x")
    place = key(state.tenant, state.channel, state.account).encode()
    return cloudevents.Out(settings.topic(ACCOUNTS), place, cloudevents.encode(state), made)


@asynccontextmanager
async def following(settings: Settings) -> AsyncIterator[Directory]:
    directory = Directory(settings, Health())
    task = asyncio.create_task(directory.run())
    try:
        yield directory
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def settings(servers: Addresses) -> Settings:
    settings = settings_for(servers.kafka)
    await make_topics(settings, partitions=2, names=[ACCOUNTS])
    return settings


@pytest.fixture
async def producer(settings: Settings) -> AsyncIterator[Producer]:
    producer = Producer(settings)
    await producer.start()
    yield producer
    await producer.stop()


async def test_it_is_complete_when_all_that_was_told_before_is_read(settings: Settings, producer: Producer) -> None:
    long = Failure(code="auth", detail="x" * 2000)
    accounts = [f"a{n}" for n in range(2500)]  # more than one fetch holds
    await producer.send_all(record(settings, told(account, failure=long)) for account in accounts)
    async with following(settings) as directory:
        async with asyncio.timeout(SECONDS):
            await directory.complete.wait()
        assert {state.account for state in directory.all()} == set(accounts)
        assert directory.capabilities["default", "webhook", "a7"].text == 100


async def test_it_is_complete_where_nothing_was_ever_told(settings: Settings) -> None:
    async with following(settings) as directory, asyncio.timeout(SECONDS):
        await directory.complete.wait()


async def test_news_come_by_themselves_and_the_newest_counts(settings: Settings, producer: Producer) -> None:
    await producer.send(record(settings, told("shop")))
    async with following(settings) as directory, asyncio.timeout(SECONDS):
        await directory.complete.wait()
        await producer.send(record(settings, told("shop", healthy=False)))
        while directory.all()[0].healthy:
            await asyncio.sleep(0.02)


async def test_what_is_no_account_is_passed_over(settings: Settings, producer: Producer) -> None:
    broken = cloudevents.Out(settings.topic(ACCOUNTS), b"x", b"{", [])
    strange = record(settings, told("strange", capabilities={"text": "much"}))
    await producer.send_all([broken, strange, record(settings, told("shop"))])
    async with following(settings) as directory, asyncio.timeout(SECONDS):
        await directory.complete.wait()
        assert [state.account for state in directory.all()] == ["shop"]


def test_a_tombstone_is_passed_over() -> None:
    directory = Directory(Settings(), Health())
    directory.take(SimpleNamespace(value=None))
    assert directory.all() == []
