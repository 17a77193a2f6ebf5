"""Where a mail is read: the smallest here, others in processes of their own, so that nobody else waits for them."""

from __future__ import annotations

import asyncio
import io
import os
import pickle
import sys
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, Self, cast
from weakref import WeakValueDictionary

from services.email_adapter.mail.refusals import Refused
from services.email_adapter.reader import HEAD, READY, read
from shared.contract.channel import Account, Channel, Context, Mail, MailRead
from shared.contract.errors import Malformed, ParleyError

HERE: Final = 4 * 1024  # bytes of a mail that is read in this process: in milliseconds, whatever is in it
LARGE: Final = 1024 * 1024  # bytes of a mail for which there is a process of its own kind
SMALL_AT_ONCE: Final = 2  # processes
LARGE_AT_ONCE: Final = 1
SMALL_SECONDS: Final = 10.0  # that one mail may take
SECONDS: Final = 30.0  # that a large mail may take
WAIT: Final = 120.0  # seconds for a turn; senders wait ten minutes (RFC 5321 §4.5.3.2.6)
LOADING: Final = 60.0  # seconds that the process may take to begin
SMALL_MEGABYTES: Final = 160  # of data for a process that reads; all of them together are within the pod's memory
MEGABYTES: Final = 288  # for one that reads large mails
PIECE: Final = 256 * 1024  # bytes that go to it, or come from it, at once
BUSY: Final = "451 4.3.2 too many mails are being read; send it again"
KEPT: Final = ("PATH", "PYTHONPATH", "LANG", "LC_ALL")  # of the environment, which holds secrets


class Reading:
    """Reads mails: the smallest here, the others elsewhere; `seconds` and `megabytes` bound what a `large` one may take.

    A thread would not do: a parser in Python keeps the interpreter's lock, cannot be ended, and has no bound of memory.
    """

    def __init__(
        self, *, here: int = HERE, large: int = LARGE, seconds: float = SECONDS, megabytes: int = MEGABYTES
    ) -> None:
        self._here, self._large = here, large
        self._small_ones = Readers(
            at_once=SMALL_AT_ONCE, seconds=min(seconds, SMALL_SECONDS), megabytes=min(megabytes, SMALL_MEGABYTES)
        )
        self._large_ones = Readers(at_once=LARGE_AT_ONCE, seconds=seconds, megabytes=megabytes)

    async def read(
        self, channel: Channel, account: Account, mail: Mail, context: Context, *, peer: str = ""
    ) -> MailRead:
        """What the mail says. Raises Malformed, and what the channel raises to refuse a mail; Refused (451) where too many
        wait. `peer`: who brought it.
        """
        work = (channel.mail, account, mail, context)
        if len(mail.raw) <= self._here:
            return read(*work)
        readers = self._small_ones if len(mail.raw) <= self._large else self._large_ones
        return await readers.read(work, peer)

    async def close(self) -> None:
        """End the processes that wait for work."""
        await self._small_ones.close()
        await self._large_ones.close()


class Readers:
    """Processes of one kind. One peer has one of them at a time: its mails wait for each other, those of others do not."""

    def __init__(self, *, at_once: int, seconds: float, megabytes: int) -> None:
        self._seconds, self._megabytes = seconds, megabytes
        self._turns = asyncio.Semaphore(at_once)
        self._peers: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._idle: list[Child] = []

    async def read(self, work: tuple[Any, ...], peer: str) -> MailRead:
        own = self._peers.setdefault(peer, asyncio.Lock())
        try:
            async with asyncio.timeout(WAIT) as waiting, own, self._turns:
                waiting.reschedule(None)
                return await self._read_elsewhere(work)
        except TimeoutError:
            raise Refused(BUSY) from None

    async def _read_elsewhere(self, work: tuple[Any, ...]) -> MailRead:
        """The process is kept for the next mail, unless this one was too much for it, or nobody waited for its answer."""
        child = self._idle.pop() if self._idle else await Child.begin(self._megabytes)
        done = False
        try:
            async with asyncio.timeout(self._seconds):
                found = await child.ask(work)
            done = True
        except TimeoutError:
            raise Malformed(f"a mail was not read within {self._seconds:g} s") from None
        except (EOFError, OSError):
            raise Malformed("a mail ended the process that read it") from None
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
        read, account, mail, context = work
        await self._say(pickle.dumps((read, account, replace(mail, raw=b""), context)))
        await self._say(mail.raw)
        found = pickle.loads(await self._hear())  # noqa: S301 only our own process writes into this pipe
        if isinstance(found, MailRead):
            return replace(found, files={handle: await self._hear() for handle in found.files})
        return cast("tuple[type[ParleyError], str]", found)

    async def _say(self, data: bytes) -> None:
        """In pieces, so that nobody waits for a large mail to be copied."""
        into = self._process.stdin
        assert into is not None
        into.write(len(data).to_bytes(HEAD))
        for at in range(0, len(data), PIECE):
            into.write(data[at : at + PIECE])
            await into.drain()

    async def _hear(self) -> bytes:
        out, found = self._process.stdout, io.BytesIO()
        assert out is not None
        size = int.from_bytes(await out.readexactly(HEAD))
        while found.tell() < size:
            found.write(await out.readexactly(min(PIECE, size - found.tell())))
        return found.getvalue()

    async def end(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
