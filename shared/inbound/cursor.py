"""Where a poll or a socket goes on: stored when what it read is durable, by the holder of its lease only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.contract.errors import Fenced
from shared.storage.database import Pool, transaction


@dataclass(frozen=True, slots=True)
class Cursor:
    """The row of one poll or socket. `place`: the account, or which of its sockets; `lease`: whose epoch guards it."""

    pool: Pool
    channel: str
    place: str
    lease: str

    async def read(self) -> Mapping[str, Any]:
        """Raises DatabaseUnavailable."""
        async with transaction(self.pool) as connection:
            value: Mapping[str, Any] | None = await connection.fetchval(
                "SELECT value FROM cursor WHERE channel = $1 AND account = $2", self.channel, self.place
            )
        return value or {}

    async def move(self, value: Mapping[str, Any], epoch: int) -> None:
        """Only while the lease's epoch is still ours. Raises Fenced, DatabaseUnavailable."""
        async with transaction(self.pool) as connection:
            moved = await connection.fetchval(
                """INSERT INTO cursor (channel, account, value)
                SELECT $1, $2, $3 WHERE EXISTS (SELECT FROM lease WHERE name = $4 AND epoch = $5 FOR SHARE)
                ON CONFLICT (channel, account) DO UPDATE SET value = excluded.value, moved_at = now() RETURNING true""",
                self.channel,
                self.place,
                dict(value),
                self.lease,
                epoch,
            )
        if not moved:
            raise Fenced(self.lease)
