"""Who waits for us, by how long: one replica counts, for everyone."""

from __future__ import annotations

import asyncio
from typing import Final

from services.router.directory import Directory
from shared.runtime.observe import WAITING
from shared.storage.database import Pool, connected
from shared.storage.leases import Leases

EVERY: Final = 15.0  # seconds between two counts
AGES: Final = ("under_5m", "under_1h", "under_1d", "over_1d")
COUNT: Final = """
    SELECT channel, account, width_bucket(extract(epoch FROM now() - waiting_since)::float8, ARRAY[300, 3600, 86400]::float8[]),
        count(*)
    FROM conversation WHERE waiting_since IS NOT NULL GROUP BY 1, 2, 3"""


class Waiting:
    """Sets the gauge while the lease is ours, and takes it back when it is not."""

    def __init__(self, pool: Pool, directory: Directory) -> None:
        self._pool, self._directory = pool, directory

    async def run(self) -> None:
        await Leases(self._pool).run("waiting", self._count_for_ever)

    async def _count_for_ever(self, _epoch: int) -> None:
        try:
            while True:
                await self.count()
                await asyncio.sleep(EVERY)
        finally:
            WAITING.clear()

    async def count(self) -> None:
        """An account in which nobody waits says so."""
        async with connected(self._pool) as connection:
            rows = await connection.fetch(COUNT)
        accounts = {(state.channel, state.account) for state in self._directory.all()} | {
            tuple(row[:2]) for row in rows
        }
        WAITING.clear()
        for channel, account in accounts:
            for age in AGES:
                WAITING.labels(channel, account, age)
        for channel, account, age, number in rows:  # of several tenants' accounts of one name
            WAITING.labels(channel, account, AGES[age]).inc(number)
