"""What is to be otherwise at the provider is so behind the message itself, asked for until there is an answer, its end told once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from provider import hangs_up, make_channel, says, waits_for
from station import Station, amend, hand_over, open_station, outbound

from shared.contract.envelope import Text

THREE = "aaaa bbbb cccc dddd eeee"


@pytest.fixture
async def station(servers: Any, tmp_path: Path) -> AsyncIterator[Station]:
    async with open_station(servers, tmp_path / "blobs") as station:
        yield station


def asked(station: Station) -> list[tuple[str, Any]]:
    """What the provider was asked, in order: the path, and what it says beside."""
    bodies = [(seen.path, orjson.loads(seen.body)) for seen in station.provider.seen]
    return [(path, body.get("text") or body.get("part", {}).get("text") or body.get("change")) for path, body in bodies]


async def test_an_edit_does_not_overtake_its_message_and_finds_its_name(station: Station) -> None:
    held = asyncio.Event()
    station.provider.answers = [waits_for(held)]
    adapter = await station.start()
    message = outbound("hello")
    edit = amend(message, content=(Text(text="hallo"),))
    await adapter.give(message, edit)
    await station.provider.wait(1)
    held.set()
    (told,) = await station.ended(edit)
    assert (told.failure, told.external_id, told.order) == (None, "late", edit)
    assert asked(station) == [("/send/alice", "hello"), ("/amend/late", "hallo")]


async def test_a_change_of_several_pieces_is_told_once_at_its_end(station: Station) -> None:
    adapter = await station.start()
    message = outbound(THREE)
    edit = amend(message, content=(Text(text=THREE.upper()),))
    await adapter.give(message, edit)
    (told,) = await station.ended(edit)
    assert told.failure is None
    assert asked(station)[3:] == [("/amend/1", "AAAA BBBB"), ("/amend/2", "CCCC DDDD"), ("/amend/3", "EEEE")]
    deletion = amend(message, "delete")
    await adapter.give(deletion)
    await station.ended(deletion)
    assert [path for path, _ in asked(station)[6:]] == ["/amend/1", "/amend/2", "/amend/3"]
    await station.eventually("SELECT count(*) FROM piece WHERE NOT reported", wanted=0)
    assert len(await station.ended(edit)) == 1


@pytest.mark.parametrize("how", ["crash", "hangs_up", "unreachable", "throttled"])
async def test_a_change_that_had_no_answer_is_asked_for_again(station: Station, how: str) -> None:
    adapter = await station.start()
    message, never = outbound("hello"), asyncio.Event()
    edit = amend(message, content=(Text(text="hallo"),))
    await adapter.give(message)
    await station.told(message)
    answers = {"hangs_up": hangs_up(), "unreachable": says(502), "throttled": says(429, retry_after="0.1")}
    station.provider.answers = [answers.get(how) or waits_for(never)]
    await adapter.give(edit)
    await station.provider.wait(2)
    if how == "crash":
        await adapter.crash()
        await station.expire_leases()
        await station.start()
    (told,) = await station.ended(edit)
    assert told.failure is None
    assert asked(station)[1:] == [("/amend/1", "hallo"), ("/amend/1", "hallo")]
    never.set()


async def test_what_is_refused_is_told_with_its_reason_and_holds_nobody_up(station: Station) -> None:
    adapter = await station.start()
    message = outbound("hello")
    edit, next_ = amend(message, content=(Text(text="hallo"),)), outbound("next", conversation=message.conversation)
    station.provider.by_path["/amend/1"] = says(404)
    await adapter.give(message, edit, next_)
    (told,) = await station.ended(edit)
    assert told.failure is not None
    assert told.failure.code == "bad_address"
    assert [one.status for one in await station.told(next_)] == ["sent"]


@pytest.mark.parametrize("why", ["not_sent", "no_such_message", "more_pieces", "too_late", "cannot"])
async def test_what_cannot_be_changed_is_not_asked_for(station: Station, why: str) -> None:
    channel = make_channel(changes={"delete": None}) if why == "cannot" else make_channel()
    adapter = await station.start(channel)
    message = outbound("hello")
    if why == "not_sent":
        station.provider.answers = [says(403)]
    late = {"not_after": datetime.now(UTC) - timedelta(seconds=1)} if why == "too_late" else {}
    edit = amend(message, content=(Text(text=THREE if why == "more_pieces" else "hallo"),), **late)
    if why == "no_such_message":
        edit = edit.model_copy(update={"message": uuid.uuid4()})
    await adapter.give(message, edit)
    (told,) = await station.ended(edit)
    codes = {"too_late": "expired", "not_sent": "refused", "no_such_message": "refused"}
    assert told.failure is not None
    assert told.failure.code == codes.get(why, "unsupported")
    assert [path for path, _ in asked(station)] == ["/send/alice"]


async def test_of_read_marks_that_wait_the_newest_is_shown(station: Station) -> None:
    """Each has its end told; an older message that is marked behind a newer one is asked for by itself."""
    adapter = await station.start()
    station.provider.answers = [waits_for(held := asyncio.Event())]
    message = outbound("busy")
    now = datetime.now(UTC)
    given = {"message": message, "change": "seen", "ours": False}
    marks = [amend(**given, names=((f"m{n}",),), written_at=now + timedelta(seconds=n)) for n in (1, 2, 3)]
    late = amend(**given, names=(("m0",),), written_at=now)
    await adapter.give(message, *marks, late)
    await station.provider.wait(1)
    held.set()
    told = await station.ended(*marks, late)
    assert [(one.failure, one.external_id) for one in told] == [(None, "m1"), (None, "m2"), (None, "m3"), (None, "m0")]
    assert [path for path, _ in asked(station)] == ["/send/alice", "/amend/m3", "/amend/m0"]


async def test_a_thread_is_handed_over_behind_what_was_written_before(station: Station) -> None:
    station.provider.answers = [waits_for(held := asyncio.Event())]
    adapter = await station.start()
    message = outbound("goodbye")
    passed = hand_over(message, target="ai_agent", note="opening hours")
    await adapter.give(message, passed)
    await station.provider.wait(1)
    held.set()
    (told,) = await station.ended(passed)
    assert (told.failure, told.external_id, told.order) == (None, None, passed)
    asked = [(seen.path, orjson.loads(seen.body)) for seen in station.provider.seen][1:]
    assert asked == [("/thread/alice", {"action": "pass", "target": "ai_agent", "note": "opening hours"})]


@pytest.mark.parametrize("how", ["crash", "throttled"])
async def test_a_handover_that_had_no_answer_is_asked_for_again(station: Station, how: str) -> None:
    adapter = await station.start()
    message, never = outbound("hello"), asyncio.Event()
    taken = hand_over(message, "take")
    station.provider.answers = [says(429, retry_after="0.1") if how == "throttled" else waits_for(never)]
    await adapter.give(taken)
    await station.provider.wait(1)
    if how == "crash":
        await adapter.crash()
        await station.expire_leases()
        await station.start()
    (told,) = await station.ended(taken)
    assert told.failure is None
    assert [seen.path for seen in station.provider.seen] == ["/thread/alice", "/thread/alice"]
    never.set()


@pytest.mark.parametrize(("why", "code"), [("cannot", "unsupported"), ("refused", "blocked")])
async def test_a_handover_that_is_refused_is_told_and_holds_nobody_up(station: Station, why: str, code: str) -> None:
    adapter = await station.start(make_channel(handovers=("take",)) if why == "cannot" else make_channel())
    message = outbound("hello")
    passed = hand_over(message)
    station.provider.by_path["/thread/alice"] = says(403)
    await adapter.give(passed, message)
    (told,) = await station.ended(passed)
    assert told.failure is not None
    assert told.failure.code == code
    assert [one.status for one in await station.told(message)] == ["sent"]
    assert len(station.provider.seen) == (1 if why == "cannot" else 2)
