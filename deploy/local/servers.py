"""A stack in a process of its own, for `parley up --detach` and for tests that want real servers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from deploy.local.home import Addresses, already_running, disk_told, is_held, read_addresses, read_roll
from deploy.local.programs import bind_life
from deploy.local.stack import end_leftovers
from deploy.local.trouble import Trouble

STOP_SECONDS = 75


def start_servers(home: Path) -> Addresses:
    """Start Kafka and PostgreSQL in a home; they end with this process. PARLEY_KAFKA and PARLEY_DATABASE are heeded."""
    return launch(home, servers_only=True, bound=True)


def start_stack(home: Path) -> Addresses:
    """Start everything in a home; it ends with this process."""
    return launch(home, bound=True)


def launch(
    home: Path, *, servers_only: bool = False, bound: bool = False, say: Callable[[str], None] = lambda _line: None
) -> Addresses:
    """Start `parley up` in a session of its own and wait until it is ready; raises Trouble with what it said last.

    `bound` stops it when this process dies, which a test wants and `--detach` does not.
    """
    if is_held(home):
        raise already_running(home)
    with disk_told(home):
        log = home / "logs" / "stack.log"
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        log.touch(mode=0o600)  # the page's address stands in it, with its token
        with log.open("a") as output, log.open() as said:
            said.seek(0, os.SEEK_END)
            child = start(home, output, servers_only=servers_only, bound=bound)
            try:
                follow(child, said, say)
            except KeyboardInterrupt:
                child.terminate()
                child.wait()
                raise
    return read_addresses(home)


def start(home: Path, output: TextIO, *, servers_only: bool, bound: bool) -> subprocess.Popen[bytes]:
    """Start `parley up` as a process."""
    argv = [sys.executable, "-m", "services.cli", "up", "--home", str(home), "--no-browser"]
    return subprocess.Popen(
        [*argv, *(["--servers"] if servers_only else [])],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        preexec_fn=bind_life(signal.SIGTERM) if bound else None,  # noqa: PLW1509 it only calls prctl
    )


def follow(child: subprocess.Popen[bytes], said: TextIO, say: Callable[[str], None]) -> None:
    """Pass on what a stack says until it says `ready`; its last line, when it ends before, is why."""
    held_back: list[str] = []
    for line in lines_while(child, said):
        for earlier in held_back:
            say(earlier)
        held_back = [line]
        if line == "ready":
            say(line)
            return
    trouble = Trouble(*held_back or ["the stack ended without a word"])
    trouble.exit_code = child.returncode or 1
    raise trouble


def lines_while(child: subprocess.Popen[bytes], said: TextIO) -> Iterator[str]:
    """Yield the lines of a log as they come, until its process has ended."""
    while True:
        code = child.poll()
        yield from (line.rstrip("\n") for line in said)
        if code is not None:
            return
        time.sleep(0.05)


def stop_servers(home: Path) -> bool:
    """Stop whatever runs in a home and wait until it is gone; tell whether anything did."""
    roll = read_roll(home)
    supervisor = roll.supervisor.find() if roll and is_held(home) else None
    if supervisor:
        supervisor.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while is_held(home):
            if time.monotonic() > deadline:
                supervisor.kill()
            time.sleep(0.1)
    asyncio.run(end_leftovers(home, lambda _line: None))
    return supervisor is not None
