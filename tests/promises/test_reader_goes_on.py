"""A reader whose Kafka client never comes to its end builds another one: aiokafka's fetcher may swallow that it is cancelled."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from deploy.local.home import Addresses
from tests.shared.broker import Owner, make_topics, reading, reply, settings_for, write


async def test_a_client_that_never_stops_is_left_to_itself(servers: Addresses, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, owner, over, stop = settings_for(servers.kafka), Owner(), asyncio.Event(), AIOKafkaConsumer.stop

    async def never_stop(consumer: AIOKafkaConsumer) -> None:
        await consumer._coordinator.close()  # as aiokafka does: it leaves the group, then waits for its fetcher
        while not over.is_set():
            with suppress(asyncio.CancelledError):
                await over.wait()
        await stop(consumer)

    await make_topics(settings)
    await write(settings, reply())
    async with reading(settings, owner) as on:
        await owner.reaches(1)
        monkeypatch.setattr(AIOKafkaConsumer, "stop", never_stop)
        assert on.reader._failed
        on.reader._failed.set_exception(KafkaError("the broker has gone"))
        await write(settings, reply())
        try:
            await owner.reaches(2)
        finally:
            monkeypatch.undo()
            over.set()
