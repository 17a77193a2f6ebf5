"""Where a mail is read: small ones here, large ones in a process of their own, so that nobody else waits for them."""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from contextlib import suppress
from typing import Any, Final, Self, cast

from services.email_adapter.reader import HEAD, READY, read
from shared.channel import Account, Channel, Context, Mail, MailRead
from shared.errors import Malformed, ParleyError

LARGE: Final = 1024 * 1024  # bytes
AT_ONCE: Final = 2  # processes
SECONDS: Final = 30.0  # that one mail may take
LOADING: Final = 60.0  # seconds that the process may take to begin
MEGABYTES: Final = 1024  # of address space for the process that reads
KEPT: Final = ("PATH", "PYTHONPATH", "LANG", "LC_ALL")  # of the environment, which holds secrets


class Reading:
    """Reads mails; `seconds` and `megabytes` bound what a large one may take.

    A thread would not do: a parser in Python keeps the interpreter's lock, cannot be ended, and has no bound of memory.
    """

    def __init__(self, *, large: int = LARGE, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> None:
        self._large, self._seconds, self._megabytes = large, seconds, megabytes
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._idle: list[Child] = []

    async def read(self, channel: Channel, account: Account, mail: Mail, context: Context) -> MailRead:
        """What the mail says. Raises Malformed, and what the channel raises to refuse a mail."""
        if len(mail.raw) <= self._large:
            return read(channel.mail, account, mail, context)
        async with self._turns:
            return await self._read_elsewhere((channel.mail, account, mail, context))

    async def _read_elsewhere(self, work: tuple[Any, ...]) -> MailRead:
        """The process is kept for the next mail, unless this one was too much for it, or nobody waited for its answer."""
        child = self._idle.pop() if self._idle else await Child.begin(self._megabytes)
        done = False
        try:
            async with asyncio.timeout(self._seconds):
                found = await child.ask(work)
            done = True
        except TimeoutError:
            raise Malformed(f"a large mail was not read within {self._seconds:g} s") from None
        except (EOFError, OSError):
            raise Malformed("a large mail ended the process that read it") from None
        finally:
            if done:
                self._idle.append(child)
            else:
                await child.end()
        if isinstance(found, MailRead):
            return found
        kind, detail = found
        raise kind(detail)

    async def close(self) -> None:
        """End the processes that wait for work."""
        while self._idle:
            await self._idle.pop().end()


class Child:
    """A process that reads mails, one after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def begin(cls, megabytes: int) -> Self:
        """One that has loaded what it needs, which takes longer than most mails. Raises EOFError, TimeoutError."""
        argv = (sys.executable, "-m", "services.email_adapter.reader", str(megabytes))
        pipe = asyncio.subprocess.PIPE
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, env=environment)
        child = cls(process)
        try:
            assert process.stdout is not None
            async with asyncio.timeout(LOADING):
                await process.stdout.readexactly(len(READY))
        except BaseException:
            await child.end()
            raise
        return child

    async def ask(self, work: tuple[Any, ...]) -> MailRead | tuple[type[ParleyError], str]:
        """What the mail says, or the error and its detail. Raises EOFError and OSError when the process has ended."""
        into, out = self._process.stdin, self._process.stdout
        assert into is not None
        assert out is not None
        data = pickle.dumps(work)
        into.write(len(data).to_bytes(HEAD) + data)
        await into.drain()
        size = int.from_bytes(await out.readexactly(HEAD))
        answer = pickle.loads(await out.readexactly(size))  # noqa: S301 only our own process writes into this pipe
        return cast("MailRead | tuple[type[ParleyError], str]", answer)

    async def end(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
