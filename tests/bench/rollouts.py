"""`make rollouts`: how long a partition stands while routers come, go and are killed under traffic.

Every partition of the inbound topic gets four messages a second. The delay of one is from its send to the read of its event; a
partition has stood as long as its longest one. Arguments choose by words of what happens. Servers are started for it, or one's own by PARLEY_KAFKA, PARLEY_DATABASE.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg
from aiokafka import AIOKafkaConsumer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from deploy.local.home import choose_port
from deploy.local.servers import start_servers, stop_servers
from shared.bus import topics
from shared.bus.produce import Producer, partition_of
from shared.contract.envelope import key
from shared.contract.records import EVENTS
from shared.runtime.settings import Settings
from shared.storage import migrate
from tests.bench.__main__ import wait_ready
from tests.bench.record import envelope, inbound_of

PARTITIONS: Final = 24
PAUSE: Final = 0.25  # seconds between two messages of one partition
SETTLED: Final = 6.0  # seconds without anything happening, before and after


class Routers:
    """Processes of one group."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.running = settings, dict[str, subprocess.Popen[bytes]]()
        self.count = 0

    async def start(self, name: str = "") -> None:
        """One more, until it is ready; `name`: it is this one again."""
        self.count += not name
        name = name or f"router-{self.count}"
        port = choose_port(set())
        environment = os.environ | {
            "PARLEY_" + name.upper(): str(value.get_secret_value() if isinstance(value, SecretStr) else value)
            for name, value in self.settings
        }
        environment |= {"PARLEY_HTTP_PORT": str(port), "PARLEY_INSTANCE": name}
        self.running[name] = subprocess.Popen([sys.executable, "-m", "services.router"], env=environment)
        await wait_ready(port)

    async def end(self, number: signal.Signals) -> str:
        """The eldest; its name."""
        name = next(iter(self.running))
        eldest = self.running.pop(name)
        eldest.send_signal(number)
        await asyncio.to_thread(eldest.wait, 120)
        return name

    async def roll(self) -> None:
        """As the manifests do it: one is gone, then another comes."""
        for _ in tuple(self.running):
            await self.end(signal.SIGTERM)
            await self.start()

    async def crash(self) -> None:
        """Killed, and begun again at once by what keeps it."""
        await self.start(await self.end(signal.SIGKILL))

    async def lose(self) -> None:
        """Killed for good: the others have to find out."""
        await self.end(signal.SIGKILL)
        await asyncio.sleep(self.settings.session_seconds + 10)


class Traffic:
    """Sends to every partition, and sees when the events of it come."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sent: dict[bytes, tuple[int, float]] = {}
        self.longest: defaultdict[int, float] = defaultdict(float)

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        consumer = AIOKafkaConsumer(self.settings.topic(EVENTS), bootstrap_servers=self.settings.kafka)
        producer = Producer(self.settings)
        await consumer.start()
        await consumer.seek_to_end()
        await producer.start()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._read(consumer)), group.create_task(self._write(producer, group))]
                yield
                for task in tasks:
                    task.cancel()
        finally:
            await producer.stop()
            await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            if found := self.sent.pop(dict(record.headers)["ce_id"], None):
                partition, at = found
                self.longest[partition] = max(self.longest[partition], time.monotonic() - at)

    async def _write(self, producer: Producer, group: asyncio.TaskGroup) -> None:
        customers = customer_of_each_partition()
        for number in range(10**9):
            for partition, customer in customers.items():
                record = inbound_of(self.settings, envelope(customer, number))
                self.sent[dict(record.headers)["ce_id"]] = partition, time.monotonic()
                group.create_task(producer.send(record))
                await asyncio.sleep(PAUSE / PARTITIONS)

    async def during(self, act: Callable[[], Awaitable[object]]) -> list[float]:
        """The longest delay of each partition, in seconds, from the act until all is as before."""
        self.longest.clear()
        await act()
        await asyncio.sleep(SETTLED)
        async with asyncio.timeout(120):
            while any(time.monotonic() - at > 1 for _, at in self.sent.values()):
                await asyncio.sleep(0.1)
        return sorted(self.longest.values())


def customer_of_each_partition() -> dict[int, int]:
    found: dict[int, int] = {}
    for customer in range(10**4):
        found.setdefault(
            partition_of(key("default", "webhook", "demo", f"customer-{customer}").encode(), PARTITIONS), customer
        )
    return dict(sorted(found.items()))


async def measure(settings: Settings) -> None:
    for schema in migrate.SCHEMAS:
        await asyncio.to_thread(migrate.upgrade, settings, schema)
    await topics.apply(settings)
    table = Table("what", "median", "longest", "of 24 over 1 s", title="how long a partition stands, in seconds")
    routers, traffic = Routers(settings), Traffic(settings)
    try:
        await routers.start()
        await routers.start()
        async with traffic.flowing():
            await asyncio.sleep(SETTLED)
            for what, act in (
                ("nothing happens", lambda: asyncio.sleep(SETTLED)),
                ("a third router comes", routers.start),
                ("one of three leaves", lambda: routers.end(signal.SIGTERM)),
                ("two are rolled, one by one", routers.roll),
                ("one is killed and begun again", routers.crash),
                ("one is killed and stays away", routers.lose),
            ):
                if not all(word in what for word in sys.argv[1:]):
                    continue
                stood = await traffic.during(act)
                row = f"{statistics.median(stood):.1f}", f"{stood[-1]:.1f}", str(sum(one > 1 for one in stood))
                table.add_row(what, *row)
                print(what, *row, file=sys.stderr, flush=True)
    finally:
        for one in routers.running.values():
            one.kill()
            one.wait()
    Console().print(table)


@asynccontextmanager
async def world(kafka: str, database: str) -> AsyncIterator[Settings]:
    name = f"rollouts_{time.time_ns() % 10**9}"
    admin = await asyncpg.connect(database)
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        yield Settings(
            kafka=kafka,
            database=SecretStr(database.rpartition("/")[0] + "/" + name),
            prefix=f"{name}.",
            partitions=PARTITIONS,
            replication=1,
            http_host="127.0.0.1",
            log_level="error",
        )
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


async def run(kafka: str, database: str) -> None:
    async with world(kafka, database) as settings:
        await measure(settings)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="parley-rollouts-") as folder:
        home = Path(folder)
        try:
            addresses = start_servers(home)
            asyncio.run(run(addresses.kafka, addresses.database))
        finally:
            stop_servers(home)


if __name__ == "__main__":
    main()
