"""A router and a chat adapter as they live, in this process, with a provider on loopback: what goes in, what comes out."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from aiohttp import ClientSession, web

from deploy.local.home import choose_port
from services.chat_adapter.start import start as start_adapter
from services.router.start import start as start_router
from shared.bus import cloudevents
from shared.bus.produce import Producer
from shared.contract.envelope import Text
from shared.contract.records import EVENTS, REQUESTS, TOPICS
from shared.contract.requests import Reply
from shared.runtime.lifecycle import Life
from shared.runtime.settings import Settings
from tests.patience import SECONDS, until
from tests.promises.house import records_of
from tests.shared.gate import SECRET, hello, sign

STARTS = {"router": start_router, "chat_adapter": start_adapter}


@dataclass
class Living:
    """`received`: what the provider was sent, in order; while it is not `open`, it answers 503."""

    settings: Settings
    client: ClientSession
    lives: dict[str, Life] = field(default_factory=dict)
    tasks: dict[str, asyncio.Task[int]] = field(default_factory=dict)
    received: list[str] = field(default_factory=list)
    open: bool = True

    async def start(self, *names: str) -> None:
        for name in names or STARTS:
            given = self.settings.model_copy(update={"http_port": choose_port(set())})
            self.lives[name] = Life(name, given)
            self.tasks[name] = asyncio.create_task(self.lives[name].live(STARTS[name]))

    async def stop(self, *names: str) -> None:
        for name in names or tuple(self.tasks):
            self.lives.pop(name).end()
            assert await asyncio.wait_for(self.tasks.pop(name), SECONDS) == 0

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.lives[name].settings.http_port}"

    def unready(self, name: str) -> dict[str, str]:
        return self.lives[name].health.unready()

    def warned(self, name: str) -> dict[str, str]:
        return {check: said for check, ask in self.lives[name].health.warned.items() if (said := ask())}

    async def take(self, event: Any) -> None:
        """A webhook, until it is taken."""
        body = orjson.dumps(event)

        async def is_taken() -> bool:
            try:
                url = f"{self.address('chat_adapter')}/hooks/webhook/main"
                async with self.client.post(url, data=body, headers=sign(body)) as answer:
                    return answer.status == 200
            except OSError:
                return False

        await until(is_taken)

    async def say(self, text: str, *, address: str = "ann") -> None:
        await self.take(hello(**{"from": {"address": address}, "parts": [{"kind": "text", "text": text}]}))

    async def ask(self, conversation: str, text: str) -> str:
        """A reply as another system asks for it; its request id."""
        name = uuid.uuid4().hex
        asked = Reply(tenant="default", conversation=uuid.UUID(conversation), parts=(Text(text=text),))
        headers = cloudevents.headers(
            "request.reply", source="/test", id=name, time=datetime.now(UTC), tenant="default", subject=conversation
        )
        producer = Producer(self.settings)
        await producer.start()
        await producer.send(
            cloudevents.Out(self.settings.topic(REQUESTS), conversation.encode(), cloudevents.encode(asked), headers)
        )
        await producer.stop()
        return name

    async def events(self) -> list[dict[str, Any]]:
        """Everything on the events topic, each value with `type` and `id` from its headers."""
        found = []
        for record in await records_of(self.settings, EVENTS):
            headers = {name: value.decode() for name, value in record.headers}
            kind = headers["ce_type"].removeprefix("parley.").removesuffix(".v1")
            found.append(orjson.loads(record.value) | {"type": kind, "id": headers["ce_id"]})
        return found

    async def said(self) -> list[str]:
        """The texts of all messages that were received, by the events."""
        events = [one for one in await self.events() if "received" in one["type"]]
        return [part["text"] for one in events for part in one["message"]["parts"]]

    async def dead_letters(self) -> int:
        topics = [topic.name for topic in TOPICS if topic.name.endswith(".dlq")]
        return sum([len(await records_of(self.settings, topic)) for topic in topics])


@asynccontextmanager
async def living(settings: Settings) -> AsyncIterator[Living]:
    """Nothing runs yet; what runs at the end is stopped."""
    async with ClientSession() as client:
        system = Living(settings, client)

        async def receive(request: web.Request) -> web.Response:
            if not system.open:
                return web.Response(status=503)
            body = await request.json()
            system.received += [part["text"] for part in body.get("parts", [body.get("part", {})]) if "text" in part]
            return web.json_response({"id": uuid.uuid4().hex})

        app = web.Application()
        app.router.add_post("/", receive)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        Path(settings.accounts).write_text(
            f'[apps.webhook.main]\nsecret = "{SECRET}"\n[accounts.webhook.main]\nurl = "{url}"\nsecret = "{SECRET}"\n'
        )
        try:
            yield system
        finally:
            for life in system.lives.values():
                life.end()
            await asyncio.gather(*system.tasks.values(), return_exceptions=True)
            await runner.cleanup()
