"""Whose turn it is: what is due of every account, by steps along an index, however much waits and whatever the statistics say."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from shared.storage.database import Pool, connected

Place = tuple[str, str]  # channel, account


def claim(table: str, *, pending: str = "TRUE") -> str:
    """The statement that takes rows which are due and which nobody holds, and returns them.

    A row is locked and written where it was seen (ctid): a plan made on other statistics cannot walk the table for it. Who
    finds it taken meanwhile passes it by.

    Of a table with the columns channel, account, owner, lease_until, next_try and an index on (channel, account, next_try)
    of the rows that are `pending`. Parameters: channels, accounts, how many rows of each are free; how many of every other
    account; the most in all; the owner; the lease.
    """
    free = "next_try <= now() AND (owner IS NULL OR lease_until < now())"
    return f"""
        WITH RECURSIVE room AS (SELECT * FROM unnest($1::text[], $2::text[], $3::int[]) AS room (channel, account, free)),
        waiting AS (
            (SELECT channel, account FROM {table} WHERE {pending} ORDER BY channel, account LIMIT 1)
            UNION ALL
            SELECT next.channel, next.account FROM waiting CROSS JOIN LATERAL (
                SELECT channel, account FROM {table}
                WHERE {pending} AND (channel, account) > (waiting.channel, waiting.account)
                ORDER BY channel, account LIMIT 1) AS next),
        due AS MATERIALIZED (
            SELECT one.* FROM waiting LEFT JOIN room USING (channel, account) CROSS JOIN LATERAL (
                SELECT ctid AS place, next_try FROM {table}
                WHERE {pending} AND channel = waiting.channel AND account = waiting.account AND {free}
                ORDER BY channel, account, next_try LIMIT greatest(coalesce(room.free, $4), 0)) AS one
            ORDER BY next_try LIMIT $5),
        mine AS MATERIALIZED (
            SELECT locked.* FROM due CROSS JOIN LATERAL (
                SELECT ctid AS place FROM {table} WHERE ctid = due.place AND {pending} AND {free} FOR UPDATE SKIP LOCKED) AS locked)
        UPDATE {table} SET owner = $6, lease_until = now() + $7 FROM mine WHERE {table}.ctid = mine.place
        RETURNING {table}.*"""  # noqa: S608 names of the code's own


async def take(
    pool: Pool,
    statement: str,
    *,
    free: Mapping[Place, int],
    default: int,
    limit: int,
    owner: uuid.UUID,
    lease: timedelta,
) -> Sequence[Any]:
    """The rows that are `owner`'s from now on, by a statement of `claim`."""
    channels, accounts = [channel for channel, _ in free], [account for _, account in free]
    async with connected(pool) as connection:
        found: Sequence[Any] = await connection.fetch(
            statement, channels, accounts, list(free.values()), default, limit, owner, lease
        )
    return found
