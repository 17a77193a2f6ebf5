"""PostgreSQL: a pool per process, one schema per service, migrations as plain SQL."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import asyncpg
import orjson
import structlog

from shared.contract.errors import Contended, DatabaseUnavailable, Misconfigured
from shared.runtime.settings import Settings
from shared.storage.sqlstates import Meaning, is_waited_for, meaning, remedy

Connection = Any  # asyncpg.pool.PoolConnectionProxy; asyncpg ships no types that say so
Pool = Any

log = structlog.get_logger(__name__)

FILES: Final = ("sslrootcert", "sslcert", "sslkey")  # of an address


async def _prepare(connection: Connection) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads
        )


async def _keep(connection: Connection) -> None:
    """No session state is ever set here, so giving a connection back costs no question to the server."""


@asynccontextmanager
async def open_pool(
    settings: Settings, schema: str, check: Callable[[Connection], Awaitable[None]] | None = None
) -> AsyncIterator[Pool]:
    """A pool whose connections live in `schema`. It opens even while PostgreSQL is away: each use connects by itself.

    `check`: run on each new connection; what it raises is raised to whoever wanted to use it.

    Raises Misconfigured for an address that no server could be reached by.
    """

    async def prepare(connection: Connection) -> None:
        await _prepare(connection)
        if check:
            await check(connection)

    pool = asyncpg.create_pool(
        _address(settings),
        min_size=0,
        max_size=settings.connections,
        init=prepare,
        reset=_keep,
        timeout=5,
        command_timeout=60,
        server_settings={
            "search_path": schema,
            "application_name": schema,
            "enable_seqscan": "off",  # a plan made while a table was small, and kept, walked it whole for every row it found
            "plan_cache_mode": "force_generic_plan",  # the same few statements for ever: planning them anew costs more
        },
    )
    await pool
    try:
        await _try(pool)
        yield pool
    finally:
        try:
            async with asyncio.timeout(5):
                await pool.close()
        except TimeoutError:
            pool.terminate()


async def _try(pool: Pool) -> None:
    try:
        async with pool.acquire(timeout=5):
            pass
    except asyncpg.exceptions.ClientConfigurationError as error:
        raise Misconfigured(f"PARLEY_DATABASE: {error}.") from error
    except Exception as error:
        if not is_waited_for(error) and not isinstance(error, DatabaseUnavailable):
            raise  # else health says so, for as long as it is so


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Connection]:
    """One connection without a pool, for a command. Raises DatabaseUnavailable with the reason in words, Misconfigured."""
    try:
        connection = await asyncpg.connect(_address(settings), timeout=10)
    except asyncpg.exceptions.ClientConfigurationError as error:
        raise Misconfigured(f"PARLEY_DATABASE: {error}.") from error
    except Exception as error:
        if not is_waited_for(error):
            raise
        raise DatabaseUnavailable(in_words(error)) from error
    try:
        yield connection
    finally:
        await connection.close()


def _address(settings: Settings) -> str:
    """PARLEY_DATABASE, whose files are there. Raises Misconfigured."""
    address = settings.database.get_secret_value()
    for name, (file, *_) in parse_qs(urlsplit(address).query).items():
        if name in FILES and not os.access(file, os.R_OK):
            raise Misconfigured(f"PARLEY_DATABASE: {name} must be a file that this process may read, not {file}.")
    return address


def in_words(error: BaseException) -> str:
    """Why PostgreSQL cannot be used, without what is secret in its address."""
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"its certificate is not trusted ({error.verify_message}): see host and sslrootcert in PARLEY_DATABASE"
            )
        case ssl.SSLError():
            return f"TLS fails ({error.reason}): see sslmode and its files in PARLEY_DATABASE"
        case asyncpg.PostgresError():
            advice = remedy(error.sqlstate)
            return f"it says: {error}" + (f" ({advice})" if advice else "")
        case _:
            return type(error).__name__


@asynccontextmanager
async def connected(pool: Pool) -> AsyncIterator[Connection]:
    """A connection without a transaction around it.

    Raises Contended where two met, DatabaseUnavailable for everything else that no record is to blame for (shared.storage.sqlstates).
    """
    try:
        async with pool.acquire(timeout=10) as connection:
            yield connection
    except Exception as error:
        match meaning(error):
            case None | Meaning.RECORD:
                raise
            case Meaning.AGAIN:
                raise Contended(in_words(error)) from error
            case Meaning.RECONNECT:
                await pool.expire_connections()
        raise DatabaseUnavailable(in_words(error)) from error


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """One transaction on a connection of its own. Raises Contended, DatabaseUnavailable as `connected` does."""
    async with connected(pool) as connection, connection.transaction():
        yield connection
