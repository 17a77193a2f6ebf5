"""How each account is: told on the bus, and measured for whoever is woken by it."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import REGISTRY

from services.chat_adapter.registry import CHANNELS
from shared.adapter.states import States
from shared.bus.produce import Producer
from shared.runtime.accounts import AccountsFile
from shared.runtime.lifecycle import Health
from shared.runtime.settings import Settings

BOT = """
[apps.telegram.{0}]
secret = "telegrams-word"
[accounts.telegram.{0}]
token = "12345{1}:AAbbccddeeffgghhiijjkkllmmnnooppqqr"
app = "{0}"
"""


def measured(account: str) -> float | None:
    return REGISTRY.get_sample_value("parley_account_healthy", {"channel": "telegram", "account": account})


async def test_an_account_whose_token_was_refused_is_ill_until_it_is_accepted_or_gone(world: Settings) -> None:
    file = Path(world.accounts)
    file.write_text(BOT.format("one", 1) + BOT.format("two", 2))
    accounts, producer = AccountsFile(file, CHANNELS), Producer(world)
    await producer.start()
    states = States(
        settings=world, family="chat", channels=CHANNELS, accounts=accounts, producer=producer, health=Health()
    )
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
    states = States(
        settings=world, family="chat", channels=CHANNELS, accounts=accounts, producer=producer, health=Health()
    )
    for account in ("one", "two"):
        states.fail("telegram", account, "auth", "401 Unauthorized")
    file.write_text(BOT.format("one", 1) + BOT.format("two", 3))
    assert await accounts.refresh()
    await states.tell()
    assert (measured("one"), measured("two")) == (0, 1)
    await producer.stop()
