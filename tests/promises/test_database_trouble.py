"""A PostgreSQL that refuses to write, to let us in or to show a table is a PostgreSQL that is away: nothing is set aside."""

from __future__ import annotations

from collections.abc import Callable

import asyncpg
import pytest

from shared.runtime.settings import Settings
from tests.living import Living, living
from tests.patience import until

TROUBLES = {
    "it only reads": (
        "ALTER DATABASE {name} SET default_transaction_read_only = on",
        "ALTER DATABASE {name} SET default_transaction_read_only = off",
    ),
    "a table is missing": (
        "ALTER TABLE router.outbox RENAME TO away; ALTER TABLE chat_adapter.send RENAME TO away",
        "ALTER TABLE router.away RENAME TO outbox; ALTER TABLE chat_adapter.away RENAME TO send",
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_services_stay_up_and_go_on_afterwards(world: Settings, trouble: str) -> None:
    admin = await asyncpg.connect(world.database.get_secret_value())
    name = await admin.fetchval("SELECT current_database()")
    begin, end = (step.format(name=name) for step in TROUBLES[trouble])
    async with living(world) as system:
        await system.start()
        await system.say("before")
        await until(seen(system, {"before"}))
        conversation = (await system.events())[0]["conversation"]
        await admin.execute(begin)
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        for number in range(5):
            await system.say(f"during {number}")
            await system.ask(conversation, f"answer {number}")
        await until(lambda: "partitions" in system.unready("router"))
        assert not [task for task in system.tasks.values() if task.done()]
        await admin.execute(end)
        await until(seen(system, {"before", *(f"during {number}" for number in range(5))}))
        await until(lambda: len(system.received) == 5)
        await until(lambda: not system.unready("router"))
        assert not [task for task in system.tasks.values() if task.done()]
        assert await system.dead_letters() == 0
    await admin.close()


def seen(system: Living, texts: set[str]) -> Callable[[], object]:
    async def all_are_seen() -> bool:
        return texts <= set(await system.said())

    return all_are_seen
