"""What became of the pieces, told on the bus: at once, and again until it is acknowledged."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from shared.bus import cloudevents
from shared.bus.cloudevents import Out
from shared.contract.deliveries import Amend, Amended, Delivery, HandOver, Outbound
from shared.contract.envelope import derive, key
from shared.contract.errors import BusUnavailable, DatabaseUnavailable
from shared.contract.records import BY_MODEL, DELIVERY
from shared.outbound import ledger
from shared.outbound.ledger import Settled
from shared.provider.parts import Parts
from shared.storage.database import connected

log = structlog.get_logger(__name__)

BATCH: Final = 200  # outcomes of one transaction
SWEEP: Final = 5.0  # seconds between two looks for what another process left untold


class Reports:
    """Reads outcomes from the ledger only, so what a process that died had not told is told by the next."""

    def __init__(self, parts: Parts) -> None:
        self._topic, self._source = parts.settings.topic(DELIVERY), f"/adapter/{parts.family}"
        self._pool, self._producer, self._health = parts.pool, parts.producer, parts.health
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There is something to tell."""
        self._news.set()

    async def run(self) -> None:
        while True:
            self._health.tick("reports")
            self._news.clear()
            try:
                if await self.tell() == BATCH:
                    continue
            except (BusUnavailable, DatabaseUnavailable) as error:
                log.warning("reports.waiting", error=str(error))
                await asyncio.sleep(1)
            try:
                async with asyncio.timeout(SWEEP):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def tell(self) -> int:
        """Publish one batch, and mark what Kafka acknowledged; how many. Raises BusUnavailable, DatabaseUnavailable."""
        async with connected(self._pool) as connection, connection.transaction():
            settled = await ledger.unreported(connection, BATCH)
            if settled:
                records = (self._record(one) for one in settled)
                await asyncio.gather(*(self._producer.send(record) for record in records if record))
                await ledger.mark_reported(connection, settled)
        return len(settled)

    def _record(self, settled: Settled) -> Out | None:
        """None: of a change that goes on, which is told once, at its end."""
        message, outcome = settled.message, settled.outcome
        told: Delivery | Amended
        if isinstance(message, Amend | HandOver):
            if outcome.status == "sent" and settled.piece + 1 < settled.pieces:
                return None
            told = _amended(message, settled)
        else:
            told = _delivery(message, settled)
        place = key(message.tenant, message.channel, message.account, message.peer)
        headers = cloudevents.headers(
            BY_MODEL[type(told)],
            source=self._source,
            id=str(derive("delivery", message.id, message.attempt, settled.piece, outcome.status)),
            time=settled.settled_at,
            tenant=message.tenant,
            subject=place,
            traceparent=cloudevents.next_span(settled.traceparent),
        )
        return Out(topic=self._topic, key=place.encode(), value=cloudevents.encode(told), headers=headers)


def _amended(order: Amend | HandOver, settled: Settled) -> Amended:
    return Amended(
        tenant=order.tenant,
        channel=order.channel,
        account=order.account,
        peer=order.peer,
        order=order,
        external_id=next(iter(settled.outcome.external_ids), None),
        failure=settled.outcome.failure,
        taken_at=settled.taken_at,
        occurred_at=settled.settled_at,
    )


def _delivery(message: Outbound, settled: Settled) -> Delivery:
    outcome = settled.outcome
    return Delivery(
        tenant=message.tenant,
        channel=message.channel,
        account=message.account,
        peer=message.peer,
        message_id=message.id,
        piece=settled.piece,
        pieces=settled.pieces,
        external_ids=outcome.external_ids,
        join_key=outcome.join_key,
        status=outcome.status,
        failure=outcome.failure,
        cost=outcome.cost,
        attempt=message.attempt,
        taken_at=settled.taken_at,
        occurred_at=settled.settled_at,
    )
