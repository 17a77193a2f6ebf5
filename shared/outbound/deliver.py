"""Outbound records into lanes, lanes to their providers, outcomes back: nothing is sent twice, nothing waits for another's account."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final

import structlog

from shared.bus.cloudevents import In
from shared.bus.consume import Reader
from shared.contract.deliveries import Forget, Growing, Order, Typing, Withdraw
from shared.contract.errors import BusUnavailable, DatabaseUnavailable, Malformed
from shared.contract.records import adapter_group, outbound_topic
from shared.outbound import forgetting, lanes
from shared.outbound.fleeting import Fleeting, OwnShowing
from shared.outbound.ledger import Ledger
from shared.outbound.outgoing import Noticed, Outgoing, Pace
from shared.outbound.reports import Reports
from shared.outbound.sending import Own, OwnAmend, Sender
from shared.provider.parts import Parts
from shared.provider.workers import Blocked, Workers
from shared.runtime.lasting import keep
from shared.runtime.observe import OLDEST_SEND, PENDING_SENDS, SENDS

__all__ = ["Deliver", "Forgetting", "Own", "OwnAmend", "OwnShowing", "Pace"]

log = structlog.get_logger(__name__)

Forgetting = Callable[[Sequence[Forget]], Awaitable[None]]

AT_ONCE: Final = 16  # lanes of one account that one process works on
SWEEP: Final = 60.0  # seconds


class Deliver:
    """The outbound half of an adapter.

    The reader only stores what it reads; workers take it from there, lane by lane, so no offset waits for a provider.
    `forgets`: what a service has of a person itself. `senders`, `amenders` and `showers`: its own ways, by channel. Such a sender is called again with the same piece id when
    its outcome is not known.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        senders: Mapping[str, Own] = {},
        amenders: Mapping[str, OwnAmend] = {},
        showers: Mapping[str, OwnShowing] = {},
        forgets: Sequence[Forgetting] = (),
        pace: Pace = Pace(),
        noticed: Noticed = lambda _channel, _account, _failure: None,
    ) -> None:
        self._settings, self._pool, self._ledger = parts.settings, parts.pool, Ledger(parts.pool)
        self._forgets = forgets
        blocked = Blocked()
        self._fleeting = Fleeting(parts, self._ledger, own=showers)
        self._reports = Reports(parts)
        self._outgoing = Outgoing(
            parts,
            self._ledger,
            Sender(parts, self._ledger, own=senders, amends=amenders),
            blocked=blocked,
            pace=pace,
            news=self._reports.wake,
            noticed=noticed,
        )
        self._workers = Workers(
            "lanes",
            parts,
            claim=partial(lanes.claim, parts.pool),
            work=self._outgoing.work,
            at_once=AT_ONCE,
            blocked=blocked,
        )
        self._reader = Reader(
            settings=parts.settings,
            topics=[outbound_topic(parts.family)],
            group=adapter_group(parts.family),
            owner=self,
            producer=parts.producer,
            health=parts.health,
        )
        self._intake: list[asyncio.Task[None]] = []
        parts.health.ready["outbound"] = lambda: self._reader.trouble
        parts.health.warned["lanes"] = lambda: self._reader.waiting

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
        """Messages and their changes into their lanes, behind those what is taken back; what is fleeting is shown at once or not at all."""
        fleeting = [record.model for record in records if isinstance(record.model, Typing | Growing)]
        messages = [record for record in records if isinstance(record.model, Order)]
        withdrawn = [record.model.message for record in records if isinstance(record.model, Withdraw)]
        forgotten = [record.model for record in records if isinstance(record.model, Forget)]
        if len(messages) + len(fleeting) + len(withdrawn) + len(forgotten) < len(records):
            raise Malformed("a record that is nothing to send")
        if messages:
            await lanes.append(self._pool, messages)
        if withdrawn:
            for ended in await self._ledger.withdraw(withdrawn):
                SENDS.labels(ended.channel, "cancelled").inc()
            self._reports.wake()
        if forgotten:
            for ended in await forgetting.forget(self._pool, self._ledger, forgotten):
                SENDS.labels(ended.channel, "cancelled").inc()
            for forgets in self._forgets:
                await forgets(forgotten)
            self._reports.wake()
        if messages or withdrawn or forgotten:
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
                await forgetting.clear(self._pool)
            except DatabaseUnavailable as error:
                log.info("sweep.waiting", error=str(error))
            await asyncio.sleep(SWEEP)
