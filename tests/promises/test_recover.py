"""A rehearsal: PostgreSQL is restored from an older copy, nothing is sent before a person says so, nothing twice afterwards."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator

import asyncpg
import pytest
from typer.testing import CliRunner

from services.cli.__main__ import app
from services.cli.recover import recovery
from services.cli.recover.command import NEEDED
from shared.bus import witness
from shared.runtime.settings import Settings
from tests.living import Living, living
from tests.patience import until

ANSWERS = [f"answer {number}" for number in range(5)]


class Copies:
    """Copies of one database, made and put back while nobody is connected."""

    def __init__(self, admin: asyncpg.Connection, name: str) -> None:
        self.admin, self.name = admin, name

    async def make(self) -> None:
        await self.admin.execute(f"CREATE DATABASE {self.name}_copy TEMPLATE {self.name}")

    async def restore(self) -> None:
        await self.admin.execute(f"DROP DATABASE {self.name} WITH (FORCE)")
        await self.admin.execute(f"ALTER DATABASE {self.name}_copy RENAME TO {self.name}")


@pytest.fixture
async def copies(world: Settings) -> AsyncIterator[Copies]:
    address, _, name = world.database.get_secret_value().rpartition("/")
    admin = await asyncpg.connect(f"{address}/postgres")
    yield Copies(admin, name)
    await admin.execute(f"DROP DATABASE IF EXISTS {name}_copy")
    await admin.close()


async def parley(settings: Settings, *arguments: str) -> tuple[int, str]:
    told = {
        f"PARLEY_{name.upper()}": getattr(settings, name) for name in ("kafka", "prefix", "partitions", "replication")
    }
    environment = {name: str(value) for name, value in told.items()}
    environment["PARLEY_DATABASE"] = settings.database.get_secret_value()
    done = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=environment)
    return done.exit_code, done.output


async def test_five_answers_are_not_sent_again(
    world: Settings, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "AT_ONCE", 1)
    async with living(world) as system:
        system.open = False
        await system.start()
        await system.say("hello")
        await until(system.said)
        conversation = (await system.events())[0]["conversation"]
        for text in ANSWERS[:2]:
            await system.ask(conversation, text)
        await until(lambda: ledger(world, "SELECT count(*) = 2 FROM send WHERE done_at IS NULL"))
        await system.stop()
        await copies.make()
        system.open = True
        await system.start()
        for text in ANSWERS[2:]:
            await system.ask(conversation, text)
        await system.say("who writes meanwhile", address="dara")
        await until(lambda: sorted(system.received) == ANSWERS)
        await until(lambda: ledger(world, "SELECT count(*) = 5 FROM piece WHERE reported"))
        await until(lambda: seen_twice_further(world))
        await system.stop()
        before = await system.events()
        await copies.restore()

        await system.start()
        await until(lambda: "parley recover" in system.unready("router").get("partitions", ""))
        await until(
            lambda: "older copy" in system.warned("chat_adapter").get("postgres", "") or system.warned("chat_adapter")
        )
        assert (await parley(world, "recover", "--check"))[0] == NEEDED
        assert len(await system.events()) == len(before)
        assert sorted(system.received) == ANSWERS

        code, told = await parley(world, "recover")
        assert code == 0, told
        assert "5 ended as Kafka tells" in told
        await until(lambda: not system.unready("router"))
        await system.say("after the restore")
        await system.ask(conversation, "a sixth")
        await until(lambda: "a sixth" in system.received)
        await until(lambda: both_are_known(system))
        assert sorted(system.received) == ["a sixth", *ANSWERS]
        await no_number_is_given_twice(system)
        assert (await parley(world, "recover"))[0] == 0
        assert await system.dead_letters() == 0


async def test_what_nobody_knows_of_is_unknown(world: Settings, copies: Copies) -> None:
    """The copy takes it for unsent, and Kafka was never told what became of it."""
    async with living(world) as system:
        system.open = False
        await system.start()
        await system.say("hello")
        await until(system.said)
        conversation = (await system.events())[0]["conversation"]
        await system.ask(conversation, "perhaps")
        await until(lambda: ledger(world, "SELECT count(*) = 1 FROM send WHERE done_at IS NULL"))
        await system.stop()
        await copies.make()
        await system.start()
        await until(lambda: seen_twice_further(world))
        await system.stop()
        await copies.restore()
        system.open = True
        assert (await parley(world, "recover"))[0] == 0
        await system.start()

        async def is_told() -> bool:
            return any(one["type"] == "message.status" and one["status"] == "unknown" for one in await system.events())

        await until(is_told)
        await system.ask(conversation, "again, since a person wants it")
        await until(lambda: system.received)
        assert system.received == ["again, since a person wants it"]


async def ledger(settings: Settings, question: str) -> bool:
    connection = await asyncpg.connect(settings.database.get_secret_value())
    try:
        await connection.execute("SET search_path TO chat_adapter")
        return bool(await connection.fetchval(question))
    finally:
        await connection.close()


async def seen_twice_further(settings: Settings) -> bool:
    """Whether Kafka knows of what came after the copy."""
    connection = await asyncpg.connect(settings.database.get_secret_value() + "_copy")
    try:
        kept = [await connection.fetchval(f"SELECT tick FROM {name}.witness") for name in ("router", "chat_adapter")]
    finally:
        await connection.close()
    known = [await witness.told(settings, name) for name in ("router", "chat_adapter")]
    return all(one and one.tick > tick + 1 for one, tick in zip(known, kept, strict=True))


async def both_are_known(system: Living) -> bool:
    return {"who writes meanwhile", "after the restore"} <= set(await system.said())


async def no_number_is_given_twice(system: Living) -> None:
    facts: dict[tuple[str, int], set[str]] = defaultdict(set)
    for event in await system.events():
        facts[event["conversation"], event["sequence"]].add(event["id"])
    assert {place: ids for place, ids in facts.items() if len(ids) > 1} == {}
