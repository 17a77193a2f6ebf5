"""An answer that is shown while it is written: fleeting until its end, which is one message, in the place of what showed it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from provider import grow, make_channel, says, waits_for
from station import Running, Station, open_station, outbound

from shared.contract.channel import Channel
from shared.contract.deliveries import Growing, Order, Outbound
from shared.contract.envelope import Text


@pytest.fixture
async def station(servers: Any, tmp_path: Path) -> AsyncIterator[Station]:
    async with open_station(servers, tmp_path / "blobs") as station:
        yield station


def growing_channel() -> Channel:
    return replace(make_channel(grows=timedelta(milliseconds=20)), grow=grow)


def so_far(answer: Outbound, text: str, **more: Any) -> Growing:
    about = {"parts": (Text(text=text),), "occurred_at": datetime.now(UTC)}
    return Growing(**{**dict(answer), **about, **more})


def asked(station: Station) -> list[tuple[str, str, str | None]]:
    """What the provider was asked to show, in order: by what, the text, and in the place of what."""
    bodies = [(seen.path.split("/")[1], orjson.loads(seen.body)) for seen in station.provider.seen]
    return [(by, body["text"], body.get("grown")) for by, body in bodies]


async def idle(adapter: Running) -> None:
    """Nothing of it grows any more."""
    await asyncio.gather(*adapter.deliver._fleeting._tasks)


def test_an_answer_so_far_is_no_order() -> None:
    """Whoever reads the orders of a log again, as after a lost database, takes none of it for the message that it has the id of."""
    assert not issubclass(Growing, Order)


async def test_an_answer_grows_and_ends_as_one_message(station: Station) -> None:
    adapter = await station.start(growing_channel())
    answer = outbound("all of it")
    for text in ("all", "all of"):
        await station.producer.send(station.request_record(so_far(answer, text)))
        await station.provider.wait(1 if text == "all" else 2)
        assert await station.pool.fetchval("SELECT count(*) FROM send") == 0
    await idle(adapter)
    await station.producer.send(station.request_record(answer))
    (told,) = await station.told(answer)
    assert (told.status, told.pieces) == ("sent", 1)
    assert asked(station) == [("grow", "all", None), ("grow", "all of", "1"), ("send", "all of it", "1")]


async def test_only_the_newest_is_shown_when_its_turn_comes(station: Station) -> None:
    held = asyncio.Event()
    station.provider.answers = [waits_for(held)]
    adapter = await station.start(growing_channel())
    answer = outbound("0123456789")
    for end in range(1, 10):
        await adapter.give(so_far(answer, "0123456789"[:end]))
        await station.provider.wait(1)
    held.set()
    await idle(adapter)
    assert asked(station) == [("grow", "0", None), ("grow", "012345678", "late")]


async def test_its_end_waits_for_what_is_being_shown(station: Station) -> None:
    """What is on its way would otherwise stand beside it, or in its place."""
    held = asyncio.Event()
    station.provider.answers = [waits_for(held)]
    adapter = await station.start(growing_channel())
    answer = outbound("whole")
    await adapter.give(so_far(answer, "who"))
    await station.provider.wait(1)
    await adapter.give(answer)
    await station.eventually("SELECT tries > 0 FROM lane WHERE conversation = $1", answer.conversation, wanted=True)
    assert asked(station) == [("grow", "who", None)]
    held.set()
    await idle(adapter)
    await station.end_of_waiting(adapter)
    await station.told(answer)
    assert asked(station)[1:] == [("send", "whole", "late")]


async def test_where_nobody_knows_what_came_of_its_beginning_the_end_is_an_ordinary_message(station: Station) -> None:
    """At worst what had begun stands before it: nothing is begun twice, nothing is lost."""
    never = asyncio.Event()
    station.provider.answers = [waits_for(never)]
    first = await station.start(growing_channel())
    answer = outbound("whole")
    await first.give(so_far(answer, "who"))
    await station.provider.wait(1)
    await first.crash()
    await asyncio.gather(*first.deliver._fleeting._tasks, return_exceptions=True)
    second = await station.start(growing_channel())
    await second.give(so_far(answer, "whol"))
    await idle(second)
    await second.give(answer)
    (told,) = await station.told(answer)
    assert told.status == "sent"
    assert asked(station) == [("grow", "who", None), ("send", "whole", None)]
    never.set()


async def test_a_process_that_dies_between_two_leaves_the_rest_to_another(station: Station) -> None:
    first = await station.start(growing_channel())
    answer = outbound("whole")
    await first.give(so_far(answer, "who"))
    await idle(first)
    await first.crash()
    second = await station.start(growing_channel())
    await second.give(so_far(answer, "whol"))
    await idle(second)
    await second.give(answer)
    await station.told(answer)
    assert asked(station) == [("grow", "who", None), ("grow", "whol", "1"), ("send", "whole", "1")]


async def test_what_is_whole_or_old_or_long_grown_grows_no_more(station: Station) -> None:
    adapter = await station.start(growing_channel())
    answer, endless = outbound("whole"), outbound("endless", peer="bob")
    await adapter.give(answer)
    await station.told(answer)
    await adapter.give(so_far(answer, "who"))
    await adapter.give(so_far(endless, "end", occurred_at=datetime.now(UTC) - timedelta(minutes=1)))
    await idle(adapter)
    await adapter.give(so_far(endless, "endl"))
    await idle(adapter)
    await station.pool.execute("UPDATE growing SET begun_at = begun_at - interval '11 minutes'")
    await adapter.give(so_far(endless, "endle"))
    await idle(adapter)
    assert asked(station) == [("send", "whole", None), ("grow", "endl", None)]


async def test_what_the_provider_refuses_is_told_to_nobody_and_the_end_goes_out(station: Station) -> None:
    station.provider.by_path["/grow/alice"] = says(403)
    adapter = await station.start(growing_channel())
    answer = outbound("whole")
    await adapter.give(so_far(answer, "who"))
    await idle(adapter)
    await adapter.give(answer)
    assert [one.status for one in await station.told(answer)] == ["sent"]
    assert asked(station)[-1] == ("send", "whole", None)


async def test_where_nothing_grows_typing_is_shown_and_one_message(station: Station) -> None:
    adapter = await station.start()
    answer = outbound("whole")
    for text in ("w", "wh", "who"):
        await adapter.give(so_far(answer, text))
    await station.provider.wait(1)
    await adapter.give(answer)
    await station.told(answer)
    assert [seen.path for seen in station.provider.seen] == ["/typing/alice", "/send/alice"]
