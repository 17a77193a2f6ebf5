"""A provider's daily quota, counted in units per call and shared by polls, sends and all replicas."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from shared.contract.channel import Account, App, Asked, Channel, Http, Quota
from shared.contract.errors import DatabaseUnavailable, SendFailed
from shared.runtime.observe import QUOTA_LEFT
from shared.storage.database import Pool, transaction

# What is left of the day in its zone; PostgreSQL's clock and zones are the same for all replicas.
REST: Final = "(date_trunc('day', now() AT TIME ZONE $3) + interval '1 day') AT TIME ZONE $3 - now()"


class Quotas:
    """Counts before a call is made: what fails costs as well."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def spend(self, request: Asked, channel: Channel, owner: Account | App, *, polling: bool) -> None:
        """Raises SendFailed: `throttled` until the next day where the units are used up, for a poll where what is left is kept."""
        if not isinstance(request, Http) or not request.cost or (quota := _of(channel, owner)) is None:
            return
        limit = quota.units - quota.reserve if polling else quota.units
        row = await self._ask(
            f"""INSERT INTO quota AS kept (channel, name, day, used)
                SELECT $1, $2, (now() AT TIME ZONE $3)::date, $4::bigint WHERE $4::bigint <= $5
            ON CONFLICT (channel, name) DO UPDATE SET day = excluded.day,
                used = excluded.used + CASE WHEN kept.day = excluded.day THEN kept.used ELSE 0 END
            WHERE kept.day <> excluded.day OR kept.used + excluded.used <= $5
            RETURNING used, {REST} AS rest""",
            channel,
            quota,
            request.cost,
            limit,
        )
        if row is None:
            _, rest = await self.standing(channel, quota)
            kept = f", of which {quota.reserve} are kept for sends" if polling else ""
            told = f"the day's quota of {quota.units} units is used up{kept}"
            raise SendFailed("throttled", told, retry_after=rest)
        QUOTA_LEFT.labels(channel.name, owner.name).set(quota.units - row["used"])

    async def pause(self, spent: int, channel: Channel, owner: Account | App) -> timedelta:
        """How long to wait after a turn of a poll that spent so much, so that its share lasts until the next day."""
        if not spent or (quota := _of(channel, owner)) is None:
            return timedelta(0)
        used, rest = await self.standing(channel, quota)
        left = quota.units - quota.reserve - used
        return rest if left <= spent else rest * spent / left

    async def standing(self, channel: Channel, quota: Quota) -> tuple[int, timedelta]:
        """The units used today, and the time until tomorrow."""
        row = await self._ask(
            f"""SELECT {REST} AS rest, COALESCE((SELECT used FROM quota
                WHERE channel = $1 AND name = $2 AND day = (now() AT TIME ZONE $3)::date), 0) AS used""",  # noqa: S608 a constant
            channel,
            quota,
        )
        assert row is not None
        return row["used"], row["rest"]

    async def _ask(self, statement: str, channel: Channel, quota: Quota, *more: int) -> Mapping[str, Any] | None:
        try:
            async with transaction(self._pool) as connection:
                row: Mapping[str, Any] | None = await connection.fetchrow(
                    statement, channel.name, quota.name, quota.zone, *more
                )
        except DatabaseUnavailable as error:
            raise SendFailed("unreachable", "PostgreSQL, where the quota is counted, cannot be used") from error
        return row


def _of(channel: Channel, owner: Account | App) -> Quota | None:
    return channel.quota(owner) if channel.quota and isinstance(owner, Account) else None
