"""The local stack: one supervisor that brings up Kafka, PostgreSQL and the services, and takes them down in order."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psutil

from deploy.local import kafka, postgres, services
from deploy.local.accounts import write_accounts
from deploy.local.home import (
    LOOPBACK,
    SERVICES,
    SMTP,
    Addresses,
    Roll,
    check_ports,
    check_space,
    describe_running,
    disk_told,
    held,
    keep_ports,
    keep_secret,
    kept_private,
    read_roll,
    write_addresses,
    write_roll,
)
from deploy.local.programs import Program, Supervised, not_ready, run_once
from deploy.local.trouble import NotReady

READY_SECONDS = 300  # a busy machine may need minutes; what dies instead is given up sooner
LONG_SECONDS = 30
LEFTOVER_SECONDS = 20
DEATHS_BEFORE_GIVING_UP = 3

T = TypeVar("T")


@dataclass(kw_only=True)
class Stack:
    """What runs in one home."""

    home: Path
    say: Callable[[str], None]
    servers_only: bool = False
    own_kafka: str | None = field(default_factory=lambda: os.environ.get("PARLEY_KAFKA"))
    own_database: str | None = field(default_factory=lambda: os.environ.get("PARLEY_DATABASE"))
    servers: list[Supervised] = field(default_factory=list)
    services: list[Supervised] = field(default_factory=list)
    ready: bool = False

    def plan(self) -> tuple[Addresses, dict[str, int]]:
        """Choose or recall every address and write it down, before anything starts."""
        ports = keep_ports(self.home)
        check_ports(self.home, self.used_ports(ports))
        password = keep_secret(self.home / "database.password")
        addresses = services.make_addresses(
            ports,
            kafka=self.own_kafka or f"{LOOPBACK}:{ports['kafka']}",
            database=self.own_database or postgres.make_dsn(ports["postgres"], password),
            token=keep_secret(self.home / "token"),
        )
        write_addresses(self.home, addresses)
        write_accounts(self.home / "accounts.toml", addresses)
        return addresses, ports

    def used_ports(self, ports: dict[str, int]) -> dict[str, int]:
        """Return the ports that this start will listen on."""
        unused: set[str] = set()
        if self.own_kafka:
            unused |= {"kafka", "kafka_controller"}
        if self.own_database:
            unused |= {"postgres"}
        if self.servers_only:
            unused |= {*SERVICES, *(f"{name}_smtp" for name in SMTP)}
        return {name: port for name, port in ports.items() if name not in unused}

    async def start(self) -> Addresses:
        """Bring everything up; raises Trouble."""
        await end_leftovers(self.home, self.say)
        addresses, ports = self.plan()
        self.note()
        await together(self.start_kafka(addresses, ports), self.start_postgres(addresses, ports))
        if not self.servers_only:
            await self.set_up(addresses)
            await together(*(self.start_service(addresses, name) for name in SERVICES))
        self.ready = True
        self.note()
        return addresses

    async def start_kafka(self, addresses: Addresses, ports: dict[str, int]) -> None:
        """Start the broker, or wait for the user's own."""
        if self.own_kafka:
            await wait_for_own("Kafka", "PARLEY_KAFKA", addresses.kafka, kafka.answers)
            return
        folder = self.home / "kafka"
        folder.mkdir(exist_ok=True)
        jars = await in_thread(partial(kafka.fetch_jars, self.say))
        await kafka.prepare(folder, jars, ports)
        supervised = await self.supervise(self.servers, kafka.program(folder, jars))
        await self.wait_ready(supervised, partial(kafka.answers, addresses.kafka))
        self.say(f"kafka is ready at {addresses.kafka}")

    async def start_postgres(self, addresses: Addresses, ports: dict[str, int]) -> None:
        """Start PostgreSQL, or wait for the user's own."""
        if self.own_database:
            await wait_for_own("PostgreSQL", "PARLEY_DATABASE", addresses.database, postgres.answers)
            return
        folder, password = self.home / "postgres", keep_secret(self.home / "database.password")
        await postgres.prepare(folder, password)
        supervised = await self.supervise(self.servers, postgres.program(folder, ports["postgres"]))
        first = postgres.make_dsn(ports["postgres"], password, "postgres")
        await self.wait_ready(supervised, partial(postgres.answers, first))
        await postgres.make_database(ports["postgres"], password)
        self.say(f"postgres is ready at {LOOPBACK}:{ports['postgres']}")

    async def set_up(self, addresses: Addresses) -> None:
        """Make topics and schemas."""
        program = services.setup_program(self.home, addresses)
        if program and await run_once(program):
            raise not_ready(program)

    async def start_service(self, addresses: Addresses, name: str) -> None:
        """Start one service and wait until it is ready."""
        http = addresses.services[name].http
        supervised = await self.supervise(self.services, services.program(self.home, addresses, name))
        await self.wait_ready(supervised, partial(services.is_ready, http))
        self.say(f"{name} is ready at {http}")

    async def supervise(self, group: list[Supervised], program: Program) -> Supervised:
        """Start a program and keep it in its group, for the way down."""
        supervised = Supervised(program=program, say=self.say, changed=self.note)
        group.append(supervised)
        await supervised.start()
        return supervised

    async def wait_ready(self, supervised: Supervised, ready: Callable[[], Awaitable[bool]]) -> None:
        """Wait until a program is ready; raises NotReady when it keeps dying or takes too long."""
        began, program, told = time.monotonic(), supervised.program, False
        while not await ready():
            waited = time.monotonic() - began
            if waited > READY_SECONDS or supervised.restarts >= DEATHS_BEFORE_GIVING_UP:
                raise not_ready(program, supervised.log_start)
            if waited > LONG_SECONDS and not told:
                told = True
                self.say(f"{program.name} takes long to get ready; what it says is in {program.log}")
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """Take everything down: the services first, then what they stand on."""
        for group in (self.services, self.servers):
            await asyncio.gather(*(supervised.stop() for supervised in group))
        (self.home / "processes.json").unlink(missing_ok=True)

    def note(self) -> None:
        """Write down who runs, for `status`, `down` and whoever has to clear up after a kill -9."""
        processes = {
            supervised.program.name: describe_running(supervised.process.pid, restarts=supervised.restarts)
            for supervised in (*self.servers, *self.services)
            if supervised.process
        }
        write_roll(self.home, Roll(supervisor=describe_running(os.getpid()), ready=self.ready, processes=processes))


