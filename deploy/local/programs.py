"""Programs as data, and the supervision of one of them: start, restart, stop, never an orphan."""

from __future__ import annotations

import asyncio
import ctypes
import os
import pwd
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.trouble import FullDisk, NotReady

PR_SET_PDEATHSIG = 1
LOG_LIMIT_BYTES = 20_000_000
libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run, and how it wants to be stopped."""

    name: str
    argv: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    patience_seconds: float = 25


@dataclass(kw_only=True)
class Supervised:
    """One program that is kept alive until told to stop."""

    program: Program
    say: Callable[[str], None]
    changed: Callable[[], None]
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    log_start: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the program and keep it running."""
        self.log_start = self.program.log.stat().st_size if self.program.log.exists() else 0
        await self.spawn()
        self.keeper = asyncio.create_task(self.keep())

    async def spawn(self) -> None:
        """Start the process, unless it is to stop."""
        async with self.turn:
            if not self.stopping.is_set():
                self.process = await spawn(self.program)
                self.changed()

    async def keep(self) -> None:
        """Restart the program whenever it ends, ever more slowly while it does not live long."""
        delay, started = 0.5, time.monotonic()
        while self.process:
            code = await self.process.wait()
            if self.stopping.is_set():
                return
            sweep(self.process.pid)
            delay = 0.5 if time.monotonic() - started > 30 else min(delay * 2, 15)
            self.say(f"{self.program.name} {describe_exit(code)}; it is started again in {delay:g} s")
            if await self.is_stopped_within(delay):
                return
            self.restarts += 1
            started = time.monotonic()
            try:
                await self.spawn()
            except OSError as error:
                self.say(f"{self.program.name} cannot be started: {error}")

    async def is_stopped_within(self, seconds: float) -> bool:
        """Wait; tell whether the word to stop came meanwhile."""
        with suppress(TimeoutError):
            return await asyncio.wait_for(self.stopping.wait(), seconds)
        return False

    async def stop(self) -> None:
        """Ask the program to stop, and insist once its patience has run out."""
        self.stopping.set()
        async with self.turn:
            process = self.process
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(self.program.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), self.program.patience_seconds)
        except TimeoutError:
            self.say(f"{self.program.name} did not stop within {self.program.patience_seconds:g} s and was killed")
        sweep(process.pid)
        await process.wait()
        if self.keeper:
            await self.keeper


async def run_once(program: Program) -> int:
    """Run a program to its end and return its exit code; it does not outlive a cancelled caller."""
    process = await spawn(program)
    try:
        return await process.wait()
    finally:
        sweep(process.pid)


async def spawn(program: Program) -> asyncio.subprocess.Process:
    """Start a program in its own session, its output appended to its log, bound to the life of this process."""
    program.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    turn_log(program.log)
    user = None if program.user is None else pwd.getpwnam(program.user)
    with program.log.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *program.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **program.environment},
            cwd=program.folder,
            start_new_session=True,
            user=user and user.pw_uid,
            group=user and user.pw_gid,
            extra_groups=user and [],
            preexec_fn=bind_life(program.orphan_signal),
        )


def bind_life(orphan_signal: signal.Signals) -> Callable[[], None] | None:
    """Return what a child does first: ask the kernel for a signal when its parent dies, even by kill -9.

    It must be started from the main thread: the kernel means the thread, not the process (prctl(2), PR_SET_PDEATHSIG).
    """
    if libc is None:
        return None
    parent, prctl = os.getpid(), libc.prctl

    def bind() -> None:
        prctl(PR_SET_PDEATHSIG, int(orphan_signal))
        if os.getppid() != parent:
            os._exit(1)

    return bind


def turn_log(log: Path) -> None:
    """Keep one earlier log once this one has grown long."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))


def sweep(session: int) -> None:
    """Kill whatever a program left behind in its process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(session, signal.SIGKILL)


def describe_exit(code: int) -> str:
    """Say how a process ended."""
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def last_error(log: Path, start: int) -> str:
    """Return the last line of a log, from a position on, that tells of an error, else its last line."""
    text = log.read_bytes() if log.exists() else b""
    recent = text[start if start < len(text) else 0 :][-20_000:].decode(errors="replace")
    lines = [line.strip() for line in recent.splitlines() if line.strip()]
    told = [line for line in lines if any(word in line for word in ("Error", "ERROR", "FATAL", "error", "Exception"))]
    return (told or lines or [""])[-1][:300]


def not_ready(program: Program, log_start: int = 0) -> NotReady | FullDisk:
    """Say which program did not get ready, and what its log says."""
    error = last_error(program.log, log_start)
    if "No space left on device" in error:
        return FullDisk(f"{program.name} found the disk full: free some space, or choose another folder with --home.")
    said = f'which ends in "{error}"' if error else "which is empty"
    return NotReady(f"{program.name} did not get ready: read its log {program.log}, {said}.")
