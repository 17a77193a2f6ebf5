"""kill -9 of everything, once each, under traffic on all transports: nothing accepted is lost, doubled or turned round."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
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
KILLED = (
    *((name,) for name in (*SERVICES, "postgres", "kafka")),
    ("postgres", "kafka"),
)  # one after the other, some together


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


@pytest.mark.timeout(600)
async def test_everything_is_killed_once_and_nothing_is_lost(own_stack: tuple[Path, Addresses]) -> None:
    home, addresses = own_stack
    traffic = Traffic(home, addresses)
    running = asyncio.create_task(traffic.run())
    await asyncio.sleep(4)
    for names in KILLED:
        former = {name: pid(home, name) for name in names}
        for killed in former.values():
            os.kill(killed, signal.SIGKILL)
        for name in names:
            await healthy(home, addresses, name, former[name])
        await asyncio.sleep(3)
        assert not running.done(), running.exception()
    traffic.stopping.set()
    await running
    log = await check(traffic)
    print(figures(traffic, log))
    assert set(map(kind_of, traffic.accepted)) == set(PEOPLE)
    assert len(traffic.accepted) > 100


@pytest.mark.timeout(300)
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
