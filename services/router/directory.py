"""The accounts as their adapters describe them: the whole compacted topic in memory, always the newest."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from shared.bus.cloudevents import decode
from shared.bus.kafka import connection
from shared.bus.leaving import leave
from shared.contract.channel import Capabilities
from shared.contract.errors import Malformed
from shared.contract.events import AccountState
from shared.contract.policy import Policy
from shared.contract.records import ACCOUNTS, RECORD_LIMIT
from shared.runtime.lifecycle import Health
from shared.runtime.settings import Settings

log = structlog.get_logger(__name__)


class Directory:
    """Reads without a group: every replica knows all accounts."""

    def __init__(self, settings: Settings, health: Health) -> None:
        self._settings, self._health = settings, health
        self._states: dict[tuple[str, str, str], AccountState] = {}
        self.capabilities: dict[tuple[str, str, str], Capabilities] = {}
        self.policies: dict[tuple[str, str, str], Policy] = {}
        self.complete = asyncio.Event()

    def all(self) -> list[AccountState]:
        return list(self._states.values())

    async def run(self) -> None:
        while True:
            try:
                await self._follow()
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("directory.waiting", error=repr(error))
            await asyncio.sleep(1)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            **connection(self._settings),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=RECORD_LIMIT,
        )
        try:
            async with asyncio.timeout(20):
                await consumer.start()
                partitions = await self._partitions(consumer)
                consumer.assign(partitions)
                await consumer.seek_to_beginning()
                ends = await consumer.end_offsets(partitions)
            while True:
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    for record in records:
                        self.take(record)
                self._health.tick("directory")
                if not self.complete.is_set() and await self._reached(consumer, ends):
                    self.complete.set()
        finally:
            await leave(consumer)

    async def _partitions(self, consumer: Any) -> list[TopicPartition]:
        topic = self._settings.topic(ACCOUNTS)
        await consumer._client._wait_on_metadata(topic)
        return [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]

    async def _reached(self, consumer: Any, ends: Mapping[TopicPartition, int]) -> bool:
        return all([await consumer.position(partition) >= end for partition, end in ends.items()])

    def take(self, record: Any) -> None:
        """One state; a record that is not one is passed over, it will be compacted away."""
        if record.value is None:
            return
        try:
            state = decode(record).model
            place = (state.tenant, state.channel, state.account)
            self.capabilities[place] = Capabilities.model_validate(state.capabilities)
            self._states[place], self.policies[place] = state, state.policy
        except (Malformed, ValidationError, AttributeError) as error:
            log.warning("directory.passed_over", offset=record.offset, error=type(error).__name__)