async def wait_for_own(name: str, variable: str, address: str, answers: Callable[[str], Awaitable[bool]]) -> None:
    """Wait a little for a server of the user's own."""
    deadline = time.monotonic() + 15
    while not await answers(address):
        if time.monotonic() > deadline:
            raise NotReady(f"{name} does not answer at the address in {variable}: start it, or correct the variable.")
        await asyncio.sleep(0.5)


async def end_leftovers(home: Path, say: Callable[[str], None]) -> None:
    """End the processes of a stack that was killed, and kill what does not go by itself."""
    roll = read_roll(home)
    left = roll.processes if roll else {}
    alive = [(name, process) for name, entry in left.items() if (process := entry.find())]
    if not alive:
        return
    say("ending " + ", ".join(name for name, _ in alive) + ", which an earlier stack left behind")
    for name, process in alive:
        with suppress(psutil.Error):
            process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
    _, stubborn = await in_thread(partial(psutil.wait_procs, [process for _, process in alive], LEFTOVER_SECONDS))
    for process in stubborn:
        with suppress(psutil.Error):
            process.kill()


async def together(*work: Coroutine[Any, Any, None]) -> None:
    """Do several things at once; when one fails the others are given up before its error goes on."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread that nobody waits for when the stack is told to stop."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(how: Callable[[Any], None], what: object) -> None:
        if not done.done():
            how(what)

    def run() -> None:
        outcome: tuple[Callable[[Any], None], object]
        try:
            outcome = done.set_result, work()
        except Exception as error:  # noqa: BLE001 handed over, whatever it is
            outcome = done.set_exception, error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, daemon=True).start()
    return await done


async def run_stack(stack: Stack, on_ready: Callable[[Addresses], None]) -> None:
    """Bring the stack up, keep it until SIGINT or SIGTERM, take it down; raises Trouble after cleaning up."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, told.set)
    with disk_told(stack.home), kept_private(stack.home), held(stack.home):
        check_space(stack.home)
        try:
            await run_until(told, stack, on_ready)
        finally:
            await stack.stop()


async def run_until(told: asyncio.Event, stack: Stack, on_ready: Callable[[Addresses], None]) -> None:
    """Start, say so, and wait for the word to stop, which may come in the middle of the start."""
    waiting = asyncio.create_task(told.wait())
    starting = asyncio.create_task(stack.start())
    await asyncio.wait({waiting, starting}, return_when=asyncio.FIRST_COMPLETED)
    if told.is_set():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
    else:
        on_ready(await starting)
        await waiting
    stack.say("stopping")
