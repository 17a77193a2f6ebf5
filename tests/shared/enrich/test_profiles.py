"""Who someone is, is asked after their message and once for many: whatever the provider says, messages go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from provider import Account, hangs_up, make_channel, says, waits_for
from station import Station, open_station
from test_media import envelope

from shared.bus.cloudevents import In
from shared.contract.channel import Channel, Context, Http, Steps
from shared.contract.deliveries import ProfileUpdate
from shared.contract.envelope import Envelope, Party
from shared.contract.errors import BusUnavailable
from shared.enrich import profiles
from shared.enrich.afterwards import Afterwards
from shared.enrich.profiles import ProfileWorker
from tests.patience import SECONDS

INBOUND = "inbound.chat.v1"


def profile(account: Account, address: str, peer: str, context: Context) -> Steps[Party]:
    answer = yield Http(method="GET", url=f"{account.api}/people/{address}")
    told = answer.json()
    return Party(address=address, name=told.get("name"), verified="provider", locale=told.get("locale"))


def asking(**capabilities: Any) -> Channel:
    return replace(make_channel(**capabilities), profile=profile)


class Desk:
    """Errands of names on the station's parts."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.task: asyncio.Task[None] | None = None

    async def start(self, channel: Channel | None = None, **given: Any) -> None:
        parts = await self.station.parts(channel or asking())
        self.afterwards = Afterwards(parts, [ProfileWorker(parts, **({"first_pause": 0.05} | given))])
        self.task = asyncio.create_task(self.afterwards.run())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    async def receive(self, *messages: Envelope) -> None:
        for message in messages:
            await self.station.producer.send(self.station.envelope_record(message))

    def told(self) -> Sequence[In]:
        return [one for one in self.station.read.get(INBOUND, ()) if isinstance(one.model, ProfileUpdate)]

    async def hears(self, count: int = 1) -> Sequence[In]:
        await self.station.until(INBOUND, lambda: len(self.told()) >= count)
        return self.told()

    async def ended(self, *addresses: str) -> None:
        """When nobody is to be asked about any more, and these were."""
        query = "SELECT count(*) FROM profile WHERE done_at IS NOT NULL AND address = ANY($1::text[])"
        await self.station.eventually(query, list(addresses), wanted=len(addresses))


@pytest.fixture
async def station(servers: Any, tmp_path: Path) -> AsyncIterator[Station]:
    async with open_station(servers, tmp_path / "blobs") as station:
        yield station


@pytest.fixture
async def desk(station: Station) -> AsyncIterator[Desk]:
    desk = Desk(station)
    yield desk
    await desk.stop()


def person(name: str, **more: Any) -> Envelope:
    return envelope(peer=name, sender=Party(address=name), **more)


def knows(station: Station, name: str, answer: Any) -> None:
    station.provider.by_path[f"/people/{name}"] = answer


def asked(station: Station) -> list[str]:
    return [seen.path.rpartition("/")[2] for seen in station.provider.seen]


async def old(station: Station) -> None:
    """What the clock does in some days."""
    await station.pool.execute("UPDATE profile SET good_until = now() - interval '1 second'")


async def test_one_question_serves_all_messages_and_is_told_with_their_key(station: Station, desk: Desk) -> None:
    knows(station, "alice", says(200, {"name": "អាលីស", "locale": "km"}))
    knows(station, "last", says(200, {"name": "Last"}))
    await desk.start()
    await desk.receive(*(person("alice") for _ in range(5)), person("last"))
    await desk.hears(2)
    alice = next(one for one in desk.told() if one.model.party.address == "alice")
    assert alice.model.party == Party(address="alice", name="អាលីស", verified="provider", locale="km")
    assert (alice.model.account, alice.model.peer, alice.key) == ("main", "alice", b"default|line|main|alice")
    await desk.receive(person("alice"), person("new"))
    await desk.ended("alice", "last", "new")
    assert sorted(asked(station)) == ["alice", "last", "new"]


async def test_people_of_other_accounts_are_others(station: Station, desk: Desk) -> None:
    knows(station, "alice", says(200, {"name": "Alice"}))
    await desk.start()
    await desk.receive(person("alice"), person("alice", account="other"))
    assert {one.model.account for one in await desk.hears(2)} == {"main", "other"}


async def test_who_says_a_name_or_is_the_account_itself_is_not_asked_about(station: Station, desk: Desk) -> None:
    await desk.start()
    named = envelope(peer="bob", sender=Party(address="bob", name="Bob"))
    echo = envelope(peer="cat", sender=Party(address="main"), direction="outbound")
    await desk.receive(named, echo, person("alice"))
    await desk.ended("alice")
    assert asked(station) == ["alice"]


async def test_channels_that_cannot_be_asked_are_not_even_parsed(station: Station, desk: Desk) -> None:
    await desk.start()

    def read(message: Envelope) -> Any:
        out = station.envelope_record(message)
        return type("Record", (), {"key": out.key, "value": out.value, "headers": out.headers})

    assert desk.afterwards._wants(read(person("alice")))
    assert not desk.afterwards._wants(read(person("alice", channel="sms")))


