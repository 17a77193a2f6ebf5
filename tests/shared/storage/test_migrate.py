"""A roll-out can be taken back: every step works with the release before it, and holds up no message while it waits."""

from __future__ import annotations

import asyncio
import re
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic import command
from typer.testing import CliRunner

from services.cli.__main__ import app
from services.cli.migrate import CANNOT
from shared.runtime.settings import Settings
from shared.storage import migrate
from tests.living import living
from tests.patience import SECONDS, until

RELEASED = {
    "router": ("router_0003",),
    "chat_adapter": ("adapter_0002", "webchat_0001"),
    "social_adapter": ("adapter_0002",),
    "email_adapter": ("adapter_0002",),
}
STEP = """
from shared.storage.migrate import run_sql
revision, down_revision = "{line}_0999", "{before}"

def upgrade():
    run_sql(__file__)
"""
EVERYWHERE = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = '{schema}' AND tablename <> 'alembic_version'
        AND tablename !~ '^seen_' LOOP
        EXECUTE format('ALTER TABLE {schema}.%I ADD COLUMN later jsonb', name);
    END LOOP;
    CREATE TABLE {schema}.later (id int);
END $$"""


@pytest.fixture
def next_release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Does what the next release's `parley migrate` will: one step more, this SQL, in one schema."""

    def upgrade(settings: Settings, schema: str, sql: str) -> None:
        (before,) = (head for head in migrate.heads(schema) if not head.startswith("webchat"))
        folder = tmp_path / schema
        folder.mkdir()
        line = before.rpartition("_")[0]
        (folder / "0999_later.py").write_text(STEP.format(line=line, before=before))
        (folder / "0999_later.sql").write_text(sql)
        with monkeypatch.context() as patch:
            patch.setitem(migrate.SCHEMAS, schema, (*migrate.SCHEMAS[schema], folder))  # type: ignore[arg-type]
            migrate.upgrade(settings, schema)

    return upgrade


@pytest.mark.parametrize("folder", dict.fromkeys(chain(*migrate.SCHEMAS.values())), ids=str)
def test_each_step_has_one_number_and_follows_the_one_before_it(folder: Path) -> None:
    """Two that are written beside each other take the same one: whoever lands later takes the next (`make lint`)."""
    files = sorted(folder.glob("[0-9]*.py"))
    steps = [re.findall(r'^(?:down_)?revision.* = (?:"(\w+)"|None)$', file.read_text(), re.MULTILINE) for file in files]
    line = steps[0][0].rpartition("_")[0]
    names = ["", *(f"{line}_{number:04}" for number in range(1, len(files) + 1))]
    assert [file.name[:4] for file in files] == [name[-4:] for name in names[1:]]
    assert steps == [[name, before] for before, name in pairwise(names)]


