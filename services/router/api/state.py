"""How the parts of the system are, as this router sees them: Kafka, PostgreSQL, and each service by the readers of its group."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, Literal, NamedTuple

import structlog
from aiohttp import web
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from services.router.api.answers import answer
from shared.bus.kafka import connection
from shared.contract.codes import FAMILIES
from shared.contract.records import ROUTER_GROUP, adapter_group
from shared.runtime.settings import Settings
from shared.storage.database import Pool
from shared.storage.sqlstates import is_waited_for

SECONDS: Final = 5.0  # how long one part is asked, and how long its answer stands for everyone
SERVICES: Final = (ROUTER_GROUP, *map(adapter_group, FAMILIES))

log = structlog.get_logger(__name__)

State = Literal["works", "away", "absent", "moving", "unknown"]


class Part(NamedTuple):
    """`away`: it does not answer. `absent`: nobody reads for it. `moving`: its readers are sharing their work anew."""

    name: str
    state: State


class Standing:
    """The parts, asked at most every few seconds however many pages are open."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self._settings, self._pool = settings, pool
        self._asking = asyncio.Lock()
        self._known: list[Part] = []
        self._until = 0.0

    async def parts(self) -> list[Part]:
        async with self._asking:
            if time.monotonic() >= self._until:
                database, readers = await asyncio.gather(self._database(), self._readers())
                self._known = [database, *readers]
                self._until = time.monotonic() + SECONDS
            return self._known

    async def _database(self) -> Part:
        try:
            async with asyncio.timeout(SECONDS):
                await self._pool.fetchval("SELECT 1")
        except Exception as error:
            if not is_waited_for(error):
                raise
            return Part("postgresql", "away")
        return Part("postgresql", "works")

    async def _readers(self) -> list[Part]:
        """Kafka, then each service; of the services nothing is known while Kafka is away."""
        admin = AIOKafkaAdminClient(**connection(self._settings))
        try:
            async with asyncio.timeout(SECONDS):
                await admin.start()
                states = [await self._group(admin, name) for name in SERVICES]
        except (KafkaError, OSError, TimeoutError) as error:
            log.info("kafka.away", error=repr(error))
            return [Part("kafka", "away"), *(Part(name, "unknown") for name in SERVICES)]
        finally:
            await admin.close()
        return [Part("kafka", "works"), *map(Part, SERVICES, states)]

    async def _group(self, admin: Any, name: str) -> State:
        """Of one group (https://kafka.apache.org/protocol#The_Messages_DescribeGroups): aiokafka misreads the answer about several."""
        try:
            (told,) = await admin.describe_consumer_groups([self._settings.topic(name)])
        except GroupCoordinatorNotAvailableError:
            return "unknown"  # a cluster makes what remembers its groups when it is first asked
        ((code, _, state, _, _, members, *_),) = told.groups
        if code:
            return "unknown"
        return "moving" if state.endswith("Rebalance") else "works" if members else "absent"


async def show_state(standing: Standing, request: web.Request) -> web.Response:
    """GET /api/state: {"parts": [{"name", "state"}]}: works, away, absent, moving or unknown."""
    return answer({"parts": [part._asdict() for part in await standing.parts()]})
