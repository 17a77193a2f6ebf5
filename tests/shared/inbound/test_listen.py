"""A socket's cursor moves only behind what is durable; whatever ends a connection, the next one goes on there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from shared.bus.produce import Producer
from shared.contract.channel import Close, Context, Http, Message, Publish, Receive, Send, SendFailed, Socket, Steps
from shared.contract.codes import Failure
from shared.contract.envelope import Party, Text
from shared.contract.errors import Fenced
from shared.contract.readable import each
from shared.contract.records import ingress_dlq
from shared.inbound import listen
from shared.inbound.accept import Intake
from shared.inbound.listen import Listener
from shared.inbound.translate import read_page_each
from shared.provider.calls import FRAME_LIMIT, Caller
from shared.provider.contexts import Contexts
from shared.runtime.accounts import Accounts
from shared.runtime.lasting import spawn
from shared.runtime.settings import Settings
from shared.storage import migrate
from shared.storage.blobs import Blobs
from shared.storage.database import open_pool
from shared.storage.leases import Leases
from tests.parts import make_parts
from tests.patience import SECONDS, until
from tests.provider import Account, make_channel
from tests.shared.broker import make_topics, records_of
from tests.shared.gate import INBOUND

INGRESS_DLQ = ingress_dlq("chat")
BEAT = timedelta(seconds=0.2)
RESUMABLE, LOST, REFUSED, TOO_LARGE = 4000, 4009, 4004, 1009


def connect(account: Account, cursor: Mapping[str, Any], context: Context) -> Steps[str]:
    answer = yield Http(method="GET", url=f"{account.api}/open?shard={context.shard}")
    return str(answer.json()["url"])


def talk(account: Account, cursor: Mapping[str, Any], context: Context) -> Socket:
    """Says where to go on; each frame [n, to, text] is a message, acknowledged when it is durable."""
    yield Send(orjson.dumps({"from": cursor.get("at", 0)}))
    beat = context.now + BEAT
    while True:
        frame = yield Receive(beat)
        if frame.stop:
            return Close(code=RESUMABLE)
        if frame.closed == REFUSED:
            raise SendFailed("auth", "the token is not good")
        if frame.closed is not None:
            if frame.closed in {LOST, TOO_LARGE}:
                yield Publish(cursor={"at": 0})
            return Close()
        if frame.data is None:
            yield Send(b'"beat"')
            beat = frame.now + BEAT
            continue
        told = orjson.loads(frame.data)
        yield Publish(tuple(each(read, [told])), cursor={"at": told[0] + 1}, then=Send(orjson.dumps({"ack": told[0]})))


def read(told: tuple[int, str, str]) -> list[Message]:
    number, to, text = told
    parts = (Text(text=text),)
    sent = listen.datetime.now(listen.UTC)
    ann = Party(address="ann")
    return [Message(account_key=to, event_key=f"e{number}", peer="ann", sender=ann, parts=parts, occurred_at=sent)]


@dataclass
class Line:
    """One connection as the provider sees it."""

    wire: web.WebSocketResponse
    heard: list[Any] = field(default_factory=list)
    code: int | None = None

    async def say(self, *frames: Any) -> None:
        for frame in frames:
            await self.wire.send_str(json.dumps(frame))

    @property
    def acknowledged(self) -> list[int]:
        return [one["ack"] for one in self.heard if "ack" in one]


class Exchange:
    """The provider: takes connections, remembers what is said on them."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.opened = 0

    async def start(self) -> None:
        application = web.Application()
        application.add_routes([web.get("/open", self._open), web.get("/wire", self._wire)])
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.address = f"127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _open(self, _request: web.Request) -> web.Response:
        self.opened += 1
        return web.json_response({"url": f"ws://{self.address}/wire"})

    async def _wire(self, request: web.Request) -> web.WebSocketResponse:
        wire = web.WebSocketResponse()
        await wire.prepare(request)
        line = Line(wire)
        self.lines.append(line)
        async for message in wire:
            line.heard.append(json.loads(message.data))
        line.code = wire.close_code
        return wire

    async def line(self, number: int) -> Line:
        """The connection of this number, when it has said where it goes on."""
        await until(lambda: len(self.lines) > number and self.lines[number].heard)
        return self.lines[number]


