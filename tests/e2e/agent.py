"""An agent of a running stack: asks by the router's API, and hears on the topic of events what becomes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp

from tests.customers import Town
from tests.e2e.listener import Listener, listening
from tests.e2e.people import SECONDS

Json = dict[str, Any]


@dataclass
class Agent:
    """`town`: the customers' side of the same stack."""

    stack: Any
    town: Town
    listener: Listener

    async def asks(self, path: str, **body: Any) -> Json:
        address = f"{self.stack.http('router')}/api/{path}"
        async with self.town.client.post(address, json=body, headers=self.stack.bearer) as answer:
            assert answer.status == 202, await answer.text()
            return dict(await answer.json())

    async def answers(self, heard: Json, *parts: Json, **more: Any) -> str:
        """In the conversation of this event; the id of the answer."""
        asked = await self.asks(f"conversations/{heard['conversation']}/reply", parts=list(parts), **more)
        return str(asked["message_id"])

    async def uploads(self, data: bytes, kind: str, *, mime_type: str = "image/png") -> Json:
        """The part that sends these bytes."""
        address, head = f"{self.stack.http('router')}/api/media", {**self.stack.bearer, "Content-Type": mime_type}
        async with self.town.client.post(address, data=data, headers=head) as answer:
            assert answer.status == 201, await answer.text()
            return {"kind": "media", "media": kind, "state": "stored", **await answer.json()}

    async def hears(self, words: str) -> Json:
        """The event of the message with these words."""
        return await self.listener.first("message.received", lambda event: said(event) == words.strip())

    async def status(self, message: str, *wanted: str) -> Json:
        return await self.listener.first(
            "message.status", lambda event: event["message_id"] == message and event["status"] in wanted
        )

    def statuses(self, message: str) -> list[str]:
        """All that was told of it until now."""
        told = (one for one in self.listener.events if one["type"] == "message.status")
        return [one["status"] for one in told if one["message_id"] == message]

    def received(self, conversation: str) -> list[str]:
        """The words of all messages that were received in it until now."""
        heard = (one for one in self.listener.events if one["type"] == "message.received")
        return [said(one) for one in heard if one["conversation"] == conversation]


Working = TypeVar("Working", bound=Agent)


@asynccontextmanager
async def at_work(stack: Any, hire: Callable[[Any, Town, Listener], Working]) -> AsyncIterator[Working]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as client:
        async with listening(stack.addresses.kafka) as listener:
            yield hire(stack, Town(stack.home, stack.addresses, client), listener)


def said(event: Json) -> str:
    return str(event["message"]["parts"][0].get("text", "")).strip()


def text(words: str) -> Json:
    return {"kind": "text", "text": words}
