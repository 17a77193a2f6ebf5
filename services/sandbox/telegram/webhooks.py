"""Updates on their way to a webhook: in order per chat, again until they are taken; what its answer asks for is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout

from services.sandbox.faults import Control
from services.sandbox.screens import Json
from services.sandbox.signals import happens
from services.sandbox.telegram.world import Bot, World
from shared.runtime.lasting import spawn

FIRST_PAUSE: Final = 0.5  # seconds, doubled with every failure
LONGEST_PAUSE: Final = 16.0
TIMEOUT: Final = ClientTimeout(total=60)


Perform = Callable[[Bot, Json], Awaitable[None]]


class Webhooks:
    """One task per chat that has something waiting; no more connections to a bot than it asked for."""

    def __init__(self, world: World, control: Control, client: ClientSession, perform: Perform) -> None:
        self._world, self._perform = world, perform
        self._control = control
        self._client = client
        self._tasks: dict[tuple[int, str], asyncio.Task[None]] = {}
        self._connections: dict[tuple[int, int], asyncio.Semaphore] = {}
        world.on_update = self.wake
        for bot in world.bots.values():
            for chat in bot.lanes:
                self.wake(bot, chat)

    def wake(self, bot: Bot, chat: str) -> None:
        key = bot.id, chat
        if bot.webhook and key not in self._tasks:
            task = self._tasks[key] = spawn(self._drain(bot, chat), "webhooks of a bot")
            task.add_done_callback(lambda ended: self._ended(ended, bot, chat))

    def _ended(self, task: asyncio.Task[None], bot: Bot, chat: str) -> None:
        """What came after the task had looked for the last time gets a new one."""
        del self._tasks[bot.id, chat]
        if not task.cancelled() and not task.exception() and bot.lanes[chat]:
            self.wake(bot, chat)

    async def close(self) -> None:
        for task in tuple(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _drain(self, bot: Bot, chat: str) -> None:
        lane, pause = bot.lanes[chat], FIRST_PAUSE
        while lane and bot.webhook:
            if lane[0]["update_id"] not in bot.waiting:  # taken by getUpdates, or dropped
                lane.popleft()
            elif await self._deliver(bot, lane[0]):
                bot.confirm(lane.popleft()["update_id"])
                pause = FIRST_PAUSE
            else:
                # A webhook that is set anew is tried at once.
                pause = FIRST_PAUSE if await happens(bot.poller.next(), pause) else min(2 * pause, LONGEST_PAUSE)

    async def _deliver(self, bot: Bot, update: Json) -> bool:
        taken = await self._post(bot, update)
        if taken and self._control.faults.twice:
            await self._post(bot, update)
        return taken

    async def _post(self, bot: Bot, update: Json) -> bool:
        """Whether the webhook answered 2xx: https://core.telegram.org/bots/api#setwebhook."""
        if not (hook := bot.webhook):
            return False
        headers = {"X-Telegram-Bot-Api-Secret-Token": hook["secret_token"]} if hook["secret_token"] else {}
        try:
            async with (
                self._slots(bot, hook["max_connections"]),
                self._client.post(
                    hook["url"], json=update, headers=headers, timeout=TIMEOUT, allow_redirects=False
                ) as answer,
            ):
                said = f"Wrong response from the webhook: {answer.status} {answer.reason}"
                taken = 200 <= answer.status < 300
                asked = await _asked(answer) if taken else None
        except (ClientError, TimeoutError, OSError) as error:
            taken, asked, said = False, None, f"Connection failed: {type(error).__name__}"
        if asked:
            await self._perform(bot, asked)
        if not taken:
            bot.last_error = {"last_error_date": int(time.time()), "last_error_message": said}
        return taken

    def _slots(self, bot: Bot, connections: int) -> asyncio.Semaphore:
        return self._connections.setdefault((bot.id, connections), asyncio.Semaphore(connections))


async def _asked(answer: ClientResponse) -> Json | None:
    """A call that stands in the answer: https://core.telegram.org/bots/api#making-requests-when-getting-updates."""
    body = await answer.read()
    try:
        asked = orjson.loads(body) if answer.content_type == "application/json" else None
    except ValueError:
        return None
    return asked if isinstance(asked, dict) and isinstance(asked.get("method"), str) else None
