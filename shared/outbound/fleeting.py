"""What is true for a moment: that someone types, and an answer as far as it is written. Shown as well as it goes, never stored."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, Protocol

import structlog

from shared.contract.channel import Account, Channel, Piece, TypingMark
from shared.contract.deliveries import Growing, Typing
from shared.contract.errors import ParleyError, SendFailed
from shared.contract.fit import fit
from shared.outbound.ledger import GROWS_WITHIN, Ledger
from shared.outbound.sending import piece_of
from shared.provider.calls import Principal
from shared.provider.parts import Parts
from shared.runtime.lasting import spawn

log = structlog.get_logger(__name__)

TRUE_FOR: Final = timedelta(seconds=10)  # older than this it is shown no more
TYPING_AT_ONCE: Final = 50
GROWING_AT_ONCE: Final = 500
TYPING_EVERY: Final = timedelta(seconds=4)  # while an answer grows where only that can be shown


class OwnShowing(Protocol):
    """A service's own way, which leaves nothing behind."""

    async def typing(self, account: Account, peer: str) -> None: ...

    async def grow(self, account: Account, piece: Piece) -> None: ...


class Fleeting:
    """Nobody waits for what is shown here, nothing is tried again. `own`: a service's own ways, by channel."""

    def __init__(self, parts: Parts, ledger: Ledger, *, own: Mapping[str, OwnShowing]) -> None:
        self._parts, self._ledger, self._own = parts, ledger, own
        self._typing: set[asyncio.Task[None]] = set()
        self._growing: dict[uuid.UUID, Growing | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def show(self, record: Typing | Growing) -> None:
        """At once or not at all; of an answer that grows faster than it may be shown, the newest text, when its turn comes."""
        if datetime.now(UTC) - record.occurred_at >= TRUE_FOR:
            return
        if isinstance(record, Typing):
            if len(self._typing) < TYPING_AT_ONCE:
                _keep(self._typing, spawn(self._type(record), "typing"))
        elif record.id in self._growing:
            self._growing[record.id] = record
        elif len(self._growing) < GROWING_AT_ONCE:
            self._growing[record.id] = record
            _keep(self._tasks, spawn(self._grow(record.id), "growing"))

    def stop(self) -> None:
        """Nothing more is shown by this process."""
        for task in (*self._typing, *self._tasks):
            task.cancel()

    async def _type(self, mark: Typing | Growing) -> None:
        """Nobody misses a typing mark."""
        if (route := self._parts.route(mark.tenant, mark.channel, mark.account)) is None:
            return
        channel, account = route
        try:
            if own := self._own.get(channel.name):
                await own.typing(account, mark.peer)
            elif channel.typing:
                await self._parts.drive(
                    partial(channel.typing, account, _mark(mark)), Principal(channel=channel, account=account)
                )
        except ParleyError as error:
            log.info("typing.failed", channel=channel.name, error=type(error).__name__)

    async def _grow(self, answer: uuid.UUID) -> None:
        """One answer, one showing after the other, with a pause between them, until nothing new has come."""
        try:
            while record := self._growing[answer]:
                self._growing[answer] = None
                await asyncio.sleep((await self._show(record)).total_seconds())
        finally:
            del self._growing[answer]

    async def _show(self, answer: Growing) -> timedelta:
        """How long to wait before the next."""
        if (route := self._parts.route(answer.tenant, answer.channel, answer.account)) is None:
            return TYPING_EVERY
        channel, account = route
        able = channel.capabilities_of(account)
        if able.grows is None or able.shown(answer.surface, answer.way) is able.comment:
            await self._type(answer)
            return TYPING_EVERY
        try:
            await self._show_on(channel, account, answer)
        except SendFailed as failed:
            log.info("growing.failed", channel=channel.name, error=failed.detail)
            return max(able.grows, failed.retry_after or able.grows)
        except (ParleyError, TimeoutError) as error:
            log.info("growing.failed", channel=channel.name, error=type(error).__name__)
        return able.grows

    async def _show_on(self, channel: Channel, account: Account, answer: Growing) -> None:
        """As much as one piece holds. Where its beginning has no answer nobody knows what stands there: it grows no further."""
        if (grown := await self._ledger.begin_growing(answer.id)) is None:
            return
        able, name = channel.capabilities_of(account), grown.name
        try:
            part = fit(answer.parts, able.shown(answer.surface, answer.way)).pieces[0]
            piece = piece_of(answer, part, able, number=0, grown=name or None)
            async with asyncio.timeout(GROWS_WITHIN.total_seconds()):
                name = await self._grow_by(channel, account, piece)
        finally:
            await self._ledger.end_growing(answer.id, name)

    async def _grow_by(self, channel: Channel, account: Account, piece: Piece) -> str:
        if own := self._own.get(channel.name):
            await own.grow(account, piece)
        if channel.grow is None:
            return ""
        return await self._parts.drive(
            partial(channel.grow, account, piece), Principal(channel=channel, account=account, peer=piece.to)
        )


def _mark(mark: Typing | Growing) -> TypingMark:
    if isinstance(mark, Typing):
        return TypingMark(to=mark.peer, reply_to=mark.reply_to, thread_key=mark.thread_key)
    newest = mark.thread.references[-1] if mark.thread.references else None
    return TypingMark(to=mark.peer, reply_to=newest, thread_key=mark.thread.thread_key)


def _keep(tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
    tasks.add(task)
    task.add_done_callback(tasks.discard)
