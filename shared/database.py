"""PostgreSQL: a pool per process, one schema per service, migrations as plain SQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import orjson
import structlog

from shared.errors import DatabaseUnavailable
from shared.settings import Settings

Connection = Any  # asyncpg.pool.PoolConnectionProxy; asyncpg ships no types that say so
Pool = Any

log = structlog.get_logger(__name__)

# What goes away when the server does, and what is gone when two transactions met: try again, with facts read anew.
DISCONNECTED: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg says of a connection that broke off between two of its states
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
CONTENDED: Final = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.UniqueViolationError,
    asyncpg.LockNotAvailableError,
)


async def _prepare(connection: Connection) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads
        )


async def _keep(connection: Connection) -> None:
    """No session state is ever set here, so giving a connection back costs no question to the server."""


@asynccontextmanager
async def open_pool(settings: Settings, schema: str) -> AsyncIterator[Pool]:
    """A pool whose connections live in `schema`. It opens even while PostgreSQL is away: each use connects by itself."""
    pool = asyncpg.create_pool(
        settings.database.get_secret_value(),
        min_size=0,
        max_size=settings.connections,
        init=_prepare,
        reset=_keep,
        timeout=5,
        command_timeout=60,
        server_settings={
            "search_path": schema,
            "application_name": schema,
            "plan_cache_mode": "force_generic_plan",  # the same few statements for ever: planning them anew costs more
        },
    )
    await pool
    try:
        yield pool
    finally:
        try:
            async with asyncio.timeout(5):
                await pool.close()
        except TimeoutError:
            pool.terminate()


@asynccontextmanager
async def connected(pool: Pool) -> AsyncIterator[Connection]:
    """A connection without a transaction around it. Raises DatabaseUnavailable while the server is away."""
    try:
        async with pool.acquire(timeout=10) as connection:
            yield connection
    except DISCONNECTED as error:
        if isinstance(error, ValueError):  # asyncpg's word for an argument that PostgreSQL cannot take
            raise
        raise DatabaseUnavailable(type(error).__name__) from error


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """One transaction on a connection of its own. Raises DatabaseUnavailable while the server is away."""
    async with connected(pool) as connection, connection.transaction():
        yield connection
