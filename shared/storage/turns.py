"""Whose turn it is: what is due of every account, by steps along an index, however much waits and whatever the statistics say."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared.storage.database import Pool, connected

Place = tuple[str, str]  # channel, account


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """What one claim may take: of each account that is not idle as many rows as are `free`, of any other `default`; `limit`
    in all, and only of these `channels` (None: of all).
    """

    free: Mapping[Place, int]
    default: int
    limit: int
    channels: Collection[str] | None = None


def claim(table: str, *, pending: str = "TRUE") -> str:
    """The statement that takes rows which are due and which nobody holds, and returns them.

    A row is locked and written where it was seen (ctid): a plan made on other statistics cannot walk the table for it. Who
    finds it taken meanwhile passes it by.

    Of a table with the columns channel, account, owner, lease_until, next_try and an index on (channel, account, next_try)
    of the rows that are `pending`. Parameters: channels, accounts, how many rows of each are free; how many of every other
    account; the most in all; the owner; the lease; the channels, or NULL for all.
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
            SELECT one.* FROM (SELECT * FROM waiting WHERE $8::text[] IS NULL OR channel = ANY($8::text[])) AS waiting
            LEFT JOIN room USING (channel, account) CROSS JOIN LATERAL (
                SELECT ctid AS place, next_try FROM {table}
                WHERE {pending} AND channel = waiting.channel AND account = waiting.account AND {free}
                ORDER BY channel, account, next_try LIMIT greatest(coalesce(room.free, $4), 0)) AS one
            ORDER BY next_try LIMIT $5),
        mine AS MATERIALIZED (
            SELECT locked.* FROM due CROSS JOIN LATERAL (
                SELECT ctid AS place FROM {table} WHERE ctid = due.place AND {pending} AND {free} FOR UPDATE SKIP LOCKED) AS locked)
        UPDATE {table} SET owner = $6, lease_until = now() + $7 FROM mine WHERE {table}.ctid = mine.place
        RETURNING {table}.*"""  # noqa: S608 names of the code's own


async def take(pool: Pool, statement: str, room: Room, *, owner: uuid.UUID, lease: timedelta) -> Sequence[Any]:
    """The rows that are `owner`'s from now on, by a statement of `claim`."""
    async with connected(pool) as connection:
        found: Sequence[Any] = await connection.fetch(
            statement,
            [channel for channel, _ in room.free],
            [account for _, account in room.free],
            list(room.free.values()),
            room.default,
            room.limit,
            owner,
            lease,
            None if room.channels is None else list(room.channels),
        )
    return found
