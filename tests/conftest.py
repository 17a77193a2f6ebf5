"""Real parts for every test: one Kafka and one PostgreSQL per run, a world of one's own per test; a whole stack where asked."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import asyncpg
import hypothesis
import psycopg
import pytest
from pydantic import SecretStr
from xdist.scheduler import LoadScopeScheduling

from deploy.local.home import Addresses
from deploy.local.servers import start_servers, start_stack, stop_servers
from shared.bus import produce, topics
from shared.runtime.settings import Settings
from shared.storage import migrate
from tests.patience import SECONDS

hypothesis.settings.register_profile(
    "patient", hypothesis.settings(), deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a broker that is killed on purpose is no news


class Scheduling(LoadScopeScheduling):
    """Whole files go to whichever worker is free; all that use the whole stack go to one of them, where it is started once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/e2e" if file.startswith("tests/e2e/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


def require(found: object, what: str) -> None:
    """Skip with the reason what this machine lacks; where everything must be there, a skip is a failure."""
    if not found:
        if os.environ.get("PARLEY_REQUIRE_ALL"):
            pytest.fail(f"PARLEY_REQUIRE_ALL is set, but {what} is missing")
        pytest.skip(f"{what} is missing")


@contextmanager
def own_home(name: str) -> Iterator[Path]:
    """A folder for a stack, stopped and removed afterwards; pytest's own folders may be rotated away under it."""
    home = Path(mkdtemp(prefix=f"parley-{name}-"))
    try:
        yield home
    finally:
        stop_servers(home)
        if kept := os.environ.get("PARLEY_TEST_LOGS"):
            shutil.copytree(home / "logs", Path(kept) / home.name, dirs_exist_ok=True)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _patient_producers() -> Iterator[None]:
    """On a busy machine a Kafka that takes more than five seconds is not away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(produce, "PATIENCE", SECONDS)
        yield


@pytest.fixture(scope="session")
def servers() -> Iterator[Addresses]:
    """Kafka and PostgreSQL, started by `parley up --servers` in a temporary home, or one's own by PARLEY_KAFKA, PARLEY_DATABASE."""
    with own_home("servers") as home:
        addresses = start_servers(home)
        sync(addresses.database, "off")
        yield addresses


def sync(database: str, value: str) -> None:
    """Whether PostgreSQL waits for the disk: no test outlives a loss of power, and each database that goes away waits long.

    A server of one's own stays as it is.
    """
    if "PARLEY_DATABASE" in os.environ:
        return
    told = ""
    while told != value:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET fsync = {value}")
            connection.execute("SELECT pg_reload_conf()")
        with psycopg.connect(database) as connection:
            (told,) = connection.execute("SHOW fsync").fetchone()


@pytest.fixture
async def database(servers: Addresses) -> AsyncIterator[str]:
    """The DSN of an empty database that goes away after the test."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(servers.database)
    await connection.execute(f"CREATE DATABASE {name}")
    yield servers.database.rpartition("/")[0] + "/" + name
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture
async def settings(servers: Addresses, database: str, tmp_path: Path) -> Settings:
    """Settings of a world of one's own: a database, a topic prefix, a blob folder. Neither tables nor topics yet."""
    return Settings(
        kafka=servers.kafka,
        database=SecretStr(database),
        blobs=(tmp_path / "blobs").as_uri(),
        accounts=str(tmp_path / "accounts.toml"),
        token=SecretStr("test-token"),
        secret=SecretStr("test-secret"),
        prefix=f"t{uuid.uuid4().hex[:8]}.",
        partitions=3,
        replication=1,
        http_host="127.0.0.1",
        http_port=0,
        session_seconds=20,
    )


@pytest.fixture
async def world(settings: Settings) -> Settings:
    """The same with all topics, and every service's tables."""
    for schema in migrate.SCHEMAS:
        await asyncio.to_thread(migrate.upgrade, settings, schema)
    await topics.apply(settings)
    return settings


@pytest.fixture(scope="session")
def stack() -> Iterator[Any]:
    """Everything, as `parley up` starts it, in a temporary home; `.home` and `.addresses`."""
    with own_home("stack") as home:
        yield Stack(home, start_stack(home))


class Stack:
    def __init__(self, home: Path, addresses: Addresses) -> None:
        self.home, self.addresses = home, addresses

    def http(self, service: str) -> str:
        return self.addresses.services[service].http

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.addresses.token}"}