@dataclass
class World:
    """A listener at work, and how it rested."""

    listener: Listener
    exchange: Exchange
    pool: Any
    settings: Settings
    intake: Intake
    epoch: int = 0
    rested: list[float] = field(default_factory=list)
    noticed: list[Failure | None] = field(default_factory=list)
    running: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        self.epoch = await Leases(self.pool).take(self.listener.name) or 0
        self.running = spawn(self.listener.run(self.epoch), "listener")

    async def end(self) -> None:
        if self.running is not None:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)

    async def cursor(self) -> Any:
        return await self.pool.fetchval("SELECT value FROM cursor")

    async def said(self, count: int) -> list[tuple[str, str]]:
        """What stands on the bus, by account, once so many messages do: each id once, as the router takes it."""
        found: dict[bytes, tuple[str, str]] = {}

        async def all_there() -> bool:
            for record in await records_of(self.settings, INBOUND):
                value = orjson.loads(record.value)
                found[value["id"]] = (value["account"], value["parts"][0]["text"])
            return len(found) >= count

        await until(all_there)
        return list(found.values())


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Any]:
    await asyncio.to_thread(migrate.upgrade, settings, "chat_adapter")
    await make_topics(settings, names=[INBOUND, INGRESS_DLQ])
    async with open_pool(settings, "chat_adapter") as pool:
        yield pool


@pytest.fixture
async def world(settings: Settings, pool: Any) -> AsyncIterator[World]:
    exchange, producer, blobs = Exchange(), Producer(settings), Blobs.open(settings.blobs)
    await exchange.start()
    await producer.start()
    rested: list[float] = []
    noticed: list[Failure | None] = []

    async def rest(seconds: float) -> None:
        rested.append(seconds)
        await asyncio.sleep(SECONDS if seconds > listen.LONGEST * 2 else 0.01)

    a = Account(name="a", api=f"http://{exchange.address}")
    b = a.model_copy(update={"name": "b", "app": "a"})
    accounts = SimpleNamespace(current=Accounts(keys={("line", "a", one.name): one for one in (a, b)}))
    intake = Intake(settings, "chat", producer, blobs)
    async with Caller(blobs) as caller:
        listener = Listener(
            make_parts(accounts=accounts, pool=pool, caller=caller, contexts=Contexts(settings)),
            intake,
            replace(make_channel(), connect=connect, socket=talk),
            a,
            shard=0,
            noticed=lambda _channel, _account, failure: noticed.append(failure),
            rest=rest,
        )
        world = World(listener, exchange, pool, settings, intake, rested=rested, noticed=noticed)
        await world.begin()
        yield world
        await world.end()
    await intake._producer.stop()
    await exchange.stop()


async def test_what_was_said_is_acknowledged_when_it_is_durable_and_goes_to_whom_it_names(world: World) -> None:
    line = await world.exchange.line(0)
    await line.say([0, "a", "one"], [1, "b", "two"])
    await until(lambda: line.acknowledged == [0, 1])
    assert await world.said(2) == [("a", "one"), ("b", "two")]
    await until(lambda: _is(world.cursor(), {"at": 2}))
    assert None in world.noticed, "an account that speaks is well"


async def _is(value: Any, expected: Any) -> bool:
    return await value == expected


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1011, 4000, 4007, 4999, LOST, TOO_LARGE])
async def test_however_a_connection_ends_the_next_one_goes_on_where_it_was(world: World, code: int) -> None:
    line = await world.exchange.line(0)
    await line.say([0, "a", "one"])
    await until(lambda: line.acknowledged)
    match code:
        case 1005:
            await line.wire._writer.send_frame(b"", aiohttp.WSMsgType.CLOSE)
        case 1006:
            line.wire._req.transport.abort()
        case 1009:
            with suppress(ConnectionError):
                await line.wire.send_str(json.dumps([1, "a", "x" * FRAME_LIMIT]))
        case _:
            await line.wire.close(code=code)
    line = await world.exchange.line(1)
    assert line.heard[0] == {"from": 0 if code in {LOST, TOO_LARGE} else 1}
    await line.say([1, "a", "two"])
    assert await world.said(2) == [("a", "one"), ("a", "two")]


