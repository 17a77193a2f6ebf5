"""One house for all promises: each test brings a tenant of its own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest
from pydantic import SecretStr

from deploy.local.home import Addresses
from shared.bus import topics
from shared.bus.produce import Producer
from shared.runtime.settings import Settings
from shared.storage import migrate
from shared.storage.database import open_pool
from tests.promises.house import House


@pytest.fixture(scope="session")
async def house(servers: Addresses) -> AsyncIterator[House]:
    """The router's tables and all topics."""
    name = f"p_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(servers.database)
    await connection.execute(f"CREATE DATABASE {name}")
    settings = Settings(
        kafka=servers.kafka,
        database=SecretStr(servers.database.rpartition("/")[0] + "/" + name),
        secret=SecretStr("test-secret"),
        prefix=f"p{uuid.uuid4().hex[:8]}.",
        partitions=2,
        replication=1,
        session_seconds=20,
        connections=20,
    )
    await asyncio.gather(asyncio.to_thread(migrate.upgrade, settings, "router"), topics.apply(settings))
    producer = Producer(settings)
    await producer.start()
    async with open_pool(settings, "router") as pool:
        yield House(settings, pool, producer)
    await producer.stop()
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()
