"""What is still to be asked of providers, as rows that replicas take under a lease."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from shared.storage import turns
from shared.storage.database import Pool, connected
from shared.storage.turns import Room

LEASE: Final = timedelta(seconds=180)  # longer than the longest download; doing it twice does no harm


@dataclass(frozen=True, slots=True)
class Jobs:
    """A table with the columns channel, account, owner, lease_until, next_try, tries, done_at; `key`: those that name a row."""

    table: str
    key: tuple[str, ...]

    async def claim(self, pool: Pool, room: Room) -> tuple[uuid.UUID, Sequence[Any]]:
        """The owner from now on of rows that are due and that nobody holds, as many as there is room for; and these rows."""
        owner = uuid.uuid4()
        statement = turns.claim(self.table, pending="done_at IS NULL")
        rows = await turns.take(pool, statement, room, owner=owner, lease=LEASE)
        return owner, rows

    async def put_off(self, pool: Pool, key: Sequence[object], *, owner: uuid.UUID, delay: timedelta) -> None:
        """Try again then."""
        same = " AND ".join(f"{name} = ${at}" for at, name in enumerate(self.key, start=3))
        async with connected(pool) as connection:
            await connection.execute(
                f"UPDATE {self.table} SET owner = NULL, lease_until = NULL, next_try = now() + $2, tries = tries + 1"  # noqa: S608
                f" WHERE owner = $1 AND {same}",
                owner,
                delay,
                *key,
            )
