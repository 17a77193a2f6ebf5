"""Webhooks of Meta on their way: signed, several entries in one body where it is asked for, again until they are taken."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections import deque
from itertools import count
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from services.sandbox.faults import Control
from services.sandbox.graph.apps import Apps
from services.sandbox.shelf import Shelf
from services.sandbox.signals import Signal, happens
from shared.runtime.lasting import spawn

Json = dict[str, Any]
FIRST_PAUSE: Final = 0.5  # seconds, doubled with every failure
LONGEST_PAUSE: Final = 16.0
TIMEOUT: Final = ClientTimeout(total=60)
MOST: Final = 1000  # entries in one body


class Deliveries:
    """One task per lane (an app and a person) that has something waiting, so that one person's events stay in order."""

    def __init__(self, shelf: Shelf, control: Control, client: ClientSession, apps: Apps) -> None:
        self._shelf, self._control, self._client, self._apps = shelf, control, client, apps
        self._lanes: dict[str, deque[tuple[str, Json]]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._numbers = count(1 + max((int(key.partition("/")[2]) for key, _ in shelf.under("update/")), default=0))
        self.retry = Signal()
        self._idle = Signal()
        for key, update in shelf.under("update/"):
            self._queue(key, update)

    def tell(self, app: str, topic: str, *, lane: str, entry: Json) -> None:
        """Send this entry to the app; a body holds entries of one topic only."""
        key = f"update/{next(self._numbers)}"
        update = {"app": app, "topic": topic, "lane": f"{app}/{topic}/{lane}", "entry": entry}
        self._shelf.put(key, update)
        self._queue(key, update)

    def _queue(self, key: str, update: Json) -> None:
        """While bodies are gathered, all that an app is told waits in one lane."""
        gathers = self._control.faults.batch > 1
        name = f"{update['app']}/{update['topic']}" if gathers else update["lane"]
        self._lanes.setdefault(name, deque()).append((key, update))
        self._wake(name)

    def _wake(self, name: str) -> None:
        if name not in self._tasks and self._ready(name):
            task = self._tasks[name] = spawn(self._drain(name), "deliveries")
            task.add_done_callback(lambda ended: self._ended(ended, name))

    def _ready(self, name: str) -> bool:
        """Whether there are as many entries as one body shall have."""
        waiting = len(self._lanes.get(name, ()))
        return waiting > 0 and (not _gathers(name) or waiting >= self._control.faults.batch)

    def release(self) -> None:
        """Faults have changed: what was gathered may go."""
        for name in tuple(self._lanes):
            self._wake(name)

    def _ended(self, task: asyncio.Task[None], name: str) -> None:
        """What came after the task had looked for the last time gets a new one."""
        del self._tasks[name]
        self._idle.set()
        if not task.cancelled() and not task.exception():
            self._wake(name)

    async def settled(self, seconds: float) -> None:
        """When nothing is on its way any more, but after this many seconds at the latest."""
        while self._tasks and seconds > 0:
            idle = self._idle.next()
            if self._tasks and not await happens(idle, seconds):
                return

    async def close(self) -> None:
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drain(self, name: str) -> None:
        lane, pause = self._lanes[name], FIRST_PAUSE
        while self._ready(name):
            size = min(MOST, len(lane)) if _gathers(name) else 1
            updates = [lane[at] for at in range(size)]
            if await self._deliver([update for _, update in updates]):
                for key, _ in updates:
                    lane.popleft()
                    self._shelf.drop(key)
                pause = FIRST_PAUSE
            else:
                # An address that is set anew is tried at once.
                pause = FIRST_PAUSE if await happens(self.retry.next(), pause) else min(2 * pause, LONGEST_PAUSE)
        if not lane:
            self._lanes.pop(name, None)

    async def _deliver(self, updates: list[Json]) -> bool:
        app, topic = self._apps.get(updates[0]["app"]), updates[0]["topic"]
        if app is None or topic not in app["subscriptions"]:
            return True
        body = encode({"object": topic, "entry": [update["entry"] for update in updates]})
        address = app["subscriptions"][topic]["callback_url"]
        taken = await self._post(address, app["secret"], body)
        if taken and self._control.faults.twice:
            await self._post(address, app["secret"], body)
        return taken

    async def _post(self, address: str, secret: str, body: bytes) -> bool:
        """Whether the address answered 2xx."""
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
        try:
            async with self._client.post(
                address, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
            ) as answer:
                return 200 <= answer.status < 300
        except (ClientError, TimeoutError, OSError):
            return False


def _gathers(lane: str) -> bool:
    """Whether it is a lane of a whole app, not of one person: only such a one names no more than app and topic."""
    return lane.count("/") == 1


def encode(payload: Json) -> bytes:
    r"""As Meta writes JSON, so that only who checks the raw bytes gets the signature right: non-ASCII as \u, slashes as \/."""
    return json.dumps(payload, separators=(",", ":")).replace("/", "\\/").encode()
