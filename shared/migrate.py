"""Migrations: alembic's order and bookkeeping, the steps themselves in plain SQL, a schema per service."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.op import get_bind
from alembic.script import ScriptDirectory

from shared.database import Pool, transaction
from shared.errors import DatabaseUnavailable
from shared.settings import Settings

ROOT: Final = Path(__file__).resolve().parent.parent
HOUSE: Final = ROOT / "shared" / "migrations" / "environment"
ADAPTER: Final = ROOT / "shared" / "migrations"

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


def upgrade(settings: Settings, schema: str) -> None:
    """Bring one schema to this code's version; waits for another process that does the same."""
    command.upgrade(_config(schema, settings.database.get_secret_value()), "heads")


class Migrated:
    """Whether the schema is at the version that this code expects: asked until it is.

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
                rows: Any = await connection.fetch("SELECT version_num FROM alembic_version")
        except DatabaseUnavailable as error:
            self.away = f"PostgreSQL cannot be used: {error.detail}"
            return None if self._patient else self.away
        except asyncpg.UndefinedTableError:
            return f"there is no schema {self._schema} yet: run `parley migrate`"
        self.away = None
        found = {row[0] for row in rows}
        self._known = heads(self._schema) <= found
        if self._known:
            return None
        return f"schema {self._schema} is at {sorted(found)}, this code needs {sorted(heads(self._schema))}: run `parley migrate`"
