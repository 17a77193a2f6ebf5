"""What was accepted is kept: a broker that is frozen, killed and started again; a PostgreSQL that is not there."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from deploy.local import kafka
from deploy.local.home import Addresses, choose_port
from services.chat_adapter.start import start
from shared.bus import produce, topics
from shared.bus.cloudevents import Out
from shared.bus.produce import Producer, Publisher
from shared.contract.envelope import message_id
from shared.contract.errors import BusUnavailable
from shared.runtime.lifecycle import Life
from shared.runtime.observe import INGRESS
from shared.runtime.settings import Settings
from tests.patience import SECONDS, until
from tests.shared.broker import (
    TOPIC,
    Owner,
    administering,
    make_topics,
    our_patience,
    reading,
    records_of,
    reply,
    settings_for,
    write,
)
from tests.shared.gate import ACCOUNTS, INBOUND, gate, hello, sign


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short enough that who probes a broker that is gone finds the one that came back."""
    monkeypatch.setattr(produce, "PATIENCE", 20.0)


@dataclass
class Broker:
    """A Kafka that a test may freeze and kill."""

    folder: Path
    ports: dict[str, int]
    process: subprocess.Popen[bytes] | None = None
    jars: list[Path] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.ports['kafka']}"

    async def start(self) -> None:
        program = kafka.program(self.folder, self.jars)
        with program.log.open("ab") as log:
            self.process = subprocess.Popen(program.argv, stdout=log, stderr=log)
        await until(lambda: kafka.answers(self.address))

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    @asynccontextmanager
    async def frozen(self) -> AsyncIterator[None]:
        assert self.process
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)
            await self.is_led()

    async def is_led(self) -> None:
        """Until it has elected itself again."""
        async with asyncio.timeout(SECONDS):
            while True:
                async with administering(settings_for(self.address)) as admin:
                    if (await admin.describe_cluster())["controller_id"] >= 0:
                        return
                await asyncio.sleep(0.2)


@pytest.fixture(scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    folder = tmp_path_factory.mktemp("own") / "kafka"
    for made in (folder, folder.parent / "logs"):
        made.mkdir()
    ports: dict[str, int] = {}
    for name in ("kafka", "kafka_controller"):
        ports[name] = choose_port(set(ports.values()))
    broker = Broker(folder, ports, jars=await asyncio.to_thread(kafka.fetch_jars, lambda _line: None))
    await kafka.prepare(folder, broker.jars, ports)
    await broker.start()
    yield broker
    broker.kill()


def row(number: int, settings: Settings) -> Out:
    return Out(settings.topic(TOPIC), b"key", b"%d" % number, [])


@asynccontextmanager
async def producing(settings: Settings) -> AsyncIterator[Producer]:
    """A producer that is tended, as in a service."""
    producer = Producer(settings)
    await producer.start()
    tending = asyncio.create_task(producer.tend())
    try:
        yield producer
    finally:
        tending.cancel()
        await producer.stop()


async def until_well(producer: Producer) -> None:
    await until(lambda: not producer.trouble)


async def test_sends_are_refused_in_time_while_the_broker_is_frozen_and_taken_when_it_wakes(
    broker: Broker,
) -> None:
    settings = settings_for(broker.address)
    await make_topics(settings, names=[TOPIC])
    async with producing(settings) as producer:
        await producer.send(row(1, settings))
        async with broker.frozen(), our_patience():
            refused = await asyncio.gather(
                *(producer.send(row(2, settings)) for _ in range(20)), return_exceptions=True
            )
            assert {type(answer) for answer in refused} == {BusUnavailable}
            assert producer.trouble
        await until_well(producer)
        await producer.send(row(3, settings))
    values = [record.value for record in await records_of(settings, TOPIC)]
    assert (values[0], values[-1]) == (b"1", b"3")


async def test_a_stop_does_not_wait_for_a_broker_for_ever(broker: Broker) -> None:
    settings = settings_for(broker.address)
    await make_topics(settings, names=[TOPIC])
    producer = Producer(settings)
    await producer.start()
    await producer.send(row(1, settings))
    async with broker.frozen():
        async with our_patience():
            with pytest.raises(BusUnavailable):
                await producer.send(row(2, settings))
        async with asyncio.timeout(SECONDS):
            await producer.stop()


async def test_what_was_accepted_before_a_broker_was_killed_is_there_after(broker: Broker, tmp_path: Path) -> None:
    """And a reader and a publisher that stood before it go on by themselves."""
    settings = settings_for(broker.address)
    await make_topics(settings)
    owner = Owner()
    async with gate(settings, tmp_path) as door, reading(settings, owner), producing(settings) as producer:
        tending = asyncio.create_task(door.producer.tend())
        await write(settings, reply(id_="before"))
        await owner.reaches(1)
        assert await asyncio.gather(*(door.post(hello(id=f"m{n}")) for n in range(30))) == [200] * 30
        publisher = Publisher(producer)
        await publisher.publish([row(0, settings)])
        broker.kill()
        async with our_patience():
            assert set(await asyncio.gather(*(door.post(hello()) for _ in range(10)))) == {503}
        publishing = asyncio.create_task(publisher.publish([row(1, settings), row(2, settings)]))
        await broker.start()
        await until_well(door.producer)
        assert await door.post(hello(id="m30")) == 200
        async with asyncio.timeout(SECONDS):
            await publishing
        await write(settings, reply(id_="after"))
        await until(lambda: "after" in owner.ids)
        tending.cancel()
    accepted = {str(message_id("default", "webhook", "main", f"message/m{n}")).encode() for n in range(31)}
    assert accepted <= {dict(record.headers)["ce_id"] for record in await records_of(settings, INBOUND)}
    values = [record.value for record in await records_of(settings, TOPIC) if record.key == b"key"]
    firsts = list(dict.fromkeys(value for value in values if value.isdigit()))
    assert firsts == [b"0", b"1", b"2"]


async def test_without_postgresql_what_is_pushed_goes_on(servers: Addresses, tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.toml"
    accounts.write_text(ACCOUNTS)
    settings = settings_for(servers.kafka).model_copy(
        update={
            "database": SecretStr("postgresql://nobody@127.0.0.1:9/nothing"),
            "accounts": str(accounts),
            "blobs": (tmp_path / "blobs").as_uri(),
            "http_host": "127.0.0.1",
            "http_port": choose_port(set()),
            "drain_seconds": 2.0,
        }
    )
    await topics.apply(settings)
    life = Life("chat_adapter", settings)
    living = asyncio.create_task(life.live(start))
    address = f"http://127.0.0.1:{settings.http_port}"
    async with ClientSession() as client:
        await until_answered(client, f"{address}/health/live", living)
        body = b'{"type": "message", "id": "m1", "from": {"address": "ann"}, "parts": [{"kind": "text", "text": "hi"}]}'
        before = INGRESS.labels("webhook", "accepted")._value.get()
        async with client.post(f"{address}/hooks/webhook/main", data=body, headers=sign(body)) as answer:
            assert answer.status == 200
        assert INGRESS.labels("webhook", "accepted")._value.get() == before + 1
    assert len(await records_of(settings, INBOUND)) == 1
    life.end()
    assert await asyncio.wait_for(living, SECONDS) == 0


async def until_answered(client: ClientSession, address: str, living: asyncio.Task[int]) -> None:
    async with asyncio.timeout(SECONDS):
        while not living.done():
            try:
                async with client.get(address):
                    return
            except OSError:
                await asyncio.sleep(0.1)
    living.result()
