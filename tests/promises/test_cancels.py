"""What is taken back before it has begun is never sent, and told so; what has begun tells its own end."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from provider import says, waits_for
from station import Station, open_station, outbound

from shared.contract.deliveries import Outbound, Withdraw
from shared.outbound import outgoing


@pytest.fixture
async def station(servers: Any, tmp_path: Path) -> AsyncIterator[Station]:
    async with open_station(servers, tmp_path / "blobs") as station:
        yield station


def withdraw(message: Outbound) -> Withdraw:
    plain = message.model_dump(include={"tenant", "channel", "account", "peer", "conversation", "sequence"})
    own = {"id": uuid.uuid4(), "request_id": "c-1", "requested_at": datetime.now(UTC), "message": message.id}
    return Withdraw(**(plain | own))


async def test_what_waits_behind_another_is_taken_back_and_never_sent(station: Station) -> None:
    held = asyncio.Event()
    station.provider.answers = [waits_for(held)]
    adapter = await station.start()
    first = outbound("first")
    second = outbound("second", conversation=first.conversation)
    third = outbound("third", conversation=first.conversation)
    await adapter.give(first, second, third)
    await station.provider.wait(1)
    await adapter.give(withdraw(second))
    held.set()
    assert [(await station.told(one))[0].status for one in (first, second, third)] == ["sent", "cancelled", "sent"]
    assert len(station.provider.seen) == 2


async def test_what_has_begun_tells_its_own_end(station: Station) -> None:
    held = asyncio.Event()
    station.provider.answers = [waits_for(held)]
    adapter = await station.start()
    message = outbound("hello")
    await adapter.give(message)
    await station.provider.wait(1)
    await adapter.give(withdraw(message))
    held.set()
    (told,) = await station.told(message)
    assert told.status == "sent"
    await adapter.give(withdraw(message))
    assert len(await station.told(message)) == 1


async def test_a_lane_that_was_put_off_ends_what_is_taken_back_at_once(station: Station) -> None:
    station.provider.answers = [says(429, retry_after="3600")]
    adapter = await station.start()
    message = outbound("hello")
    await adapter.give(message)
    await station.eventually("SELECT count(*) FROM lane WHERE next_try > now() + interval '10 minutes'", wanted=1)
    await adapter.give(withdraw(message))
    (told,) = await station.told(message)
    assert told.status == "cancelled"
    assert len(station.provider.seen) == 1


@pytest.mark.parametrize("how", ["cancelled", "expired"])
async def test_the_statement_that_lets_it_leave_is_the_last_to_look(
    station: Station, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """It is taken back, or its time ends, between the look at the lane's head and the call."""
    looked = asyncio.Event()
    real = outgoing._called_off

    def looks(head: Any) -> Any:
        found = real(head) if looked.is_set() else None
        looked.set()
        return found

    monkeypatch.setattr(outgoing, "_called_off", looks)
    late = {"not_after": datetime.now(UTC) - timedelta(seconds=1)} if how == "expired" else {}
    message = outbound("hello", **late)
    adapter = await station.start()
    if how == "cancelled":
        await station.pool.execute(
            "CREATE FUNCTION taken_back() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN NEW.cancelled_at = now(); RETURN NEW; END'"
        )
        await station.pool.execute(
            "CREATE TRIGGER taken_back BEFORE INSERT ON send FOR EACH ROW EXECUTE FUNCTION taken_back()"
        )
    await adapter.give(message)
    (told,) = await station.told(message)
    assert told.status == how
    assert station.provider.seen == []
