"""What an adapter has of a person is emptied when they are forgotten, and nothing is sent twice for it (docs/operations.md, Erasure)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from provider import waits_for
from station import Station, open_station, outbound

from shared.contract.deliveries import Forget, Outbound
from shared.outbound import forgetting
from tests.patience import until
from tests.promises.house import NOON


@pytest.fixture
async def station(servers: Any, tmp_path: Path) -> AsyncIterator[Station]:
    async with open_station(servers, tmp_path / "blobs") as station:
        yield station


def forget(message: Outbound) -> Forget:
    where = message.model_dump(include={"tenant", "channel", "account", "conversation"})
    return Forget(**where, address=message.peer, erased_at=NOON)


async def found(station: Station, word: str) -> set[str]:
    """Every column of every table of the adapter in which it stands."""
    columns = await station.pool.fetch(
        """SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema()
        AND data_type NOT IN ('uuid', 'bigint', 'integer', 'smallint', 'boolean', 'timestamp with time zone', 'date')"""
    )
    said = set()
    for table, column, kind in map(tuple, columns):
        plain = f"encode({column}, 'escape')" if kind == "bytea" else f'"{column}"::text'
        if await station.pool.fetchval(f"SELECT EXISTS (SELECT FROM {table} WHERE position($1 IN {plain}) > 0)", word):
            said.add(f"{table}.{column}")
    return said


async def test_what_waits_is_taken_back_and_nothing_of_what_was_sent_is_left(station: Station) -> None:
    held = asyncio.Event()
    station.provider.answers = [waits_for(held)]
    adapter = await station.start()
    first = outbound("heron up", peer="ann-of-the-rivers")
    second = outbound("heron down", peer="ann-of-the-rivers", conversation=first.conversation)
    await adapter.give(first, second)
    await station.provider.wait(1)
    await station.pool.execute(
        """INSERT INTO profile (tenant, channel, account, address, peer, record_key)
        VALUES ($1, $2, $3, $4, $4, 'k')""",
        first.tenant,
        first.channel,
        first.account,
        first.peer,
    )
    await station.pool.execute(
        """INSERT INTO media_job (message_id, part, tenant, channel, account, peer, record_key, media)
        VALUES ($5, 0, $1, $2, $3, $4, 'k', '{}')""",
        first.tenant,
        first.channel,
        first.account,
        first.peer,
        second.id,
    )
    assert {"send.body", "piece.part", "profile.address", "media_job.peer"} <= await found(
        station, "heron"
    ) | await found(station, first.peer)
    await adapter.give(forget(first))
    held.set()
    assert [(await station.told(one))[0].status for one in (first, second)] == ["sent", "cancelled"]

    async def is_empty() -> bool:  # what was told is known to have been told a moment later
        await forgetting.clear(station.pool)
        return not await found(station, "heron") | await found(station, first.peer)

    await until(is_empty)
    await adapter.give(first, second)
    await adapter.give(third := outbound("a new day", peer="bob"))
    await station.told(third)
    assert len(station.provider.seen) == 2, "what was sent stays sent"
