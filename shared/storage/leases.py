"""What only one replica at a time may run: rows with an expiry and a fencing epoch (docs/architecture.md, Sending)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from shared.contract.errors import DatabaseUnavailable, Fenced
from shared.runtime.lasting import spawn
from shared.storage.database import Pool, transaction

log = structlog.get_logger(__name__)

SECONDS: Final = 30.0  # of a lease; renewed three times within it


class Leases:
    """The leases of one process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._owner = uuid.uuid4()

    async def take(self, name: str) -> int | None:
        """The epoch, if the lease is free, expired or ours; None while somebody else holds it."""
        async with transaction(self._pool) as connection:
            epoch: int | None = await connection.fetchval(
                """INSERT INTO lease (name, owner, lease_until) VALUES ($1, $2, now() + make_interval(secs => $3))
                ON CONFLICT (name) DO UPDATE SET owner = $2, lease_until = excluded.lease_until,
                    epoch = lease.epoch + (lease.owner <> $2)::int
                WHERE lease.owner = $2 OR lease.lease_until < now() RETURNING epoch""",
                name,
                self._owner,
                SECONDS,
            )
        return epoch

    async def release(self, name: str) -> None:
        async with transaction(self._pool) as connection:
            await connection.execute(
                "UPDATE lease SET lease_until = now() WHERE name = $1 AND owner = $2", name, self._owner
            )

    async def run(self, name: str, work: Callable[[int], Coroutine[Any, Any, None]]) -> None:
        """For ever: while the lease is ours run `work(epoch)`, which ends when it is lost; else wait for it."""
        while True:
            try:
                epoch = await self.take(name)
                if epoch is not None:
                    await self._held(name, epoch, work)
            except DatabaseUnavailable as error:
                log.info("lease.waiting", name=name, error=str(error))
            except Fenced:
                log.info("lease.lost", name=name)
            await asyncio.sleep(SECONDS / 10)

    async def _held(self, name: str, epoch: int, work: Callable[[int], Coroutine[Any, Any, None]]) -> None:
        task = spawn(work(epoch), "under a lease")
        try:
            while True:
                done, _ = await asyncio.wait({task}, timeout=SECONDS / 3)
                if done:
                    task.result()
                    return
                if await self.take(name) != epoch:
                    raise Fenced(name)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            try:
                await self.release(name)
            except DatabaseUnavailable:
                log.info("lease.left_to_expire", name=name)
