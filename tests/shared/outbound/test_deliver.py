"""Lanes and ledger in PostgreSQL: one owner at a time, no message without a lane, no account beyond its room."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from provider import Account, make_channel
from station import Station, open_station, outbound

from shared.contract.deliveries import Outbound
from shared.contract.errors import DatabaseUnavailable, Fenced
from shared.outbound import lanes
from shared.outbound.lanes import Lane
from shared.outbound.ledger import Ledger, Outcome
from shared.outbound.outgoing import Pace
from shared.outbound.sending import Job, Sender
from shared.provider.calls import Caller
from shared.provider.contexts import Contexts
from shared.storage import turns, walks
from tests.parts import make_parts


@pytest.fixture
async def station(servers: Any, tmp_path: Path) -> AsyncIterator[Station]:
    async with open_station(servers, tmp_path / "blobs") as station:
        yield station


async def put(station: Station, *messages: Outbound) -> None:
    await lanes.append(station.pool, [station.outbound_record(message) for message in messages])


async def claim(station: Station, **more: Any) -> list[Lane]:
    return await lanes.claim(station.pool, turns.Room(**({"free": {}, "default": 100, "limit": 100} | more)))


async def finish(ledger: Ledger, lane: Lane, message: Outbound) -> None:
    await ledger.cut(lane, message, message.parts)
    await ledger.sending(lane, message, 0, lease=timedelta(seconds=30))
    await ledger.settle(lane, message, 0, Outcome(status="sent"))


async def test_a_lane_has_one_owner(station: Station) -> None:
    await put(station, *(outbound() for _ in range(40)))
    claims = await asyncio.gather(*(claim(station, limit=15) for _ in range(6)))
    taken = [lane.conversation for lanes_ in claims for lane in lanes_]
    assert len(taken) == len(set(taken)) == 40


async def test_a_process_takes_no_lane_of_a_channel_that_it_does_not_serve(station: Station) -> None:
    await put(station, *(outbound() for _ in range(3)))
    assert await claim(station, channels={"webhook", "slack"}) == []
    assert len(await claim(station, channels={"line", "webhook"})) == 3


async def test_a_lane_is_taken_over_only_after_its_lease(station: Station) -> None:
    message = outbound()
    await put(station, message)
    (old,) = await claim(station)
    assert await claim(station) == []
    await station.expire_leases()
    (new,) = await claim(station)
    ledger = Ledger(station.pool)
    await ledger.cut(new, message, message.parts)
    for step in (
        lambda: ledger.head(old),
        lambda: ledger.cut(old, message, message.parts),
        lambda: ledger.hold(old, timedelta(seconds=1)),
        lambda: ledger.sending(old, message, 0, lease=timedelta(seconds=1)),
        lambda: ledger.settle(old, message, 0, Outcome(status="sent")),
    ):
        with pytest.raises(Fenced):
            await step()
    await ledger.postpone(old, timedelta(hours=1), tried=True)
    assert (await ledger.head(new)) is not None
    assert await station.states(message) == ["queued"]


async def test_an_account_gets_no_more_than_its_room(station: Station) -> None:
    busy = [outbound(account="busy") for _ in range(20)]
    await put(station, *busy, *(outbound(account="idle") for _ in range(3)))
    room = {("line", "busy"): 2}
    accounts = [lane.account[1] for lane in await claim(station, free=room, default=5)]
    assert sorted(accounts) == ["busy", "busy", "idle", "idle", "idle"]
    assert await claim(station, free={("line", "busy"): 0}) == []


async def test_a_message_that_comes_while_the_lane_is_removed_is_not_lost(station: Station) -> None:
    """Who removes an empty lane waits for who is just filling it, and then sees what was put in."""
    first, second = outbound(), outbound()
    second = second.model_copy(update={"conversation": first.conversation})
    await put(station, first)
    (lane,) = await claim(station)
    ledger = Ledger(station.pool)
    await finish(ledger, lane, first)
    async with station.pool.acquire() as filling:
        transaction = filling.transaction()
        await transaction.start()
        await filling.execute("UPDATE lane SET channel = channel WHERE conversation = $1", lane.conversation)
        looking = asyncio.create_task(ledger.head(lane))
        await station.eventually("SELECT count(*) FROM pg_locks WHERE NOT granted", wanted=1)
        record = station.outbound_record(second)
        await filling.execute(
            "INSERT INTO send (message_id, attempt, conversation, body) VALUES ($1, 1, $2, $3)",
            second.id,
            second.conversation,
            record.value,
        )
        await transaction.commit()
    head = await looking
    assert head is not None
    assert head.message.id == second.id


async def test_a_message_that_comes_after_the_lane_is_removed_has_a_new_one(station: Station) -> None:
    first = outbound()
    second = outbound(conversation=first.conversation)
    await put(station, first)
    (lane,) = await claim(station)
    ledger = Ledger(station.pool)
    await finish(ledger, lane, first)
    await asyncio.gather(ledger.head(lane), put(station, second))
    waiting = await station.pool.fetchval("SELECT count(*) FROM send WHERE done_at IS NULL")
    assert (waiting, await station.pool.fetchval("SELECT count(*) FROM lane")) == (1, 1)


async def test_a_batch_keeps_its_order_however_often_it_comes(station: Station) -> None:
    conversation = uuid.uuid4()
    messages = [outbound(str(number), conversation=conversation) for number in range(50)]
    await put(station, *messages[:30])
    await put(station, *messages)
    rows = await station.pool.fetch("SELECT message_id FROM send ORDER BY position")
    assert [row["message_id"] for row in rows] == [message.id for message in messages]


async def test_two_attempts_of_a_message_are_two_sends(station: Station) -> None:
    message = outbound()
    await put(station, message, message.model_copy(update={"attempt": 2}))
    assert await station.pool.fetchval("SELECT count(*) FROM send") == 2


async def test_a_head_by_another_account_is_claimed_as_that_ones(station: Station) -> None:
    first = outbound()
    second = outbound(conversation=first.conversation, account="other")
    await put(station, first, second)
    (lane,) = await claim(station)
    ledger = Ledger(station.pool)
    await finish(ledger, lane, first)
    assert await ledger.head(lane) is None
    (again,) = await claim(station)
    assert again.account == ("line", "other")
    assert (await ledger.head(again)).message.id == second.id  # type: ignore[union-attr]


async def test_an_outcome_is_written_once(station: Station) -> None:
    """A COMMIT whose answer was lost is tried again; a second, different end changes nothing."""
    message = outbound()
    await put(station, message)
    (lane,) = await claim(station)
    ledger = Ledger(station.pool)
    await finish(ledger, lane, message)
    await ledger.settle(lane, message, 0, Outcome(status="unknown"))
    assert await station.states(message) == ["sent"]


async def test_while_the_tables_are_not_there_yet_the_reader_waits(station: Station) -> None:
    await station.pool.execute("DROP TABLE lane")
    with pytest.raises(DatabaseUnavailable):
        await put(station, outbound())
    with pytest.raises(DatabaseUnavailable):
        await claim(station)


async def test_what_was_frozen_longer_than_its_lease_does_not_send(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGSTOP between the ledger's answer and the request: the lane may be another's by the time it goes on."""
    loop = asyncio.get_running_loop()
    clock, frozen = loop.time, [0.0]

    class Freezing(Ledger):
        async def sending(self, *given: Any, **more: Any) -> None:
            await super().sending(*given, **more)
            frozen[0] = 60.0

    message = outbound()
    await put(station, message)
    (lane,) = await claim(station)
    ledger, channel = Freezing(station.pool), make_channel()
    (entry,) = await ledger.cut(lane, message, message.parts)
    head = await ledger.head(lane)
    account = Account(name="main", api=station.provider.address)
    async with Caller(station.blobs) as caller:
        sender = Sender(make_parts(caller=caller, contexts=Contexts(station.settings)), ledger)
        monkeypatch.setattr(loop, "time", lambda: clock() + frozen[0])
        with pytest.raises(Fenced):
            await sender.send(Job(lane, head, entry, channel, account))  # type: ignore[arg-type]
        monkeypatch.undo()
    assert station.provider.seen == []


