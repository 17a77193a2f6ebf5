"""A service says how it is, begins only what it can, and stops in order, in time."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from deploy.local.home import choose_port
from shared.runtime import lasting, lifecycle
from shared.runtime.lifecycle import Health, Life
from shared.runtime.settings import Settings
from tests.patience import SECONDS

Start = Callable[[Life], Awaitable[None]]


def life(**more: Any) -> Life:
    return Life("test", Settings(http_host="127.0.0.1", http_port=choose_port(set()), **{"drain_seconds": 60.0} | more))


async def get(running: Life, path: str) -> tuple[int, str]:
    address = f"http://127.0.0.1:{running.settings.http_port}{path}"
    async with ClientSession() as client, asyncio.timeout(SECONDS):
        while True:
            try:
                async with client.get(address) as answer:
                    return answer.status, await answer.text()
            except OSError:
                await asyncio.sleep(0.02)


async def nothing(_life: Life) -> None: ...


async def test_it_is_live_while_its_loops_turn_and_ready_when_nothing_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    running = life()
    troubles: dict[str, str | None] = {"bus": "no connection to Kafka", "migrations": None}
    running.health.ready["bus"] = lambda: troubles["bus"]
    running.health.startup["migrations"] = lambda: troubles["migrations"]
    task = asyncio.create_task(running.live(nothing))
    assert (await get(running, "/health/live"))[0] == 200, "a broker that is away is no reason to restart"
    status, said = await get(running, "/health/ready")
    assert status == 503
    assert "no connection to Kafka" in said
    assert "\nparley_ready 0.0\n" in (await get(running, "/metrics"))[1]
    troubles["bus"] = None
    assert (await get(running, "/health/ready"))[0] == 200
    assert "\nparley_ready 1.0\n" in (await get(running, "/metrics"))[1]
    troubles["migrations"] = "run `parley migrate`"
    assert (await get(running, "/health/startup"))[0] == (await get(running, "/health/ready"))[0] == 503
    running.health.tick("reader")
    monkeypatch.setattr(lifecycle, "STALLED", -1.0)
    status, said = await get(running, "/health/live")
    assert status == 503
    assert "reader" in said
    running.health.forget("reader")
    assert (await get(running, "/health/live"))[0] == 200
    assert "parley_" in (await get(running, "/metrics"))[1]
    running.end()
    assert await task == 0


async def test_it_stops_latest_first_and_a_closing_that_hangs_or_fails_keeps_nothing_from_being_closed() -> None:
    running, closed = life(drain_seconds=1.0), []

    def closes(name: str) -> Callable[[], Awaitable[None]]:
        async def close() -> None:
            closed.append(name)
            if name == "hangs":
                await asyncio.Event().wait()
            if name == "fails":
                raise ZeroDivisionError

        return close

    async def start(started: Life) -> None:
        for name in ("producer", "hangs", "fails", "reader"):
            started.on_stop(closes(name))

    task = asyncio.create_task(running.live(start))
    await get(running, "/health/live")
    running.end()
    assert await asyncio.wait_for(task, SECONDS) == 0
    assert closed == ["reader", "fails", "hangs", "producer"]


async def test_a_task_that_swallows_that_it_is_cancelled_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As aiokafka does now and then."""
    monkeypatch.setattr(lasting, "CANCELLED_AGAIN", 0.01)
    running, swallowed = life(), []

    async def deaf() -> None:
        while len(swallowed) < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed.append(1)
        await asyncio.Event().wait()

    async def start(one: Life) -> None:
        one.spawn(deaf(), "deaf")
        asyncio.get_running_loop().call_later(0.1, one.end)

    async with asyncio.timeout(SECONDS):
        assert await running.live(start) == 0
    assert len(swallowed) == 3


async def test_what_was_being_answered_is_answered_before_it_stops() -> None:
    running, entered, stopped = life(), asyncio.Event(), asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        entered.set()
        await stopped.wait()
        return web.Response(text="answered")

    async def stop(_app: web.Application) -> None:
        stopped.set()

    running.routes([web.get("/slow", slow)])
    running.app.on_shutdown.append(stop)
    task = asyncio.create_task(running.live(nothing))
    await get(running, "/health/live")
    asking = asyncio.create_task(get(running, "/slow"))
    await entered.wait()
    running.end()
    assert await asking == (200, "answered")
    assert await task == 0


