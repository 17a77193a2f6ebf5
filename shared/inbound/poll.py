"""Channels that are asked instead of telling us: one replica polls, and the cursor moves when the records are durable."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from shared.contract.channel import Account, Asked, Channel, Context, Http, Polled
from shared.contract.errors import (
    BusUnavailable,
    DatabaseUnavailable,
    Malformed,
    ParleyError,
    SendFailed,
    StoreUnavailable,
    TooLarge,
)
from shared.inbound.accept import Intake
from shared.inbound.cursor import Cursor
from shared.provider.calls import Principal
from shared.provider.parts import Parts

log = structlog.get_logger(__name__)

PAUSE: Final = timedelta(seconds=5)  # after something went wrong


class Poller:
    """One account's poll, under the lease of that name."""

    def __init__(self, parts: Parts, intake: Intake, channel: Channel, account: Account) -> None:
        self._channel, self._account = channel, account
        self._intake, self._caller, self._contexts, self._drive = intake, parts.caller, parts.contexts, parts.drive
        self._cursor = Cursor(parts.pool, channel.name, account.name, self.name)
        self._principal = Principal(channel=channel, account=account, before=self._count, polling=True)
        self._spent = 0  # units of the channel's quota, by the turn under way

    @property
    def name(self) -> str:
        return f"poll {self._channel.name}/{self._account.name}"

    async def run(self, epoch: int) -> None:
        """Until the lease is lost: ask, publish, move the cursor."""
        while True:
            pause = await self.step(epoch)
            await asyncio.sleep(pause.total_seconds())

    async def step(self, epoch: int) -> timedelta:
        """One turn, whatever comes of it: how long to wait before the next. What a turn spends of a quota lasts for the day."""
        self._spent = 0
        try:
            page = await self.turn(epoch)
            return max(page.again_in, await self._caller.pause(self._spent, self._principal))
        except (SendFailed, BusUnavailable, StoreUnavailable, DatabaseUnavailable, Malformed) as error:
            log.warning("poll.waiting", name=self.name, error=str(error))
            return await self._pause_after(error)

    async def _pause_after(self, error: ParleyError) -> timedelta:
        asked = (error.retry_after if isinstance(error, SendFailed) else None) or timedelta(0)
        try:
            return max(PAUSE, asked, await self._caller.pause(self._spent, self._principal))
        except SendFailed:
            return max(PAUSE, asked)

    async def _count(self, request: Asked) -> None:
        self._spent += request.cost if isinstance(request, Http) else 0

    async def turn(self, epoch: int) -> Polled:
        """One page: durable on the bus first, then the cursor; a crash between them reads the page again, to the same ids."""
        assert self._channel.poll is not None
        cursor = await self._cursor.read()
        page = await self._drive(partial(self._channel.poll, self._account, cursor), self._principal)
        await self._take(page, self._contexts.plain(self._channel, self._account))
        if page.cursor != cursor:
            await self._cursor.move(page.cursor, epoch)
        return page

    async def _take(self, page: Polled, context: Context) -> None:
        """What cannot be taken is kept with its page, and holds up nothing behind it."""
        try:
            await self._intake.take_page(self._channel, self._account, page.records, page.page, context)
        except (Malformed, TooLarge) as error:
            await self._intake.dead_letters.keep_page(self._channel, self._account, page.page, error)