async def test_what_waits_is_counted_and_how_long_the_oldest_has(station: Station) -> None:
    ledger = Ledger(station.pool)
    assert await ledger.waiting() == (0, 0.0)
    old = outbound()
    await put(station, old, outbound())
    await station.pool.execute("UPDATE send SET received_at = now() - interval '1 hour' WHERE message_id = $1", old.id)
    count, seconds = await ledger.waiting()
    assert (count, seconds // 3600) == (2, 1)


async def test_what_ended_long_ago_is_forgotten_once_it_was_told(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much of it there is: a step removes only so much."""
    told, other, untold, young = outbound(), outbound(), outbound(), outbound()
    await put(station, told, other, untold, young)
    ledger = Ledger(station.pool)
    by_conversation = {message.conversation: message for message in (told, other, untold, young)}
    monkeypatch.setattr(walks, "STEP", 1)
    for lane in await claim(station):
        await finish(ledger, lane, by_conversation[lane.conversation])
    await station.pool.execute("UPDATE piece SET reported = true WHERE message_id <> $1", untold.id)
    await station.pool.execute("UPDATE send SET done_at = now() - interval '15 days' WHERE message_id <> $1", young.id)
    await ledger.prune()
    rows = await station.pool.fetch("SELECT message_id FROM send")
    assert {row["message_id"] for row in rows} == {untold.id, young.id}


async def test_an_upload_is_known_until_shortly_before_it_expires(station: Station) -> None:
    ledger, account = Ledger(station.pool), ("line", "main")
    for seconds, known in ((3600, "H"), (30, None), (None, "H")):
        expires_in = timedelta(seconds=seconds) if seconds else None
        await ledger.keep_handle(account, "default/blob", value="H", expires_in=expires_in)
        assert await ledger.handle(account, "default/blob") == known


async def test_an_upload_without_an_end_is_forgotten_after_a_season_and_can_be_made_again(station: Station) -> None:
    ledger, account = Ledger(station.pool), ("line", "main")
    for blob in ("default/old", "default/again", "default/new"):
        await ledger.keep_handle(account, blob, value="H", expires_in=None)
    await station.pool.execute("UPDATE handle SET made_at = now() - interval '91 days' WHERE blob <> 'default/new'")
    await ledger.keep_handle(account, "default/again", value="H", expires_in=None)
    await ledger.prune()
    assert {row["blob"] for row in await station.pool.fetch("SELECT blob FROM handle")} == {
        "default/again",
        "default/new",
    }


def test_pauses_double_up_to_a_limit_and_differ() -> None:
    pace = Pace()
    for tries, seconds in ((0, 1), (3, 8), (8, 256), (9, 300), (500, 300)):
        pauses = {pace.pause(tries).total_seconds() for _ in range(20)}
        assert all(0.75 * seconds <= pause <= 1.25 * seconds for pause in pauses)
        assert len(pauses) > 1
