"""`parley migrate`: every service's tables at the version that this code expects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Final

import typer

from services.cli.running import AsJson, Home, fail, find, run

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from shared.runtime.settings import Settings

CANNOT: Final = 1
MISSING: Final = 2

Versions = dict[str, list[str]]

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
    at = run(versions(system.settings), unreachable=CANNOT)
    found, newer = missing(at), beyond(at)
    if stuck := sorted(found.keys() & newer.keys()):
        fail(f"{stuck[0]} is partly newer than this code: run `parley migrate` of the newest version.", CANNOT)
    if not check:
        run(upgrade(system.settings, tuple(found)), unreachable=CANNOT)
    if as_json:
        print(json.dumps({"missing" if check else "migrated": found, "newer": newer}))
    else:
        tell(found, newer, check=check)
    if check and found:
        raise typer.Exit(MISSING)


def tell(found: Versions, newer: Versions, *, check: bool) -> None:
    """What is missing or was done, schema by schema, and in one line what to do."""
    for schema, revisions in found.items():
        print(f"{schema} {'lacks' if check else 'is brought to'} {', '.join(revisions)}")
    for schema, revisions in newer.items():
        print(
            f"{schema} is at {', '.join(revisions)}, which is newer than this code: it is left alone, and this code works with it"
        )
    print("Run `parley migrate`." if check and found else "migrated" if found else "nothing missing")


async def versions(settings: Settings) -> dict[str, set[str]]:
    """Where every schema is. Raises DatabaseUnavailable, PostgresError."""
    from shared.storage.database import connect
    from shared.storage.migrate import SCHEMAS, versions as of

    async with connect(settings) as connection:
        return {schema: await of(connection, schema) for schema in SCHEMAS}


def missing(at: Mapping[str, Collection[str]]) -> Versions:
    """Per schema the revisions that this code expects and the database has not reached."""
    from shared.storage.migrate import lacking

    return {schema: found for schema in at if (found := lacking(schema, at[schema]))}


def beyond(at: Mapping[str, Collection[str]]) -> Versions:
    """Per schema the revisions of a newer code."""
    from shared.storage.migrate import ahead

    return {schema: found for schema in at if (found := ahead(schema, at[schema]))}


async def upgrade(settings: Settings, schemas: tuple[str, ...]) -> None:
    """Upgrade one schema after the other. Raises DatabaseUnavailable with PostgreSQL's own words."""
    import asyncio

    from sqlalchemy.exc import SQLAlchemyError

    from shared.contract.errors import DatabaseUnavailable
    from shared.storage.migrate import upgrade as bring_up

    for schema in schemas:
        try:
            await asyncio.to_thread(bring_up, settings, schema)
        except SQLAlchemyError as error:
            raise DatabaseUnavailable(f"{schema}: {str(error).splitlines()[0]}") from error
