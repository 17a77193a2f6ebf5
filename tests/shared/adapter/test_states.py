"""How each account is: told on the bus, and measured for whoever is woken by it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import REGISTRY

from services.chat_adapter.registry import CHANNELS
from services.cli.doctor.accounts import states as newest
from services.router.directory import Directory
from shared.adapter.states import States
from shared.bus.produce import Producer
from shared.contract.channel import Version
from shared.runtime.accounts import AccountsFile
from shared.runtime.lifecycle import Health
from shared.runtime.settings import Settings
from tests.parts import make_parts
from tests.patience import SECONDS

BOT = """
[apps.telegram.{0}]
secret = "telegrams-word"
[accounts.telegram.{0}]
token = "12345{1}:AAbbccddeeffgghhiijjkkllmmnnooppqqr"
app = "{0}"
"""


def measured(account: str) -> float | None:
    return REGISTRY.get_sample_value("parley_account_healthy", {"channel": "telegram", "account": account})


def ending(account: str) -> float | None:
    return REGISTRY.get_sample_value("parley_api_end_seconds", {"channel": "telegram", "account": account})


async def test_an_account_whose_token_was_refused_is_ill_until_it_is_accepted_or_gone(world: Settings) -> None:
    file = Path(world.accounts)
    file.write_text(BOT.format("one", 1) + BOT.format("two", 2))
    accounts, producer = AccountsFile(file, CHANNELS), Producer(world)
    await producer.start()
    states = States(make_parts(settings=world, channels=CHANNELS, accounts=accounts, producer=producer))
    states.fail("telegram", "one", "auth", "401 Unauthorized")
    states.fail("telegram", "two", "auth", "401 Unauthorized")
    await states.tell()
    assert (measured("one"), measured("two")) == (0, 0)
    states.note("telegram", "one", None)
    file.write_text(BOT.format("one", 1))
    assert await accounts.refresh()
    await states.tell()
    assert (measured("one"), measured("two")) == (1, None)
    await producer.stop()


async def test_a_new_token_is_given_a_chance(world: Settings) -> None:
    file = Path(world.accounts)
    file.write_text(BOT.format("one", 1) + BOT.format("two", 2))
    accounts, producer = AccountsFile(file, CHANNELS), Producer(world)
    await producer.start()
    states = States(make_parts(settings=world, channels=CHANNELS, accounts=accounts, producer=producer))
    for account in ("one", "two"):
        states.fail("telegram", account, "auth", "401 Unauthorized")
    file.write_text(BOT.format("one", 1) + BOT.format("two", 3))
    assert await accounts.refresh()
    await states.tell()
    assert (measured("one"), measured("two")) == (0, 1)
    await producer.stop()


async def test_when_the_api_that_an_account_uses_ends_is_told_and_measured(world: Settings) -> None:
    file, end = Path(world.accounts), datetime(2027, 5, 20, tzinfo=UTC)
    channel = CHANNELS["telegram"]
    channels = {
        "telegram": replace(channel, version=lambda account: Version("v2", end if account.name == "one" else None))
    }
    file.write_text(BOT.format("one", 1) + BOT.format("two", 2))
    accounts, producer = AccountsFile(file, channels), Producer(world)
    await producer.start()
    states = States(make_parts(settings=world, channels=channels, accounts=accounts, producer=producer))
    await states.tell()
    told = {name: (state.api_version, state.api_ends_at) for (_, name), state in (await newest(world)).items()}
    assert told == {"one": ("v2", end), "two": ("v2", None)}
    assert (ending("one"), ending("two")) == (end.timestamp(), None)
    file.write_text(BOT.format("two", 2))
    assert await accounts.refresh()
    await states.tell()
    assert ending("one") is None
    await producer.stop()


async def test_what_an_account_can_is_told_of_that_account(world: Settings) -> None:
    """A number that takes no files beside one that does: who sends is told which."""
    channel = CHANNELS["telegram"]
    none = channel.capabilities.model_copy(update={"media": {}})
    channels = {
        "telegram": replace(channel, able=lambda account: none if account.name == "two" else channel.capabilities)
    }
    file = Path(world.accounts)
    file.write_text(BOT.format("one", 1) + BOT.format("two", 2))
    accounts, directory, producer = AccountsFile(file, channels), Directory(world, Health()), Producer(world)
    await producer.start()
    reading = asyncio.create_task(directory.run())
    await States(make_parts(settings=world, channels=channels, accounts=accounts, producer=producer)).tell()
    async with asyncio.timeout(SECONDS):
        while len(directory.capabilities) < 2:
            await asyncio.sleep(0.05)
    media = {account: able.media for (_, _, account), able in directory.capabilities.items()}
    assert media == {"one": channel.capabilities.media, "two": {}}
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await producer.stop()
