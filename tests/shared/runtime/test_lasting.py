"""No process lives on dead: every task that ends ends its process or is begun again, and `/health/live` names them all.

A task is killed here as a library would do it: what it waits for is cancelled, which raises nothing that anybody sees.
"""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

import shared
from deploy.local.home import Addresses
from services.router.batch.together import Batch, Together
from shared.adapter import duties
from shared.bus.cloudevents import Out
from shared.bus.produce import Producer, Publisher
from shared.contract.records import ROUTER_GROUP, inbound_topic
from shared.runtime.lasting import running
from shared.runtime.settings import Settings
from tests.living import living
from tests.patience import SECONDS, until
from tests.services.router.batch.test_together import batch
from tests.shared.broker import TOPIC, make_topics, records_of, settings_for

ROOT: Final = Path(shared.__file__).parents[1]
BEGINNING: Final = {"create_task", "ensure_future", "run_coroutine_threadsafe"}


def begun() -> Iterator[str]:
    """The files of our services in which a task is begun by something of asyncio."""
    for file in (*ROOT.glob("shared/**/*.py"), *ROOT.glob("services/**/*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            named = node.func if isinstance(node, ast.Call) else None
            name = named.attr if isinstance(named, ast.Attribute) else named.id if isinstance(named, ast.Name) else ""
            if name in BEGINNING:
                yield str(file.relative_to(ROOT))


async def kill(name: str) -> None:
    """Whichever task of this name comes to wait for something."""

    found: list[Any] = []
    async with asyncio.timeout(SECONDS):
        while not found:
            await asyncio.sleep(0)
            found = [task for task in asyncio.all_tasks() if task.get_name() == name and task._fut_waiter]  # type: ignore[attr-defined]
    found[0]._fut_waiter.cancel()


def test_no_task_begins_anywhere_else() -> None:
    assert set(begun()) == {"shared/runtime/lasting.py"}


@pytest.mark.parametrize(
    ("service", "task"),
    [
        ("router", "sweeper"),
        ("router", f"{ROUTER_GROUP} watch"),
        ("router", f"{ROUTER_GROUP} {{prefix}}{inbound_topic('chat')}"),
        ("chat_adapter", "outbound"),
    ],
)
async def test_what_should_run_as_long_as_its_process_ends_it(world: Settings, service: str, task: str) -> None:
    name = task.format(prefix=world.prefix)
    async with living(world) as system:
        await system.start(service)

        async def is_told() -> bool:
            try:
                async with system.client.get(f"{system.address(service)}/health/live") as answer:
                    return name in (await answer.json())["tasks"]
            except OSError:
                return False

        await until(is_told)
        ended = system.tasks.pop(service)
        async with asyncio.timeout(SECONDS):
            while not ended.done():  # what aiokafka is waiting for may swallow it, and goes on
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await kill(name)
                await asyncio.wait({ended}, timeout=1)
        assert ended.result() == 1
        system.lives.pop(service)


async def test_what_a_dead_task_had_to_publish_is_published(servers: Addresses) -> None:
    settings = settings_for(servers.kafka)
    await make_topics(settings, names=[TOPIC])
    topic, producer = settings.topic(TOPIC), Producer(settings)
    await producer.start()
    publisher = Publisher(producer)
    await publisher.prepare([topic])
    rows = [Out(topic, b"one", b"%d" % number, []) for number in range(3)]
    durable = publisher.enqueue(rows)
    await kill(f"publish {topic}")
    await asyncio.wait_for(durable, SECONDS)
    assert {record.value for record in await records_of(settings, TOPIC)} == {row.value for row in rows}
    await publisher.stop()
    await producer.stop()
    assert not running()


async def test_who_waits_for_a_dead_transaction_hears_of_it() -> None:
    async def work(_batches: Sequence[Batch]) -> asyncio.Future[None]:
        await asyncio.Event().wait()
        raise AssertionError

    waiting = asyncio.create_task(Together(work, most=500).take(batch(0)))
    await kill("batches")
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(waiting, SECONDS)
    assert not waiting.cancelling(), "which ends the reading of its partition"


async def test_a_duty_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    async def work() -> None:
        begun.append("duty")
        await asyncio.Event().wait()

    def kind(_accounts: Any) -> list[duties.Duty]:
        return [duties.Duty(name="poll telegram/bot", of=(), work=work)]

    monkeypatch.setattr(duties, "AGAIN", 0.0)
    accounts = type("AccountsFile", (), {"current": None, "on_change": lambda *_: None})()
    running = asyncio.create_task(duties.Duties(accounts, [kind]).run())
    await kill("poll telegram/bot")
    await until(lambda: len(begun) == 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
