"""Outbound records into lanes, lanes to their providers, outcomes back: nothing is sent twice, nothing waits for another's account."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import structlog

from shared.bus.cloudevents import In
from shared.bus.consume import Reader
from shared.bus.produce import Producer
from shared.contract.channel import Account, Channel, TypingMark
from shared.contract.codes import Family
from shared.contract.deliveries import Order, Typing
from shared.contract.errors import BusUnavailable, DatabaseUnavailable, Malformed, ParleyError
from shared.contract.records import adapter_group, outbound_topic
from shared.outbound import lanes
from shared.outbound.ledger import Ledger
from shared.outbound.outgoing import Noticed, Outgoing, Pace, Routes
from shared.outbound.reports import Reports
from shared.outbound.sending import Own, OwnAmend, Sender
from shared.provider.calls import Caller, Party
from shared.provider.contexts import Contexts
from shared.provider.exchange import Driver
from shared.provider.workers import Blocked, Workers
from shared.runtime.accounts import AccountsFile
from shared.runtime.lasting import keep, spawn
from shared.runtime.lifecycle import Health
from shared.runtime.observe import OLDEST_SEND, PARKED
from shared.runtime.settings import Settings
from shared.storage.database import Pool

__all__ = ["Deliver", "Own", "OwnAmend", "Pace", "Typer"]

log = structlog.get_logger(__name__)

AT_ONCE: Final = 16  # lanes of one account that one process works on
SWEEP: Final = 60.0  # seconds
FLEETING: Final = timedelta(seconds=10)  # a typing mark older than this is no longer true
TYPING_AT_ONCE: Final = 50

Typer = Callable[[Account, str], Awaitable[None]]


class Deliver:
    """The outbound half of an adapter.

    The reader only stores what it reads; workers take it from there, lane by lane, so no offset waits for a provider.
    `senders`, `amenders` and `typers`: a service's own ways, by channel. Such a sender is called again with the same piece id when
    its outcome is not known.
    """

    def __init__(
        self,
        settings: Settings,
        family: Family,
        *,
        channels: Mapping[str, Channel],
        accounts: AccountsFile,
        pool: Pool,
        producer: Producer,
        caller: Caller,
        contexts: Contexts,
        health: Health,
        senders: Mapping[str, Own] = {},
        amenders: Mapping[str, OwnAmend] = {},
        typers: Mapping[str, Typer] = {},
        pace: Pace = Pace(),
        noticed: Noticed = lambda _channel, _account, _failure: None,
    ) -> None:
        self._settings, self._pool, self._typers = settings, pool, typers
        self._drive = Driver(caller, contexts)
        self._routes, self._ledger, blocked = Routes(channels, accounts), Ledger(pool), Blocked()
        self._reports = Reports(settings=settings, family=family, pool=pool, producer=producer, health=health)
        self._outgoing = Outgoing(
            routes=self._routes,
            ledger=self._ledger,
            sender=Sender(ledger=self._ledger, caller=caller, contexts=contexts, own=senders, amends=amenders),
            blocked=blocked,
            pace=pace,
            news=self._reports.wake,
            noticed=noticed,
        )
        self._workers = Workers(
            "lanes",
            claim=partial(lanes.claim, pool),
            work=self._outgoing.work,
            at_once=AT_ONCE,
            channels=channels,
            health=health,
            blocked=blocked,
        )
        self._reader = Reader(
            settings=settings,
            topics=[outbound_topic(family)],
            group=adapter_group(family),
            owner=self,
            producer=producer,
            health=health,
        )
        self._typing: set[asyncio.Task[None]] = set()
        self._intake: list[asyncio.Task[None]] = []
        health.ready["outbound"] = lambda: self._reader.trouble
        health.warned["lanes"] = lambda: self._reader.waiting

    async def run(self) -> None:
        """Until cancelled; `drain` first, so that nothing is left half done."""
        try:
            async with asyncio.TaskGroup() as group:
                self._intake = [
                    keep(group, self._reader.run(), "outbound"),
                    keep(group, self._workers.run(), "workers"),
                ]
                keep(group, self._reports.run(), "reports")
                keep(group, self._sweep(), "sweep")
        finally:
            await self._workers.finish(0)

    async def drain(self) -> None:
        """Take nothing new, let the calls under way end, tell their outcomes."""
        self._outgoing.stopping = True
        for task in self._intake:
            task.cancel()
        await asyncio.gather(*self._intake, return_exceptions=True)
        await self._workers.finish(self._settings.drain_seconds / 2)
        try:
            await self._reports.tell()
        except (BusUnavailable, DatabaseUnavailable) as error:
            log.warning("reports.left", error=str(error))

    async def claim(self, topic: str, partition: int, log_id: str) -> int | None:
        """The group's own offset is enough: what is read twice is stored once."""
        return None

    async def handle(self, topic: str, partition: int, records: Sequence[In], start: int, end: int) -> None:
        """Messages and their changes into their lanes; a typing mark is shown at once or not at all."""
        messages = [record for record in records if isinstance(record.model, Order)]
        marks = [record.model for record in records if isinstance(record.model, Typing)]
        if len(messages) + len(marks) < len(records):
            raise Malformed("a record that is nothing to send")
        if messages:
            await lanes.append(self._pool, messages)
            self._workers.wake()
        for mark in marks:
            self._show(mark)

    def _show(self, mark: Typing) -> None:
        if len(self._typing) < TYPING_AT_ONCE and datetime.now(UTC) - mark.occurred_at < FLEETING:
            task = spawn(self._type(mark), "typing")
            self._typing.add(task)
            task.add_done_callback(self._typing.discard)

    async def _type(self, mark: Typing) -> None:
        """As well as it goes: nobody misses a typing mark."""
        if (route := self._routes.of(mark)) is None:
            return
        channel, account = route
        try:
            if own := self._typers.get(channel.name):
                await own(account, mark.peer)
            elif channel.typing:
                shown = TypingMark(to=mark.peer, reply_to=mark.reply_to, thread_key=mark.thread_key)
                await self._drive(partial(channel.typing, account, shown), Party(channel=channel, account=account))
        except ParleyError as error:
            log.info("typing.failed", channel=channel.name, error=type(error).__name__)

    async def _sweep(self) -> None:
        """What waits is counted, what ended long ago is forgotten."""
        while True:
            try:
                waiting, oldest = await self._ledger.waiting()
                PARKED.set(waiting)
                OLDEST_SEND.set(oldest)
                await self._ledger.prune()
            except DatabaseUnavailable as error:
                log.info("sweep.waiting", error=str(error))
            await asyncio.sleep(SWEEP)