@pytest.mark.parametrize(
    "answer", [says(403), says(404), says(200, {}), says(200, ["name"]), says(200, {"name": "x" * 2000})]
)
async def test_a_no_is_remembered_for_a_while_and_told_to_nobody(station: Station, desk: Desk, answer: Any) -> None:
    knows(station, "alice", answer)
    await desk.start()
    await desk.receive(person("alice"))
    await desk.ended("alice")
    await desk.receive(person("alice"), person("last"))
    await desk.ended("alice", "last")
    assert asked(station) == ["alice", "last"]
    left = await station.pool.fetchval("SELECT good_until - now() FROM profile WHERE address = 'alice'")
    assert timedelta(0) < left <= profiles.NOT_TOLD < profiles.KNOWN
    knows(station, "alice", says(200, {"name": "Alice"}))
    await old(station)
    await desk.receive(person("alice"))
    (update,) = await desk.hears()
    assert update.model.party.name == "Alice"


async def test_the_provider_down_or_busy_is_asked_again_until_it_answers(station: Station, desk: Desk) -> None:
    answers = [hangs_up(), says(503), says(503), says(503), says(429), says(200, {"name": "Alice"})]

    async def next_answer(request: web.Request) -> web.StreamResponse:
        return await answers.pop(0)(request)

    knows(station, "alice", next_answer)
    await desk.start()
    await desk.receive(person("alice"))
    (update,) = await desk.hears()
    assert (update.model.party.name, answers) == ("Alice", [])


async def test_who_never_answers_is_given_up_for_a_while(station: Station, desk: Desk) -> None:
    knows(station, "alice", says(429))
    await desk.start(give_up=timedelta(seconds=0.3))
    await desk.receive(person("alice"))
    await desk.ended("alice")
    assert len(asked(station)) > 1
    assert not desk.told()


async def test_a_throttled_account_is_left_alone_and_holds_up_no_other(station: Station, desk: Desk) -> None:
    for name in ("a", "b", "c", "d"):
        knows(station, name, says(429, Retry_After="3600"))
    knows(station, "quick", says(200, {"name": "Quick"}))
    await desk.start()
    await desk.receive(person("a"), person("b"), person("c"), person("d"))
    await station.eventually("SELECT count(*) FROM profile WHERE tries = 1", wanted=profiles.AT_ONCE)
    await desk.receive(person("quick", account="other"))
    (update,) = await desk.hears()
    assert update.model.account == "other"
    assert len(asked(station)) == profiles.AT_ONCE + 1


async def test_a_slow_provider_delays_no_message(station: Station, desk: Desk) -> None:
    held = asyncio.Event()
    knows(station, "alice", waits_for(held))
    await desk.start()
    await desk.receive(person("alice"))
    await station.provider.wait(1)
    await desk.receive(person("alice", parts=envelope().parts))
    messages = await station.until(INBOUND, lambda: len(station.read.get(INBOUND, ())) >= 2)
    assert all(isinstance(one.model, Envelope) for one in messages)
    held.set()


class Deaf:
    """A bus that takes nothing; `asked` is set when it was to take something."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def send(self, _record: Any) -> None:
        self.asked.set()
        raise BusUnavailable("test")


async def test_an_answer_that_nobody_lived_to_tell_is_told_by_the_next_who_does_not_ask_again(
    station: Station, desk: Desk
) -> None:
    knows(station, "alice", says(200, {"name": "Alice"}))
    deaf = Deaf()
    lost = ProfileWorker(await station.parts(asking(), producer=deaf), first_pause=3600)
    dying = asyncio.create_task(lost.run())
    await lost.note([_read(station, person("alice"))])
    await asyncio.wait_for(deaf.asked.wait(), SECONDS)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    await station.pool.execute("UPDATE profile SET lease_until = now() - interval '1 second', next_try = now()")
    await desk.start()
    (update,) = await desk.hears()
    assert update.model.party.name == "Alice"
    assert asked(station) == ["alice"]


def _read(station: Station, message: Envelope) -> In:
    out = station.envelope_record(message)
    return In(
        name="inbound",
        id=str(message.id),
        tenant=message.tenant,
        traceparent=None,
        model=message,
        value=out.value,
        key=out.key,
        topic=out.topic,
        partition=0,
        offset=0,
        at=message.received_at,
    )


async def test_what_was_told_twice_has_one_id_and_a_new_answer_another(station: Station, desk: Desk) -> None:
    knows(station, "alice", says(200, {"name": "Alice"}))
    await desk.start()
    await desk.receive(person("alice"))
    await desk.hears()
    await desk.ended("alice")
    assert await station.pool.fetchval("SELECT party FROM profile") is None, "a name is not kept longer than needed"
    crashed = "UPDATE profile SET party = $1, done_at = NULL, good_until = NULL, next_try = now()"
    await station.pool.execute(crashed, {"address": "alice", "name": "Alice", "verified": "provider"})
    first, second = await desk.hears(2)
    assert (first.id, first.value) == (second.id, second.value)
    await desk.ended("alice")
    await old(station)
    await desk.receive(person("alice"))
    *_, third = await desk.hears(3)
    assert third.id != first.id
    assert asked(station) == ["alice", "alice"]


async def test_an_account_that_is_gone_is_asked_nothing(station: Station, desk: Desk) -> None:
    await desk.start()
    await desk.receive(person("alice", account="gone"), person("bob", tenant="another"))
    await desk.ended("alice", "bob")
    assert asked(station) == []
