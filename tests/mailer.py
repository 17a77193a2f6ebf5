"""A person with a mailbox at the sandbox, and the agents' side that answers: mail of a running stack from both its ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.patience import SECONDS


@dataclass
class Mailbox:
    """One person's. `home`: its address at the sandbox."""

    client: aiohttp.ClientSession
    address: str
    home: str

    async def writes(self, text: str, *, files: dict[str, bytes] = {}, **more: str) -> str:
        """Send a mail; its id in this mailbox. `more`: to, subject, in_reply_to, html, name."""
        form = aiohttp.FormData({"text": text, **more}, quote_fields=False)
        for name, data in files.items():
            form.add_field("file", data, filename=name, content_type="application/octet-stream")
        async with self.client.post(f"{self.home}/send", data=form) as answer:
            assert answer.status == 200, await answer.text()
            return str((await answer.json())["id"])

    async def mails(self) -> list[dict[str, Any]]:
        async with self.client.get(self.home) as answer:
            return list((await answer.json())["mails"])

    async def file(self, name: str) -> bytes:
        async with self.client.get(f"{self.home}/files/{name}") as answer:
            assert answer.status == 200
            return await answer.read()

    async def became(self, mail: str, status: str) -> dict[str, Any]:
        """The mail that the person sent, when its status begins so."""
        return await self._until(lambda one: one["id"] == mail and one.get("status", "").startswith(status))

    async def gets(self, text: str) -> dict[str, Any]:
        """The mail to this person whose text begins so."""
        return await self._until(lambda one: one["direction"] == "in" and one["text"].startswith(text))

    async def _until(self, wanted: Any) -> dict[str, Any]:
        async with asyncio.timeout(SECONDS), self.client.get(f"{self.home}/events") as stream:
            async for line in stream.content:
                if line.startswith(b"data:") and wanted(mail := json.loads(line[5:])):
                    return dict(mail)
        raise AssertionError("the sandbox has gone")


@dataclass
class Desk:
    """Agents, by the router's API."""

    client: aiohttp.ClientSession
    api: str

    async def conversations(self, peer: str) -> list[dict[str, Any]]:
        async with self.client.get(f"{self.api}/conversations", params={"limit": "200", "q": peer}) as answer:
            assert answer.status == 200, await answer.text()
            return [one for one in (await answer.json())["conversations"] if one["peer"] == peer]

    async def conversation(self, peer: str, *, messages: int = 1) -> tuple[str, list[dict[str, Any]]]:
        """The one conversation with this person and the messages received in it, when there are so many."""
        async with asyncio.timeout(SECONDS):
            while True:
                found = await self.conversations(peer)
                if found and len(received := await self.received(found[0]["id"])) >= messages:
                    assert len(found) == 1, "it is one conversation"
                    return found[0]["id"], received
                await asyncio.sleep(0.1)

    async def received_with(self, peer: str, words: str) -> dict[str, Any]:
        """The message of this person that says these words, in whichever conversation, when it is there."""
        async with asyncio.timeout(SECONDS):
            while True:
                for conversation in await self.conversations(peer):
                    for message in await self.received(conversation["id"]):
                        if words in message["parts"][0].get("text", ""):
                            return message
                await asyncio.sleep(0.1)

    async def texts(self, peer: str, *, count: int) -> list[str]:
        """What this person wrote in all conversations, oldest first, when there is so much: every new subject is a new one."""
        async with asyncio.timeout(SECONDS):
            while len(await self.conversations(peer)) < count:
                await asyncio.sleep(0.5)
            while True:
                found = [await self.received(one["id"]) for one in await self.conversations(peer)]
                messages = sorted((one for each in found for one in each), key=lambda one: one["received_at"])
                if len(messages) >= count:
                    return [str(one["parts"][0]["text"]).strip() for one in messages]
                await asyncio.sleep(0.2)

    async def received(self, conversation: str) -> list[dict[str, Any]]:
        events = await self.events(conversation)
        return [one["message"] for one in events if one["type"] == "message.received"]

    async def told(self, conversation: str, status: str) -> dict[str, Any]:
        """The event that says so of one of our messages, when it is there."""
        return await self._first(conversation, lambda event: event.get("status") == status)

    async def event(self, conversation: str, kind: str) -> dict[str, Any]:
        """The first of this type, when it is there."""
        return await self._first(conversation, lambda event: event["type"] == kind)

    async def _first(self, conversation: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(SECONDS):
            while not (found := [one for one in await self.events(conversation) if wanted(one)]):
                await asyncio.sleep(0.1)
        return found[0]

    async def events(self, conversation: str) -> list[dict[str, Any]]:
        """All of them in order, each with its type."""
        found: list[dict[str, Any]] = []
        while page := await self._events(conversation, after=found[-1]["sequence"] if found else 0):
            found += page
        return found

    async def _events(self, conversation: str, *, after: int) -> list[dict[str, Any]]:
        asked = {"after": str(after)}
        async with self.client.get(f"{self.api}/conversations/{conversation}", params=asked) as answer:
            assert answer.status == 200, await answer.text()
            return [{"type": one["type"], **one["data"]} for one in (await answer.json())["events"]]

    async def answers(self, conversation: str, *parts: dict[str, Any], **more: Any) -> None:
        asked = {"parts": parts, **more}
        async with self.client.post(f"{self.api}/conversations/{conversation}/reply", json=asked) as answer:
            assert answer.status == 202, await answer.text()

    async def keeps(self, name: str, data: bytes) -> dict[str, Any]:
        """Upload a file; the part that sends it."""
        headers = {"X-Filename": name, "Content-Type": "application/octet-stream"}
        async with self.client.post(f"{self.api}/media", data=data, headers=headers) as answer:
            assert answer.status == 201, await answer.text()
            return {"kind": "media", "media": "file", "state": "stored", **await answer.json()}

    async def blob(self, ref: str) -> bytes:
        async with self.client.get(f"{self.api}/media/{ref}") as answer:
            address = (await answer.json())["url"]
        async with self.client.get(self.api.removesuffix("/api") + address) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read()


@asynccontextmanager
async def town(stack: Any) -> AsyncIterator[tuple[aiohttp.ClientSession, Desk]]:
    async with aiohttp.ClientSession(headers=stack.bearer) as client:
        yield client, Desk(client, f"{stack.http('router')}/api")


def mailbox(client: aiohttp.ClientSession, stack: Any, address: str) -> Mailbox:
    return Mailbox(client, address, f"{stack.addresses.sandbox}/mailbox/{address}")
