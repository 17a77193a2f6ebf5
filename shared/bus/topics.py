"""Topics as data: what is there, what should be, and the steps between."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final, Literal

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from shared.bus.joining import start
from shared.bus.kafka import connection
from shared.contract.errors import BusUnavailable
from shared.contract.records import TOPICS, Topic
from shared.runtime.settings import Settings

SECONDS: Final = 20.0  # until a cluster that is there has answered


@dataclass(frozen=True)
class Change:
    """One step of a plan. `never`: something that only people may do, such as widening a keyed topic."""

    kind: Literal["create", "configure", "never"]
    topic: str
    detail: str


def wanted(settings: Settings) -> dict[str, Topic]:
    """Every topic by its full name, with the durability that this many replicas allow."""
    safe = {"min.insync.replicas": "2"} if settings.replication > 1 else {}
    return {settings.topic(t.name): Topic(t.name, {**t.config, **safe}) for t in TOPICS}


async def plan(settings: Settings) -> list[Change]:
    """What `apply` would do; empty: all is as it should be. Raises BusUnavailable."""
    async with _Admin(settings) as admin:
        return await _plan(admin, settings)


async def apply(settings: Settings) -> list[Change]:
    """Do it, and say what was done; what is `never` is left alone. Raises BusUnavailable."""
    topics = wanted(settings)
    async with _Admin(settings) as admin:
        changes = await _plan(admin, settings)
        missing = [change.topic for change in changes if change.kind == "create"]
        if missing:
            await _create(admin, settings, {name: topics[name] for name in missing})
        for change in changes:
            if change.kind == "configure":
                await admin.alter_configs(
                    [ConfigResource(ConfigResourceType.TOPIC, change.topic, dict(topics[change.topic].config))]
                )
    return changes


async def _create(admin: Any, settings: Settings, topics: dict[str, Topic]) -> None:
    made = await admin.create_topics(
        [
            NewTopic(name, settings.partitions, settings.replication, topic_configs=dict(topic.config))
            for name, topic in topics.items()
        ]
    )
    for name, code, *message in made.topic_errors:
        if code not in {0, TopicAlreadyExistsError.errno}:
            raise BusUnavailable(f"{name}: {message}")
    while topics.keys() - set(await admin.list_topics()):  # noqa: ASYNC110 Kafka has no event to wait for
        await asyncio.sleep(0.1)


async def _plan(admin: Any, settings: Settings) -> list[Change]:
    topics = wanted(settings)
    present = {info["topic"]: info for info in await admin.describe_topics() if info["topic"] in topics}
    changes = [Change("create", name, f"{settings.partitions} partitions") for name in topics if name not in present]
    for name, info in present.items():
        if len(info["partitions"]) != settings.partitions:
            detail = (
                f"has {len(info['partitions'])} partitions, not {settings.partitions}; a keyed topic is never widened"
            )
            changes.append(Change("never", name, detail))
    found = await _configs(admin, list(present))
    for name in present:
        wrong = {k: v for k, v in topics[name].config.items() if found.get(name, {}).get(k) != v}
        if wrong:
            changes.append(Change("configure", name, ", ".join(f"{k}={v}" for k, v in sorted(wrong.items()))))
    return changes


async def _configs(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }


async def knows_controller(admin: Any) -> None:
    """Wait until a cluster that has just started has told who its controller is: aiokafka fails without a word before."""
    while admin._client.cluster.controller is None:
        await asyncio.sleep(0.1)
        await admin._client.force_metadata_update()


class _Admin:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=20_000)

    async def __aenter__(self) -> Any:
        await start(self._client, self._settings, seconds=SECONDS)
        try:
            async with asyncio.timeout(SECONDS):
                await knows_controller(self._client)
        except (KafkaError, OSError, TimeoutError) as error:
            await self._client.close()
            raise BusUnavailable(type(error).__name__) from error
        return self._client

    async def __aexit__(self, *_error: object) -> None:
        await self._client.close()
