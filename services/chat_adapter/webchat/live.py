"""Who is connected to this replica, and how they learn that their transcript grew: a notification if it comes, else a look."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import orjson
import structlog
from pydantic import SecretStr

from services.chat_adapter.webchat.measures import HINTS_LOST, SOCKETS, VISITORS
from services.chat_adapter.webchat.transcript import NOTIFY, Transcript, name_of
from shared.contract.errors import DatabaseUnavailable
from shared.runtime.lasting import keep
from shared.storage.sqlstates import meaning

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 4.0


@dataclass(eq=False)
class Seat:
    """One open window. `woken` is set when there may be something behind `cursor`; `typing` when an agent types; `growing` is the
    frame of an answer as far as it is written.
    """

    account: str
    peer: str
    cursor: int
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    typing: bool = False
    growing: dict[str, Any] | None = None
    leaving: bool = False


class Live:
    """The open windows of this process. Notifications are hints: whoever wakes reads from its cursor."""

    def __init__(self, transcript: Transcript, database: SecretStr) -> None:
        self._transcript, self._database = transcript, database
        self._seats: defaultdict[str, set[Seat]] = defaultdict(set)
        self._gathered = ""

    @contextmanager
    def sit(self, account: str, peer: str, cursor: int) -> Iterator[Seat]:
        seat, name = Seat(account, peer, cursor), name_of(account, peer)
        self._seats[name].add(seat)
        self._count()
        try:
            yield seat
        finally:
            self._seats[name].discard(seat)
            if not self._seats[name]:
                del self._seats[name]
            self._count()

    def dismiss(self) -> None:
        """Ask every window to connect to another replica: this one is about to stop."""
        for seat in self._all():
            seat.leaving = True
            seat.woken.set()

    async def run(self) -> None:
        """Listen and look until cancelled."""
        async with asyncio.TaskGroup() as group:
            keep(group, self._listen(), "webchat listen")
            keep(group, self._look(), "webchat look")

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except Exception as error:
                if meaning(error) is None:
                    raise
                log.info("webchat.listen_failed", error=type(error).__name__)
            HINTS_LOST.inc()
            await asyncio.sleep(random.uniform(1, 3))

    async def _listen_once(self) -> None:
        """Hold one connection of its own for as long as it lasts."""
        connection: Any = await asyncpg.connect(self._database.get_secret_value(), timeout=5)
        ended = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _connection: ended.set())
            self._gathered = ""
            await connection.add_listener(NOTIFY, lambda *hint: self._hear(hint[-1]))
            self._wake_all()
            await ended.wait()
        finally:
            connection.terminate()

    def _hear(self, hint: str) -> None:
        kind, name, *rest = hint.split(" ", 2)
        growing = self._gather(*rest) if rest else None
        for seat in self._seats.get(name, ()):
            seat.typing = seat.typing or kind == "t"
            seat.growing = growing or seat.growing
            seat.woken.set()

    def _gather(self, told: str) -> dict[str, Any] | None:
        """The hints of one answer come one after the other; all of it with the last."""
        left, _, piece = told.partition(" ")
        self._gathered += piece
        if left != "0":
            return None
        whole, self._gathered = self._gathered, ""
        return dict(orjson.loads(whole))

    async def _look(self) -> None:
        """One statement for all windows every few seconds: what a lost notification would have told."""
        while True:
            await asyncio.sleep(LOOK_SECONDS * random.uniform(0.8, 1.2))
            try:
                await self._look_once()
            except (DatabaseUnavailable, asyncpg.PostgresError) as error:
                log.info("webchat.look_failed", error=type(error).__name__)

    async def _look_once(self) -> None:
        visitors = sorted({(seat.account, seat.peer) for seat in self._all()})
        for account, peer, last in await self._transcript.ends(visitors) if visitors else ():
            for seat in self._seats.get(name_of(account, peer), ()):
                if seat.cursor < last:
                    seat.woken.set()

    def _wake_all(self) -> None:
        for seat in self._all():
            seat.woken.set()

    def _all(self) -> list[Seat]:
        return [seat for seats in self._seats.values() for seat in seats]

    def _count(self) -> None:
        SOCKETS.set(len(self._all()))
        VISITORS.set(len(self._seats))
