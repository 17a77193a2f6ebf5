"""What PostgreSQL's errors mean for a batch: only an error of the record's own sets a record aside."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
import pytest

from shared.contract.errors import Contended, DatabaseUnavailable
from shared.runtime.settings import Settings
from shared.storage.database import open_pool, transaction
from shared.storage.sqlstates import MEANINGS, Meaning, meaning

NO_ERRORS = {"00", "01", "02"}
WAITED_FOR = [
    "08006",
    "25006",
    "25P03",
    "26000",
    "28000",
    "28P01",
    "3D000",
    "3F000",
    "42501",
    "42P01",
    "42703",
    "42P05",
    "53000",
    "53100",
    "53200",
    "53300",
    "57014",
    "57P01",
    "57P03",
    "58000",
    "58030",
    "XX000",
    "XX001",
    "0A000",
    "55000",
    "HV000",
]
MET = ["40001", "40P01", "55006", "55P03", "72000", "23505"]
OF_THE_RECORD = ["22001", "22003", "22021", "22P02", "22P05", "23502", "23514", "21000", "54000", "P0001"]


def classes() -> Iterator[type[asyncpg.PostgresError]]:
    """Every error of Appendix A, as asyncpg has them."""
    found = [getattr(asyncpg.exceptions, name) for name in asyncpg.exceptions.__all__]
    return (one for one in found if issubclass(one, asyncpg.PostgresError) and getattr(one, "sqlstate", None))


def test_every_class_of_the_appendix_has_a_meaning() -> None:
    known = {one.sqlstate[:2] for one in classes()} - NO_ERRORS
    assert len(known) > 30
    assert known <= MEANINGS.keys()
    assert all(meaning(one("")) for one in classes())


def test_a_class_that_nobody_knows_loses_no_record() -> None:
    error = asyncpg.PostgresError("of another house's PostgreSQL")
    error.sqlstate = "QQ001"
    assert meaning(error) is Meaning.AWAY


def test_what_is_not_the_databases_is_not_taken_for_it() -> None:
    assert meaning(ValueError("a bug in the fold")) is None


@pytest.mark.parametrize(
    ("sqlstate", "raised"),
    [(code, DatabaseUnavailable) for code in WAITED_FOR]
    + [(code, Contended) for code in MET]
    + [(code, asyncpg.PostgresError) for code in OF_THE_RECORD],
)
async def test_what_a_real_server_raises(settings: Settings, sqlstate: str, raised: type[Exception]) -> None:
    async with open_pool(settings, "public") as pool:
        with pytest.raises(raised) as found:
            async with transaction(pool) as connection:
                await connection.execute(
                    f"DO $$ BEGIN RAISE EXCEPTION 'on purpose' USING ERRCODE = '{sqlstate}'; END $$"
                )
    assert type(found.value) is raised or raised is asyncpg.PostgresError
    assert "on purpose" in str(found.value)


async def test_tables_that_changed_under_a_plan_are_read_by_the_next_transaction(settings: Settings) -> None:
    """cached plan must not change result type (0A000), within a transaction, where asyncpg cannot help itself."""
    async with open_pool(settings, "public") as pool:
        await pool.execute("CREATE TABLE t AS SELECT 1 AS a")

        async def look() -> int:
            async with transaction(pool) as connection:
                return len((await connection.fetch("SELECT * FROM t"))[0])

        assert await look() == 1
        await pool.execute("ALTER TABLE t ADD COLUMN b int")
        with pytest.raises(DatabaseUnavailable):
            await look()
        assert await look() == 2