async def test_a_no_that_only_a_person_can_mend_makes_the_account_ill_and_is_not_asked_again_soon(world: World) -> None:
    line = await world.exchange.line(0)
    await line.wire.close(code=REFUSED)
    await until(lambda: world.rested)
    assert world.noticed == [Failure(code="auth", detail="the token is not good")]
    assert world.rested[0] >= listen.REFUSED
    assert world.exchange.opened == 1


async def test_connections_that_do_not_last_come_ever_more_slowly_and_the_account_is_not_well(world: World) -> None:
    for number in range(listen.TROUBLED):
        await (await world.exchange.line(number)).wire.close(code=1001)
    await until(lambda: len(world.rested) >= listen.TROUBLED)
    assert all(2**tries / 2 <= rest <= 2**tries for tries, rest in enumerate(world.rested[: listen.TROUBLED], 1))
    await until(lambda: world.noticed)
    assert world.noticed[0] == Failure(code="unreachable", detail="no connection lasts")


async def test_traffic_without_a_pause_does_not_starve_the_heartbeat(world: World) -> None:
    line = await world.exchange.line(0)
    number = 0
    async with asyncio.timeout(SECONDS):
        while line.heard.count("beat") < 3:
            await line.say([number, "a", "again"])
            number += 1
            await asyncio.sleep(0)
    assert number > 3


async def test_while_the_bus_is_away_reading_pauses_and_the_connection_is_resumed_instead_of_growing(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "AHEAD", 5)
    monkeypatch.setattr(listen, "PATIENCE", 0.5)
    monkeypatch.setattr(listen, "PAUSE", 0.05)
    line = await world.exchange.line(0)
    await world.intake._producer.stop()
    for number in range(50):
        await line.say([number, "a", str(number)])
    await until(lambda: line.code == RESUMABLE)
    assert len(world.exchange.lines) == 1, "no new connection while what was read is not durable"
    world.intake._producer = Producer(settings)
    await world.intake._producer.start()
    line = await world.exchange.line(1)
    first = line.heard[0]["from"]
    assert 5 <= first < 50
    for number in range(first, 50):
        await line.say([number, "a", str(number)])
    assert [text for _, text in await world.said(50)] == [str(number) for number in range(50)]


async def test_a_stop_leaves_nothing_half_done(world: World) -> None:
    line = await world.exchange.line(0)
    await line.say(*([number, "a", str(number)] for number in range(20)))
    await until(lambda: line.acknowledged)
    await world.end()
    await until(lambda: line.code is not None)
    assert line.code == RESUMABLE
    told = len(await world.said(1))
    assert await world.cursor() == {"at": told}


async def test_who_lost_the_lease_moves_no_cursor_and_listens_no_more(world: World) -> None:
    line = await world.exchange.line(0)
    await world.pool.execute("UPDATE lease SET epoch = epoch + 1")
    await line.say([0, "a", "one"])
    assert world.running is not None
    with pytest.raises(Fenced):
        await world.running
    assert await world.cursor() is None


async def test_what_cannot_be_taken_is_kept_with_its_frame_and_holds_up_nothing(world: World) -> None:
    line = await world.exchange.line(0)
    frames: list[Any] = [[0, "nobody", "one"], [1, "a", {"no": "text"}], [2, "a", "three"]]
    await line.say(*frames)
    assert await world.said(1) == [("a", "three")]
    letters = await records_of(world.settings, INGRESS_DLQ)
    assert [orjson.loads(letter.value) for letter in letters] == frames[:2]
    channel = replace(make_channel(), socket=talk)
    context = Context(now=listen.datetime.now(listen.UTC))
    (found,) = read_page_each(channel, Account(name="nobody", api=""), letters[0].value, context)
    assert isinstance(found, Message)
    assert found.account_key == "nobody", "a letter is read again as it came"