async def columns(connection: Any, schema: str) -> dict[tuple[str, str], tuple[str, bool]]:
    """Of every column its type, and whether a writer that does not know it may leave it out."""
    rows = await connection.fetch(
        """SELECT table_name, column_name, udt_name, is_nullable = 'YES' OR column_default IS NOT NULL OR is_identity = 'YES'
        FROM information_schema.columns WHERE table_schema = $1""",
        schema,
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


async def constraints(connection: Any, schema: str) -> dict[str, str]:
    rows = await connection.fetch(
        """SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = $1::regnamespace AND contype <> 'n'""",
        schema,
    )
    return {row[0]: row[1] for row in rows}


@pytest.mark.parametrize("schema", migrate.SCHEMAS)
async def test_what_was_released_finds_all_it_knows_and_may_leave_out_what_is_new(
    settings: Settings, schema: str
) -> None:
    config = migrate._config(schema, settings.database.get_secret_value())
    for revision in RELEASED[schema]:
        await asyncio.to_thread(command.upgrade, config, revision)
    connection = await asyncpg.connect(settings.database.get_secret_value())
    before, rules = await columns(connection, schema), await constraints(connection, schema)
    await asyncio.to_thread(migrate.upgrade, settings, schema)
    after, now = await columns(connection, schema), await constraints(connection, schema)
    await connection.close()
    tables = {table for table, _ in before}
    assert {place: kind for place, (kind, _) in before.items()} == {place: after[place][0] for place in before}
    assert all(
        optional for (table, name), (_, optional) in after.items() if (table, name) not in before and table in tables
    )
    assert all(after[place][1] for place, (_, optional) in before.items() if optional)
    assert {name for name in now.keys() - rules.keys() if name.split(".")[-2] in tables} == set()


async def test_a_step_waits_for_its_lock_without_holding_up_whoever_writes(
    settings: Settings, next_release: Any
) -> None:
    """Behind one open reader, accepted messages stood still for as long as the step waited."""
    await asyncio.to_thread(migrate.upgrade, settings, "router")
    dsn = settings.database.get_secret_value()
    reader, writer = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' AND relation IS NOT NULL"
    )
    async with reader.transaction():
        await reader.fetch("SELECT FROM router.source_offset")
        step = asyncio.create_task(
            asyncio.to_thread(next_release, settings, "router", "ALTER TABLE router.source_offset ADD COLUMN later int")
        )
        await until(lambda: writer.fetchval(waiting))
        async with asyncio.timeout(SECONDS):
            await writer.execute(
                "INSERT INTO router.source_offset (topic, partition, next_offset, epoch) VALUES ('t', 0, 0, 0)"
            )
        assert not step.done()
    await step
    assert await writer.fetchval("SELECT count(later) FROM router.source_offset") == 0
    for connection in (reader, writer):
        await connection.close()


async def test_processes_of_this_version_work_on_the_next_ones_schema(world: Settings, next_release: Any) -> None:
    """Those that run while it comes, and those that are started afterwards, since the roll-out was taken back."""
    async with living(world) as system:
        await system.start()
        await system.say("before")
        await until(system.said)
        conversation = (await system.events())[0]["conversation"]
        for schema in ("router", "chat_adapter"):
            await asyncio.to_thread(next_release, world, schema, EVERYWHERE.format(schema=schema))
        await system.say("under way")
        await system.ask(conversation, "answered by the old")
        await until(lambda: system.received)
        await system.stop()
        await system.start()
        await until(lambda: not system.unready("router") and not system.unready("chat_adapter"))
        await system.say("after")
        await system.ask(conversation, "answered by the old, again")
        await until(lambda: len(system.received) == 2)

        async def all_are_seen() -> bool:
            return {"before", "under way", "after"} <= set(await system.said())

        await until(all_are_seen)
        assert await system.dead_letters() == 0


async def test_migrate_leaves_a_newer_schema_alone_and_says_so(
    world: Settings, next_release: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(next_release, world, "router", "CREATE TABLE router.later (id int)")
    monkeypatch.setenv("PARLEY_DATABASE", world.database.get_secret_value())
    for arguments in (["migrate"], ["migrate", "--check"]):
        told = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        assert (told.exit_code, told.exception) == (0, None)
        assert "router_0999, which is newer than this code" in told.output


async def test_migrate_refuses_a_schema_that_is_partly_newer(
    settings: Settings, next_release: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for schema in migrate.SCHEMAS:
        await asyncio.to_thread(migrate.upgrade, settings, schema)
    await asyncio.to_thread(next_release, settings, "chat_adapter", "CREATE TABLE chat_adapter.later (id int)")
    connection = await asyncpg.connect(settings.database.get_secret_value())
    await connection.execute("DELETE FROM chat_adapter.alembic_version WHERE version_num LIKE 'webchat%'")
    await connection.close()
    monkeypatch.setenv("PARLEY_DATABASE", settings.database.get_secret_value())
    told = await asyncio.to_thread(CliRunner().invoke, app, ["migrate"])
    assert told.exit_code == CANNOT
    assert "chat_adapter is partly newer than this code" in told.output


def test_a_later_step_of_the_same_line_will_do_and_no_other() -> None:
    assert not migrate.lacking("email_adapter", {"adapter_0999"})
    assert migrate.lacking("email_adapter", {"adapter_0001"})
    assert migrate.lacking("email_adapter", {"other_0999"})
