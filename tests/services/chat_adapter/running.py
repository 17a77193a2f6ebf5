"""Web chat as a service runs it, in this process: real Kafka, real PostgreSQL, a real port; an agent's side to answer from."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from aiohttp import ClientSession, web
from aiokafka import AIOKafkaConsumer
from pydantic import SecretStr

from deploy.local.home import Addresses, choose_port
from services.chat_adapter.webchat.channel import CHANNEL, Account
from services.chat_adapter.webchat.live import Live
from services.chat_adapter.webchat.server import WebChat, routes
from services.chat_adapter.webchat.transcript import Transcript
from shared.bus import topics
from shared.bus.produce import Producer
from shared.contract.channel import Piece, Sent
from shared.contract.deliveries import Outbound
from shared.contract.envelope import Part, Text
from shared.contract.records import DELIVERY, inbound_topic
from shared.enrich.afterwards import Afterwards
from shared.inbound.accept import Intake
from shared.runtime.accounts import AccountsFile
from shared.runtime.port import guard, open_port
from shared.runtime.settings import Settings
from shared.storage import migrate
from shared.storage.blobs import Blobs
from shared.storage.database import open_pool
from tests.parts import make_parts
from tests.patience import SECONDS

SECRET = "a secret of this test, long enough"
IDENTITY_SECRET = "what the site signs its users with"


@dataclass
class Running:
    """A running web chat. `base`: http://127.0.0.1:port/webchat/shop."""

    settings: Settings
    chat: WebChat
    pool: Any
    client: ClientSession
    port: int
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    runner: web.AppRunner | None = None
    server: asyncio.Server | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base(self) -> str:
        return f"{self.origin}/webchat/shop"

    @property
    def account(self) -> Account:
        found = self.chat.accounts.current.account("webchat", "shop")
        assert isinstance(found, Account)
        return found

    async def serve(self) -> None:
        app = web.Application()
        guard(app, self.settings)
        app.add_routes(routes(self.chat))

        async def dismiss(_app: web.Application) -> None:
            self.chat.live.dismiss()

        app.on_shutdown.append(dismiss)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
        await self.runner.setup()
        self.server = await open_port(self.runner, "127.0.0.1", self.port)

    async def go_away(self) -> None:
        assert self.runner
        assert self.server
        self.server.close()
        await self.runner.cleanup()

    async def answer(self, peer: str, *parts: Part, author: str | None = None) -> list[Sent]:
        """What an agent sends, as the adapter's outbound half gives it to the transcript."""
        return [
            await self.chat.transcript.send(self.account, self.piece(peer, part), self.outbound(peer, part, author))
            for part in parts
        ]

    def piece(self, peer: str, part: Part) -> Piece:
        return Piece(id=str(uuid.uuid4()), to=peer, part=part)

    def outbound(self, peer: str, part: Part, author: str | None = None) -> Outbound:
        return Outbound(
            id=uuid.uuid4(),
            tenant="default",
            channel="webchat",
            account="shop",
            peer=peer,
            conversation=uuid.uuid4(),
            sequence=1,
            request_id="r",
            parts=(part,),
            author=author,
            requested_at=datetime.now(UTC),
        )

    # a visitor's program ---------------------------------------------------------------------------------------------

    async def ask(self, method: str, path: str, *, token: str = "", **given: Any) -> tuple[int, Any, Any]:
        """Status, JSON body (None without one), headers."""
        headers = {"Origin": self.origin, **given.pop("headers", {})}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        headers = {name: value for name, value in headers.items() if value is not None}
        async with self.client.request(method, f"{self.base}/{path}", headers=headers, **given) as response:
            body = await response.read()
            return response.status, json.loads(body) if body.startswith((b"{", b"[")) else None, response.headers

    async def session(self, **body: Any) -> dict[str, Any]:
        status, opened, _ = await self.ask("POST", "session", json=body)
        assert status == 200, opened
        return dict(opened)

    async def history(self, token: str, **query: Any) -> list[dict[str, Any]]:
        status, page, _ = await self.ask("GET", "messages", token=token, params=query)
        assert status == 200, page
        return list(page["messages"])

    async def shown(self, token: str, count: int) -> list[dict[str, Any]]:
        """The history, when it has this many lines."""
        async with asyncio.timeout(SECONDS):
            while len(lines := await self.history(token)) < count:
                await asyncio.sleep(0.05)
        return lines

    async def records(self, topic: str) -> list[dict[str, Any]]:
        """Everything on a topic: its values, with the CloudEvents type in "ce_type"."""
        consumer = AIOKafkaConsumer(
            self.settings.topic(topic), bootstrap_servers=self.settings.kafka, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            ends = await consumer.end_offsets(consumer.assignment())
            found = []
            for partition, end in ends.items():
                while await consumer.position(partition) < end:
                    batch = await consumer.getmany(partition, timeout_ms=500)
                    found += [record for records in batch.values() for record in records]
            found.sort(key=lambda record: record.timestamp)
            return [json.loads(r.value) | {"ce_type": dict(r.headers)["ce_type"].decode()} for r in found]
        finally:
            await consumer.stop()

    async def inbound(self) -> list[dict[str, Any]]:
        return await self.records(inbound_topic("chat"))

    async def deliveries(self) -> list[dict[str, Any]]:
        return await self.records(DELIVERY)


@asynccontextmanager
async def world_of(servers: Addresses, folder: Path) -> AsyncIterator[Settings]:
    """A database with this adapter's tables and a set of topics, for all tests of a module."""
    name = f"webchat_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(servers.database)
    await connection.execute(f"CREATE DATABASE {name}")
    settings = Settings(
        kafka=servers.kafka,
        database=SecretStr(servers.database.rpartition("/")[0] + "/" + name),
        blobs=(folder / "blobs").as_uri(),
        accounts=str(folder / "accounts.toml"),
        prefix=f"{name}.",
        partitions=3,
        replication=1,
        session_seconds=20,
    )
    await asyncio.to_thread(migrate.upgrade, settings, "chat_adapter")
    await topics.apply(settings)
    yield settings
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@asynccontextmanager
async def running(settings: Settings, **app: Any) -> AsyncIterator[Running]:
    """Start everything in a world whose topics and tables are there; `app`: settings of the one app, "shop"."""
    accounts = accounts_file(Path(settings.accounts), **app)
    producer = Producer(settings)
    await producer.start()
    async with open_pool(settings, "chat_adapter") as pool, ClientSession() as client:
        transcript = Transcript(pool)
        chat = WebChat(
            accounts=accounts,
            intake=Intake(settings, "chat", producer, Blobs.open(settings.blobs)),
            blobs=Blobs.open(settings.blobs),
            transcript=transcript,
            live=Live(transcript, settings.database),
        )
        reader = Afterwards(make_parts(settings=settings, producer=producer), followers=[transcript])
        started = Running(settings, chat, pool, client, choose_port(set()))
        started.tasks = [asyncio.create_task(work) for work in (reader.run(), chat.live.run(), producer.tend())]
        await started.serve()
        try:
            yield started
        finally:
            await started.go_away()
            for task in started.tasks:
                task.cancel()
            with suppress(Exception):
                await asyncio.gather(*started.tasks, return_exceptions=True)
            await producer.stop()


def accounts_file(path: Path, **app: Any) -> AccountsFile:
    said = {"secret": SECRET, "identity_secret": IDENTITY_SECRET, "demo": True, **app}
    lines = ["[apps.webchat.shop]", *(f"{name} = {json.dumps(value)}" for name, value in said.items())]
    path.write_text("\n".join([*lines, "", "[accounts.webchat.shop]", ""]))
    return AccountsFile(path, {CHANNEL.name: CHANNEL})


def text(words: str) -> Text:
    return Text(text=words)
