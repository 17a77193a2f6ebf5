"""Migrations: alembic's order and bookkeeping, the steps themselves in plain SQL, a schema per service."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.op import get_bind, get_context
from alembic.script import ScriptDirectory
from psycopg.errors import LockNotAvailable
from sqlalchemy.exc import OperationalError

from shared.contract.errors import DatabaseUnavailable, Restored
from shared.runtime.settings import Settings
from shared.storage.database import Connection, Pool, transaction

ROOT: Final = Path(__file__).resolve().parents[2]
HOUSE: Final = Path(__file__).resolve().with_name("environment")
ADAPTER: Final = ROOT / "shared" / "adapter" / "migrations"

PATIENCE: Final = 600.0  # seconds in which a step tries to lock what it changes

SCHEMAS: Final[Mapping[str, tuple[Path, ...]]] = {
    "router": (ROOT / "services" / "router" / "migrations",),
    "chat_adapter": (ADAPTER, ROOT / "services" / "chat_adapter" / "migrations"),
    "social_adapter": (ADAPTER,),
    "email_adapter": (ADAPTER,),
}


def run_sql(revision: str) -> None:
    """The body of a revision: the .sql file beside it, as it stands. Called by each revision with its __file__."""
    sql = Path(revision).with_suffix(".sql").read_text()
    get_bind().execution_options(no_parameters=True).exec_driver_sql(sql)


def change_indexes(revision: str) -> None:
    """The body of a revision that only makes and drops indexes: each statement of its .sql file, beside the traffic.

    What a try that was cut off left behind is not valid, and is made anew.
    """
    sql = re.sub(r"^--.*$", "", Path(revision).with_suffix(".sql").read_text(), flags=re.MULTILINE)
    with get_context().autocommit_block():
        run = get_bind().exec_driver_sql
        run("SET lock_timeout = 0")  # such a statement holds nobody up while it waits
        for verb, name, rest in re.findall(r"(CREATE|DROP) INDEX (\w+)([^;]*);", sql):
            run(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            if verb == "CREATE":
                run(f"CREATE INDEX CONCURRENTLY {name}{rest}")
        run("SET lock_timeout = '1s'")


def _config(schema: str, url: str = "") -> Config:
    config = Config()
    config.set_main_option("script_location", str(HOUSE))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(map(str, SCHEMAS[schema])))
    config.attributes.update(schema=schema, url=re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url))
    return config


@cache
def heads(schema: str) -> frozenset[str]:
    """The versions that this code expects."""
    return frozenset(ScriptDirectory.from_config(_config(schema)).get_heads())


def lacking(schema: str, found: Collection[str]) -> list[str]:
    """Which of the versions that this code expects a schema at `found` has not reached.

    A later step of the same line (router_0009 for router_0003) will do: each works with the release before it, so that a
    roll-out can be taken back.
    """
    reached = dict(map(_place, found))
    return sorted(head for head in heads(schema) for line, number in [_place(head)] if reached.get(line, 0) < number)


def ahead(schema: str, found: Collection[str]) -> list[str]:
    """The versions among these that only a newer code knows."""
    known = {script.revision for script in ScriptDirectory.from_config(_config(schema)).walk_revisions()}
    return sorted(set(found) - known)


def _place(revision: str) -> tuple[str, int]:
    line, _, number = revision.rpartition("_")
    return line, int(number)


async def versions(connection: Connection, schema: str) -> set[str]:
    """Where a schema is; none: it is not there yet."""
    table = f'"{schema}".alembic_version'
    if await connection.fetchval("SELECT to_regclass($1)", table) is None:
        return set()
    rows = await connection.fetch(f"SELECT version_num FROM {table}")  # noqa: S608 our own schemas' names
    return {row[0] for row in rows}


def upgrade(settings: Settings, schema: str) -> None:
    """Bring one schema to this code's version; waits for another process that does the same.

    A step waits a second for its locks, since all that come after it wait behind it, and then lets them pass and tries
    again. Raises DatabaseUnavailable where that does not help for `PATIENCE` seconds.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            command.upgrade(_config(schema, settings.database.get_secret_value()), "heads")
            return
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable):
                raise
            if time.monotonic() > until:
                raise DatabaseUnavailable(
                    f"{schema}: a session holds a table that a migration changes; see pg_stat_activity, end it, and run it again"
                ) from error
            time.sleep(random.uniform(0.5, 2))


class Migrated:
    """Whether the schema is at the version that this code expects, or beyond it: asked until it is.

    An adapter takes in what is pushed while PostgreSQL is away (`patient`): only a schema seen to be behind is trouble.
    `away`: why it could not be asked.
    """

    def __init__(self, pool: Pool, schema: str, *, patient: bool) -> None:
        self._pool, self._schema, self._patient = pool, schema, patient
        self._known = False
        self.away: str | None = None
        self.trouble: str | None = None if patient else "the schema's version is not known yet"

    async def run(self) -> None:
        while not self._known:
            self.trouble = await self._look()
            await asyncio.sleep(0 if self._known else 1)

    async def _look(self) -> str | None:
        try:
            async with transaction(self._pool) as connection:
                found = await versions(connection, self._schema)
        except Restored as error:
            self.away = error.detail
            return None  # the process may live: it does nothing with this copy
        except DatabaseUnavailable as error:
            self.away = f"PostgreSQL cannot be used: {error.detail}"
            return None if self._patient else self.away
        self.away = None
        if not found:
            return f"there is no schema {self._schema} yet: run `parley migrate`"
        self._known = not lacking(self._schema, found)
        if self._known:
            return None
        return f"schema {self._schema} is at {sorted(found)}, this code needs {sorted(heads(self._schema))}: run `parley migrate`"
