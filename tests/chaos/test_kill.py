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
import pytest

from deploy.local.home import Addresses, choose_port, read_roll
from deploy.local.servers import start_stack
from deploy.local.services import make_environment
from tests.chaos.traffic import PEOPLE, Traffic, check, figures, kind_of
from tests.conftest import own_home

EVERYTHING = ("router", "chat_adapter", "social_adapter", "email_adapter", "sandbox", "postgres", "kafka")


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
        async with asyncio.timeout(90):
            while True:
                if pid(home, name) != former and await is_ready(session, addresses, name):
                    return
                await asyncio.sleep(0.3)


async def is_ready(session: aiohttp.ClientSession, addresses: Addresses, name: str) -> bool:
    service = addresses.services.get(name)
    if service is None:
        return True
    try:
        async with session.get(service.http + "/health/ready", timeout=aiohttp.ClientTimeout(total=2)) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


@pytest.mark.timeout(480)
async def test_everything_is_killed_once_and_nothing_is_lost(own_stack: tuple[Path, Addresses]) -> None:
    home, addresses = own_stack
    traffic = Traffic(home, addresses)
    running = asyncio.create_task(traffic.run())
    await asyncio.sleep(4)
    for name in EVERYTHING:
        former = pid(home, name)
        os.kill(former, signal.SIGKILL)
        await healthy(home, addresses, name, former)
        await asyncio.sleep(4)
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
