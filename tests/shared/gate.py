"""The way in on a real port: what a provider posts, signed or not, and what then stands on the bus."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiohttp import ClientSession, web

from services.chat_adapter.registry import CHANNELS
from shared.bus.produce import Producer
from shared.contract.channel import Channel
from shared.contract.records import inbound_topic, ingress_dlq
from shared.inbound.accept import Intake
from shared.inbound.ingress import Ingress
from shared.inbound.unsealing import Unsealer
from shared.provider.calls import Caller
from shared.provider.contexts import Contexts
from shared.provider.exchange import Driver
from shared.provider.keys import Keyring
from shared.provider.lookups import Lookups
from shared.runtime.accounts import AccountsFile
from shared.runtime.observe import INGRESS
from shared.runtime.port import guard, open_port
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs
from tests.parts import make_parts
from tests.shared.broker import make_topics

KEY = b"the key of these tests, 32 bytes"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
INBOUND, DLQ = inbound_topic("chat"), ingress_dlq("chat")
ACCOUNTS = f"""
[apps.webhook.main]
secret = "{SECRET}"
[accounts.webhook.main]
url = "http://127.0.0.1:9/"
secret = "{SECRET}"
[apps.telegram.bot]
secret = "telegrams-word"
[accounts.telegram.bot]
token = "123456:AAbbccddeeffgghhiijjkkllmmnnooppqqr"
"""


def hello(**more: Any) -> dict[str, Any]:
    """An event of the generic webhook, with a new id."""
    said = {"type": "message", "id": uuid.uuid4().hex, "from": {"address": "ann"}}
    return said | {"parts": [{"kind": "text", "text": "hello"}]} | more


def sign(body: bytes, *, key: bytes = KEY, age: float = 0.0) -> dict[str, str]:
    """The headers of https://www.standardwebhooks.com for this body, `age` seconds old."""
    name, timestamp = uuid.uuid4().hex, str(int(time.time() - age))
    signature = hmac.digest(key, f"{name}.{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": name,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    }


@dataclass
class Gate:
    settings: Settings
    producer: Producer
    client: ClientSession
    address: str
    port: int

    async def post(self, event: object, *, headers: Mapping[str, str] | None = None, to: str = "webhook/main") -> int:
        """The status. `event`: a value, sent as JSON, or the body itself; signed, unless `headers` say otherwise."""
        body = event if isinstance(event, bytes) else orjson.dumps(event)
        given = sign(body) if headers is None else headers
        async with self.client.post(f"{self.address}/hooks/{to}", data=body, headers=dict(given)) as response:
            await response.read()
            return response.status


def counted(outcome: str, channel: str = "webhook") -> float:
    """How often the gate has counted this outcome."""
    return float(INGRESS.labels(channel, outcome)._value.get())


@asynccontextmanager
async def gate(
    settings: Settings,
    folder: Path,
    *,
    topics: bool = True,
    channels: Mapping[str, Channel] = CHANNELS,
    keyring: Keyring | None = None,
    caller: Caller | None = None,
) -> AsyncIterator[Gate]:
    """Ingress over the chat adapter's channels, at /hooks/webhook/main and /hooks/telegram/bot."""
    if topics:
        await make_topics(settings, partitions=2, names=[INBOUND, DLQ])
    path = folder / "accounts.toml"
    path.write_text(ACCOUNTS)
    settings = settings.model_copy(update={"blobs": (folder / "blobs").as_uri()})
    producer = Producer(settings)
    await producer.start()
    contexts = Contexts(settings, keyring=keyring)
    parts = make_parts(settings=settings, channels=channels, accounts=AccountsFile(path, channels), contexts=contexts)
    unsealer = Unsealer(Lookups(Driver(caller, contexts))) if caller else None
    ingress = Ingress(parts, Intake(settings, "chat", producer, Blobs.open(settings.blobs), unsealer))
    app = web.Application(client_max_size=4 * 1024 * 1024)
    guard(app, settings)
    app.add_routes(ingress.routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    server = await open_port(runner, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with ClientSession() as client:
        yield Gate(settings, producer, client, f"http://127.0.0.1:{port}", port)
    server.close()
    await runner.cleanup()
    await producer.stop()
