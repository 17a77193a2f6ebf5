"""A change of the accounts file ends and begins what it is about, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.chat_adapter.registry import CHANNELS
from shared.adapter.duties import Duties, Duty
from shared.runtime.accounts import Accounts, AccountsFile
from tests.patience import until

BOT = """
[apps.telegram.{0}]
secret = "{2}"
[accounts.telegram.{0}]
token = "12345{1}:AAbbccddeeffgghhiijjkkllmmnnooppqqr"
app = "{0}"
"""


class Office:
    """Runs one duty for each account, and remembers what began and what ended, in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write(("one", 1), ("two", 1))
        self.accounts = AccountsFile(path, CHANNELS)
        self.seen: list[str] = []
        self._running = asyncio.create_task(Duties(self.accounts, [self.duties]).run())

    def write(self, *bots: tuple[str, int], secret: str = "word") -> None:
        self.path.write_text("".join(BOT.format(name, number, secret) for name, number in bots))

    def duties(self, accounts: Accounts) -> Iterator[Duty]:
        for channel, account in accounts.all():
            app = accounts.app(channel, account.receiver)
            yield Duty(name=account.name, of=(app, account), work=self._work_of(account.name))

    def _work_of(self, name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def work() -> None:
            self.seen.append(f"{name} began")
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)  # an end takes a while
                self.seen.append(f"{name} ended")

        return work

    async def changes(self, *bots: tuple[str, int], secret: str = "word", sees: list[str]) -> None:
        self.seen.clear()
        self.write(*bots, secret=secret)
        assert await self.accounts.refresh()
        await until(lambda: len(self.seen) >= len(sees))
        assert sorted(self.seen) == sorted(sees)

    async def close(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    office = Office(tmp_path / "accounts.toml")
    await until(lambda: sorted(office.seen) == ["one began", "two began"])
    yield office
    await office.close()


async def test_one_account_changes_and_the_others_task_goes_on(office: Office) -> None:
    await office.changes(("one", 2), ("two", 1), sees=["one ended", "one began"])
    await office.changes(("one", 2), ("two", 3), sees=["two ended", "two began"])


async def test_who_comes_begins_and_who_goes_ends(office: Office) -> None:
    await office.changes(("one", 1), ("two", 1), ("three", 1), sees=["three began"])
    await office.changes(("one", 1), ("three", 1), sees=["two ended"])
    await office.changes(("one", 1), ("two", 1), ("three", 1), sees=["two began"])


async def test_an_app_that_changes_is_a_change_of_its_accounts(office: Office) -> None:
    both = ["one ended", "two ended", "one began", "two began"]
    await office.changes(("one", 1), ("two", 1), secret="another", sees=both)


async def test_the_last_ends_with_the_process(office: Office) -> None:
    await office.close()
    assert sorted(office.seen[2:]) == ["one ended", "two ended"]
