"""Customers of a running stack: a person with Telegram on the sandbox's phone, and a system that posts to the webhook."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web

from tests.e2e.accounts_file import add_tables
from tests.patience import SECONDS


def environment(stack: Any) -> dict[str, str]:
    """What a program of someone else needs to know."""
    return {"PARLEY_KAFKA": stack.addresses.kafka, "PARLEY_PREFIX": os.environ.get("PARLEY_PREFIX", "parley.")}


@dataclass
class Phone:
    """One person's chat with the sandbox's bot."""

    client: aiohttp.ClientSession
    chat: str

    async def says(self, text: str) -> None:
        async with self.client.post(f"{self.chat}/send", json={"text": text, "name": "សុខ ដារ៉ា"}) as answer:
            assert answer.status == 200, await answer.text()

    async def hears(self, text: str) -> dict[str, Any]:
        """The bot's message of these words; raises TimeoutError."""
        async with asyncio.timeout(SECONDS), self.client.get(f"{self.chat}/events") as stream:
            async for line in stream.content:
                if line.startswith(b"data:") and (view := json.loads(line[5:])):
                    message = view["message"]
                    if message["from"]["is_bot"] and message.get("text") == text:
                        return message
        raise AssertionError("the phone has gone")

    async def heard(self, text: str) -> int:
        """How often the bot has said it, and it stands there."""
        views = [view for view in await self._views() if not view.get("deleted")]
        return sum(view["message"]["from"]["is_bot"] and view["message"].get("text") == text for view in views)

    async def shows(self, text: str) -> dict[str, list[str]]:
        """The reactions at the message of these words, by whose they are."""
        (view,) = [view for view in await self._views() if view["message"].get("text") == text]
        shown: dict[str, list[str]] = view["reactions"]
        return shown

    async def _views(self) -> list[Any]:
        async with self.client.get(f"{self.chat}/messages") as answer:
            views: list[Any] = (await answer.json())["messages"]
        return views


@asynccontextmanager
async def phone(stack: Any) -> AsyncIterator[Phone]:
    """A new person."""
    async with aiohttp.ClientSession(headers=stack.bearer) as client:
        sandbox = f"{stack.addresses.sandbox}/phone/telegram"
        async with client.get(sandbox) as answer:
            bot = (await answer.json())["bots"][0]["id"]
        yield Phone(client, f"{sandbox}/{bot}/{random.randrange(10**6, 10**9)}")


@dataclass
class Partner:
    """A system behind the webhook channel: posts what its people write, is posted the answers."""

    client: aiohttp.ClientSession
    hook: str
    secret: str
    posts: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)

    async def says(self, person: str, text: str) -> None:
        event = {"id": str(uuid.uuid4()), "from": {"address": person}, "parts": [{"kind": "text", "text": text}]}
        body = json.dumps(event).encode()
        async with self.client.post(self.hook, data=body, headers=signed(self.secret, body)) as answer:
            assert answer.status == 200, await answer.text()

    async def hears(self, text: str) -> dict[str, Any]:
        """The post with these words; raises TimeoutError."""
        async with asyncio.timeout(SECONDS):
            while True:
                post = await self.posts.get()
                if post.get("part", {}).get("text") == text:
                    return post

    async def take(self, request: web.Request) -> web.Response:
        await self.posts.put(await request.json())
        return web.json_response({"external_ids": [request.headers["webhook-id"]]})


def signed(secret: str, body: bytes) -> dict[str, str]:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    name, at = f"msg_{uuid.uuid4().hex}", str(int(datetime.now(UTC).timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    tag = hmac.digest(key, f"{name}.{at}.".encode() + body, hashlib.sha256)
    return {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(tag).decode()}",
    }


@asynccontextmanager
async def partner(stack: Any, name: str) -> AsyncIterator[Partner]:
    """A new webhook app and account in the accounts file, which the running adapter takes up by itself."""
    async with aiohttp.ClientSession() as client:
        hook = f"{stack.http('chat_adapter')}/hooks/webhook/{name}"
        made = Partner(client, hook, "whsec_" + base64.b64encode(os.urandom(32)).decode())
        app = web.Application()
        app.router.add_post("/parley", made.take)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/parley"
        app_table, account = {"secret": made.secret}, {"url": url, "secret": made.secret}
        add_tables(stack.home, {f"apps.webhook.{name}": app_table, f"accounts.webhook.{name}": account})
        await known(client, hook)
        yield made
        await runner.cleanup()


async def known(client: aiohttp.ClientSession, hook: str) -> None:
    """Wait until the adapter has read the file: it answers 404 before, and asks for a signature after."""
    async with asyncio.timeout(SECONDS):
        while True:
            async with client.post(hook, data=b"{}") as answer:
                if answer.status == 401:
                    return
