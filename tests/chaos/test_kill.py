"""kill -9 of everything, once each, under traffic on all transports: nothing accepted is lost, doubled or turned round."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from deploy.local import kafka
from deploy.local.home import Addresses, choose_port, read_roll
from deploy.local.servers import start_stack
from deploy.local.services import make_environment
from tests.chaos.traffic import PEOPLE, Traffic, check, figures, kind_of
from tests.conftest import own_home

SERVICES = ("router", "chat_adapter", "social_adapter", "email_adapter", "sandbox")
KILLED = (*((name,) for name in (*SERVICES, "postgres")), ("postgres", "kafka"))  # the last two at the same moment
LONG = float(os.environ.get("CHAOS_SECONDS", "600"))

pytestmark = pytest.mark.chaos


@pytest.fixture
def own_stack() -> Iterator[tuple[Path, Addresses]]:
    """A stack that may be broken."""
    with own_home("chaos") as home:
        yield home, start_stack(home)


def pid(home: Path, name: str) -> int:
    roll = read_roll(home)
    assert roll is not None
    return roll.processes[name].pid


async def healthy(home: Path, addresses: Addresses, name: str, former: int) -> None:
    """Until the supervisor has it running again."""
    async with aiohttp.ClientSession() as session:
        async with asyncio.timeout(200):
            while True:
                if pid(home, name) != former and await is_ready(session, addresses, name):
                    return
                await asyncio.sleep(0.3)


async def is_ready(session: aiohttp.ClientSession, addresses: Addresses, name: str) -> bool:
    if name == "kafka":
        return await kafka.answers(addresses.kafka)
    if name == "postgres":
        return await postgres_answers(addresses.database)
    try:
        async with session.get(
            addresses.services[name].http + "/health/ready", timeout=aiohttp.ClientTimeout(total=2)
        ) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def postgres_answers(database: str) -> bool:
    try:
        connection = await asyncpg.connect(database, timeout=2)
    except (asyncpg.PostgresError, OSError, TimeoutError):
        return False
    await connection.close()
    return True


async def kill(home: Path, addresses: Addresses, *names: str) -> None:
    """End them at the same moment, and wait until the supervisor has them running again."""
    former = {name: pid(home, name) for name in names}
    for killed in former.values():
        os.kill(killed, signal.SIGKILL)
    for name in names:
        await healthy(home, addresses, name, former[name])


async def cut(addresses: Addresses, sends: int = 4) -> None:
    """The next sends are taken by their providers, whose answers are lost on the way."""
    bearer = {"Authorization": f"Bearer {addresses.token}"}
    async with aiohttp.ClientSession(headers=bearer) as session:
        async with session.post(f"{addresses.sandbox}/control", json={"drop": sends}) as answer:
            assert answer.status == 200


@pytest.mark.timeout(1200)
async def test_everything_is_killed_once_and_nothing_is_lost(own_stack: tuple[Path, Addresses]) -> None:
    home, addresses = own_stack
    traffic = Traffic(home, addresses)
    running = asyncio.create_task(traffic.run())
    await asyncio.sleep(4)
    for names in KILLED:
        await cut(addresses)
        await kill(home, addresses, *names)
        await asyncio.sleep(3)
        assert not running.done(), running.exception()
    traffic.stopping.set()
    await running
    log = await check(traffic)
    print(figures(traffic, log))
    assert set(map(kind_of, traffic.accepted)) == set(PEOPLE)
    assert len(traffic.accepted) > 100
    assert any(log.outcome(request) == "unknown" for request in traffic.asked), "nobody can know of all that were cut"


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_minutes_of_kills_at_random(own_stack: tuple[Path, Addresses]) -> None:
    home, addresses = own_stack
    seed = int(os.environ.get("CHAOS_SEED", random.randrange(10**6)))
    print(f"seed {seed}")
    dice, traffic = random.Random(seed), Traffic(home, addresses)
    running = asyncio.create_task(traffic.run())
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        await cut(addresses)
        await asyncio.sleep(dice.uniform(0, 5))
        await kill(home, addresses, *dice.sample((*SERVICES, "postgres", "kafka"), dice.choice((1, 1, 2, 3))))
        assert not running.done(), running.exception()
    traffic.stopping.set()
    await running
    print(figures(traffic, await check(traffic, patience=300)))


@pytest.mark.timeout(900)
async def test_two_routers_one_frozen_and_woken(own_stack: tuple[Path, Addresses]) -> None:
    home, addresses = own_stack
    http = f"http://127.0.0.1:{choose_port(set())}"
    environment = os.environ | make_environment(home, addresses, "router", http)
    second = subprocess.Popen([sys.executable, "-m", "services.router"], env=environment, stderr=subprocess.DEVNULL)
    try:
        traffic = Traffic(home, addresses)
        running = asyncio.create_task(traffic.run())
        await asyncio.sleep(8)
        frozen = pid(home, "router")
        os.kill(frozen, signal.SIGSTOP)
        await asyncio.sleep(16)  # longer than the session: its partitions move to the other
        os.kill(frozen, signal.SIGCONT)
        await asyncio.sleep(10)
        second.terminate()
        await asyncio.sleep(5)
        traffic.stopping.set()
        await running
        log = await check(traffic)
        print(figures(traffic, log))
        assert len(traffic.accepted) > 100
    finally:
        second.kill()
        second.wait()
