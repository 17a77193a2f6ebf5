"""Outbound records into lanes, lanes to their providers, outcomes back: nothing is sent twice, nothing waits for another's account."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import structlog

from shared.bus.cloudevents import In
from shared.bus.consume import Reader
from shared.bus.produce import Producer
from shared.contract.channel import Channel
from shared.contract.codes import Family
from shared.contract.deliveries import Growing, Order, Typing
from shared.contract.errors import BusUnavailable, DatabaseUnavailable, Malformed
from shared.contract.records import adapter_group, outbound_topic
from shared.outbound import lanes
from shared.outbound.fleeting import Fleeting, Typer
from shared.outbound.ledger import Ledger
from shared.outbound.outgoing import Noticed, Outgoing, Pace, Routes
from shared.outbound.reports import Reports
from shared.outbound.sending import Own, OwnAmend, Sender
from shared.provider.calls import Caller
from shared.provider.contexts import Contexts
from shared.provider.exchange import Driver
from shared.provider.workers import Blocked, Workers
from shared.runtime.accounts import AccountsFile
from shared.runtime.lasting import keep
from shared.runtime.lifecycle import Health
from shared.runtime.observe import OLDEST_SEND, PENDING_SENDS
from shared.runtime.settings import Settings
from shared.storage.database import Pool

__all__ = ["Deliver", "Own", "OwnAmend", "Pace", "Typer"]

log = structlog.get_logger(__name__)

AT_ONCE: Final = 16  # lanes of one account that one process works on
SWEEP: Final = 60.0  # seconds


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
        self._settings, self._pool, self._ledger = settings, pool, Ledger(pool)
        routes, blocked = Routes(channels, accounts), Blocked()
        self._fleeting = Fleeting(routes=routes, ledger=self._ledger, drive=Driver(caller, contexts), typers=typers)
        self._reports = Reports(settings=settings, family=family, pool=pool, producer=producer, health=health)
        self._outgoing = Outgoing(
            routes=routes,
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
            self._fleeting.stop()
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
        """Messages and their changes into their lanes; what is fleeting is shown at once or not at all."""
        fleeting = [record.model for record in records if isinstance(record.model, Typing | Growing)]
        messages = [record for record in records if isinstance(record.model, Order)]
        if len(messages) + len(fleeting) < len(records):
            raise Malformed("a record that is nothing to send")
        if messages:
            await lanes.append(self._pool, messages)
            self._workers.wake()
        for mark in fleeting:
            self._fleeting.show(mark)

    async def _sweep(self) -> None:
        """What waits is counted, what ended long ago is forgotten."""
        while True:
            try:
                waiting, oldest = await self._ledger.waiting()
                PENDING_SENDS.set(waiting)
                OLDEST_SEND.set(oldest)
                await self._ledger.prune()
            except DatabaseUnavailable as error:
                log.info("sweep.waiting", error=str(error))
            await asyncio.sleep(SWEEP)