async def test_a_task_that_fails_ends_the_process_with_a_failure() -> None:
    running = life()

    async def fails() -> None:
        raise ZeroDivisionError

    async def start(started: Life) -> None:
        started.spawn(fails(), "fails")

    assert await asyncio.wait_for(running.live(start), SECONDS) == 1


async def returns() -> None: ...


async def awaits_what_is_cancelled() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


@pytest.mark.parametrize("work", [returns, awaits_what_is_cancelled])
async def test_a_task_that_ends_before_the_process_ends_it_too(work: Callable[[], Any]) -> None:
    async def start(started: Life) -> None:
        started.spawn(work(), "should run for ever")

    assert await asyncio.wait_for(life().live(start), SECONDS) == 1


async def test_a_check_that_breaks_is_what_is_wrong_and_hides_no_other() -> None:
    health = Health()
    health.ready |= {"broken": lambda: str(1 // 0), "bus": lambda: "no connection"}
    assert health.unready() == {"broken": "cannot be told: ZeroDivisionError", "bus": "no connection"}


MUTE = """
import asyncio, structlog
from shared.runtime.lifecycle import run
log = structlog.get_logger("mute")
turns = 0
async def loop():
    global turns
    while True:
        try:
            raise OSError("what a broker's end looks like")
        except OSError as error:
            log.warning("loop.waiting", error=repr(error), unprintable=Unprintable())
        turns += 1
        await asyncio.sleep(0.01)
class Unprintable:
    def __repr__(self):
        raise ValueError
async def fails():
    while turns < 20:
        await asyncio.sleep(0.01)
    print("turned", flush=True)
    raise ZeroDivisionError
async def start(life):
    life.spawn(loop(), "loop")
    life.spawn(fails(), "fails")
run("mute", start)
"""


@pytest.mark.parametrize("stderr", ["closed pipe", "full disk"])
async def test_a_process_whose_log_cannot_be_written_works_on_and_still_notices_what_fails(stderr: str) -> None:
    environment = os.environ | {"PARLEY_HTTP_PORT": str(choose_port(set())), "PARLEY_HTTP_HOST": "127.0.0.1"}
    if stderr == "full disk":
        with Path("/dev/full").open("wb") as full:
            process = subprocess.Popen(
                [sys.executable, "-c", MUTE], env=environment, stdout=subprocess.PIPE, stderr=full
            )
    else:
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-c", MUTE], env=environment, stdout=subprocess.PIPE, stderr=writing
        )
        os.close(writing)
        os.close(reading)
    said, _ = await asyncio.to_thread(process.communicate, timeout=SECONDS)
    assert process.returncode in {1, 120}, "120: Python could not flush its streams at the end"
    assert said == b"turned\n"


async def test_a_process_about_to_end_wants_no_more_work() -> None:
    health = Health()
    assert health.unready() == {}
    health.stopping = True
    assert "stopping" in health.unready()


SERVICE = """
import sys
from shared.runtime.lifecycle import run
from tests.patience import SECONDS
async def start(life):
    life.on_stop(lambda: closed())
async def closed():
    print("closed", flush=True)
run("test", start)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_order_with_exit_code_0(number: signal.Signals) -> None:
    port = choose_port(set())
    environment = os.environ | {"PARLEY_HTTP_PORT": str(port), "PARLEY_HTTP_HOST": "127.0.0.1"}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVICE], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    running = Life("probe", Settings(http_port=port))
    await get(running, "/health/live")
    process.send_signal(number)
    said, _ = await asyncio.to_thread(process.communicate, timeout=SECONDS)
    assert (process.returncode, said) == (0, b"closed\n")


@pytest.mark.parametrize(
    ("environment", "told"),
    [({"PARLEY_PARTITIONS": "none"}, b"PARLEY_PARTITIONS"), ({"PARLEY_HTTP_PORT": "70000"}, b"PARLEY_HTTP_PORT")],
)
def test_an_environment_that_cannot_be_used_is_told_in_one_sentence(environment: dict[str, str], told: bytes) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVICE], env=os.environ | environment, capture_output=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 1
    assert told in done.stderr
    assert done.stderr.count(b"\n") == 1
