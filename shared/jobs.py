"""What is still to be asked of providers, as rows that replicas take under a lease."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from shared.database import Pool, connected
from shared.lanes import Account

LEASE: Final = timedelta(seconds=180)  # longer than the longest download; doing it twice does no harm


@dataclass(frozen=True, slots=True)
class Jobs:
    """A table with the columns channel, account, owner, lease_until, next_try, tries, done_at; `key`: those that name a row."""

    table: str
    key: tuple[str, ...]

    async def claim(
        self, pool: Pool, *, free: Mapping[Account, int], default: int, limit: int
    ) -> tuple[uuid.UUID, Sequence[Any]]:
        """The owner from now on of rows that are due and that nobody holds, for each account at most as many as are
        `free` (else `default`); and these rows.
        """
        owner = uuid.uuid4()
        async with connected(pool) as connection:
            rows = await connection.fetch(
                self._claim(),
                [channel for channel, _ in free],
                [account for _, account in free],
                list(free.values()),
                default,
                limit,
                owner,
                LEASE,
            )
        return owner, rows

    def _claim(self) -> str:
        due = "done_at IS NULL AND next_try <= now() AND (owner IS NULL OR lease_until < now())"
        key = ", ".join(self.key)
        columns = ", ".join(dict.fromkeys((*self.key, "channel", "account", "next_try")))
        same = " AND ".join(f"{self.table}.{name} = mine.{name}" for name in self.key)
        return f"""
            WITH room AS (SELECT * FROM unnest($1::text[], $2::text[], $3::int[]) AS room (channel, account, free)),
            due AS (
                SELECT {key}, coalesce(free, $4) AS free,
                       row_number() OVER (PARTITION BY channel, account ORDER BY next_try) AS place
                FROM (SELECT {columns}, free FROM {self.table} LEFT JOIN room USING (channel, account)
                      WHERE {due} AND coalesce(free, $4) > 0
                      ORDER BY next_try LIMIT 1000) AS waiting),
            mine AS (
                SELECT {key} FROM {self.table} JOIN due USING ({key})
                WHERE place <= free AND {due}
                ORDER BY next_try LIMIT $5 FOR UPDATE OF {self.table} SKIP LOCKED)
            UPDATE {self.table} SET owner = $6, lease_until = now() + $7 FROM mine WHERE {same}
            RETURNING {self.table}.*
            """  # noqa: S608 names of the code's own

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
