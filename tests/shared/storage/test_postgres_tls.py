"""PostgreSQL by TLS: pool and migrations verify it as the address says, and a no is told in words."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from services.cli.doctor.checks import examine, postgres as check
from services.cli.running import System
from shared.contract.errors import DatabaseUnavailable, Misconfigured
from shared.runtime.settings import Settings
from shared.storage import migrate
from shared.storage.database import connect, connected, open_pool
from shared.storage.migrate import Migrated
from tests.certificates import certificate
from tests.patience import SECONDS
from tests.secured_postgres import SecuredPostgres, secured_postgres


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SecuredPostgres]:
    async with secured_postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An authority that the server has nothing to do with."""
    return str(certificate(tmp_path_factory.mktemp("stranger"), "stranger")[0])


def told(dsn: str) -> Settings:
    return Settings(database=SecretStr(dsn))


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca", "require"])
async def test_pool_and_migrations_are_encrypted(server: SecuredPostgres, mode: str) -> None:
    settings = told(server.dsn(sslmode=mode, sslrootcert=str(server.authority)))
    await asyncio.to_thread(migrate.upgrade, settings, "email_adapter")
    async with open_pool(settings, "email_adapter") as pool, connected(pool) as connection:
        assert await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        migrated = Migrated(pool, "email_adapter", patient=False)
        await asyncio.wait_for(migrated.run(), SECONDS)
        assert migrated.trouble is None


def refused(server: SecuredPostgres, stranger: str) -> dict[str, tuple[str, str]]:
    full = {"sslmode": "verify-full", "sslrootcert": str(server.authority)}
    return {
        "authority": (server.dsn(sslmode="verify-full", sslrootcert=stranger), "its certificate is not trusted"),
        "name": (server.dsn(host="127.0.0.1", **full), "not valid for '127.0.0.1'"),
        "password": (server.dsn(password="another", **full), "it says: password authentication failed"),
        "nothing encrypted": (server.dsn(sslmode="disable"), "no encryption"),
    }


@pytest.mark.parametrize("what", ["authority", "name", "password", "nothing encrypted"])
async def test_a_no_is_told_in_words_and_waited_for(server: SecuredPostgres, stranger: str, what: str) -> None:
    dsn, words = refused(server, stranger)[what]
    async with open_pool(told(dsn), "email_adapter") as pool:
        with pytest.raises(DatabaseUnavailable) as found:
            async with connected(pool):
                pass
        migrated = Migrated(pool, "email_adapter", patient=False)
        assert words in (await migrated._look() or "")
        assert words in (migrated.away or "")
    assert words in found.value.detail
    assert "another" not in found.value.detail
    with pytest.raises(OperationalError):
        await asyncio.to_thread(migrate.upgrade, told(dsn), "email_adapter")
    ((level, said),) = [(one.level, one.said) async for one in examine(System(told(dsn)), check)]
    assert (level, words in said) == ("fail", True)


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        ("sslmode=full", "`sslmode` parameter must be one of"),
        (
            "sslmode=verify-full&sslrootcert=/none.pem",
            "sslrootcert must be a file that this process may read, not /none",
        ),
        ("sslmode=verify-full&sslrootcert=system", "sslrootcert must be a file that this process may read, not system"),
    ],
)
async def test_an_address_that_cannot_be_used_is_refused_before_anything_is_asked(tail: str, words: str) -> None:
    settings = told(f"postgresql://parley:hidden@127.0.0.1:9/parley?{tail}")
    for opened in (open_pool(settings, "email_adapter"), connect(settings)):
        with pytest.raises(Misconfigured) as found:
            async with opened:
                pass
        assert words in found.value.detail
        assert "hidden" not in str(found.value)


def test_a_service_does_not_start_with_it_and_says_why(tmp_path: Path) -> None:
    dsn = "postgresql://parley:hidden@127.0.0.1:9/parley?sslmode=verify-full&sslrootcert=/none.pem"
    environment = os.environ | {"PARLEY_DATABASE": dsn, "PARLEY_KAFKA": "127.0.0.1:9"}
    ended = subprocess.run(
        [sys.executable, "-m", "services.router"], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "PARLEY_DATABASE: sslrootcert must be a file" in ended.stderr
    assert "hidden" not in ended.stderr
