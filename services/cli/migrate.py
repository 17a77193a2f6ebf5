"""`parley migrate`: every service's tables at the version that this code expects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from services.cli.running import AsJson, Home, find, run

if TYPE_CHECKING:
    from shared.settings import Settings

CANNOT: Final = 1
MISSING: Final = 2

app = typer.Typer()


@app.command()
def migrate(
    home: Home = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; say what is missing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring every service's schema to the version of this code. It may run at every start, and by several at once.

    Exit codes: 0 all is there, 1 PostgreSQL cannot be reached or refuses, 2 something is missing (with --check).
    """
    system = find(home)
    found = run(missing(system.settings), unreachable=CANNOT)
    if not check:
        run(upgrade(system.settings, tuple(found)), unreachable=CANNOT)
    if as_json:
        print(json.dumps({"missing" if check else "migrated": found}))
    else:
        word = "lacks" if check else "is brought to"
        for schema, revisions in found.items():
            print(f"{schema} {word} {', '.join(revisions)}")
        print("Run `parley migrate`." if check and found else f"{'nothing missing' if not found else 'migrated'}")
    if check and found:
        raise typer.Exit(MISSING)


async def missing(settings: Settings) -> dict[str, list[str]]:
    """Per schema the revisions that this code expects and the database does not have. Raises DatabaseUnavailable, PostgresError."""
    from shared.database import connect
    from shared.migrate import SCHEMAS, heads

    async with connect(settings) as connection:
        found = {schema: await _versions(connection, schema) for schema in SCHEMAS}
    return {schema: sorted(lacking) for schema in SCHEMAS if (lacking := heads(schema) - found[schema])}


async def _versions(connection: Any, schema: str) -> set[str]:
    table = f'"{schema}".alembic_version'
    if await connection.fetchval("SELECT to_regclass($1)", table) is None:
        return set()
    rows = await connection.fetch(f"SELECT version_num FROM {table}")  # noqa: S608 our own schemas' names
    return {row[0] for row in rows}


async def upgrade(settings: Settings, schemas: tuple[str, ...]) -> None:
    """Upgrade one schema after the other. Raises DatabaseUnavailable with PostgreSQL's own words."""
    import asyncio

    from sqlalchemy.exc import SQLAlchemyError

    from shared.errors import DatabaseUnavailable
    from shared.migrate import upgrade as bring_up

    for schema in schemas:
        try:
            await asyncio.to_thread(bring_up, settings, schema)
        except SQLAlchemyError as error:
            raise DatabaseUnavailable(f"{schema}: {str(error).splitlines()[0]}") from error
