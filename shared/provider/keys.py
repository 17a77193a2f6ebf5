"""The keys by which providers sign, kept as long as their answers allow, and asked for seldom, whatever strangers name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, Final

import structlog

from shared.contract.channel import App, Channel, Context
from shared.contract.errors import KeysUnavailable, Malformed, SendFailed
from shared.provider.calls import Caller, Principal
from shared.provider.drive import drive
from shared.runtime.lasting import spawn

log = structlog.get_logger(__name__)

SHORTEST: Final = timedelta(minutes=5)  # that keys are kept, and how long where the answer does not say it
LONGEST: Final = timedelta(hours=24)
AGAIN: Final = 60.0  # seconds between two questions of one app that has keys
SOON: Final = 5.0  # and of one that has none
PATIENCE: Final = 4.0  # seconds that a request waits for the answer: webhooks are answered within five


@dataclass(slots=True)
class _Held:
    """One app's keys; the times are the loop's."""

    app: App
    keys: Mapping[str, Any] = field(default_factory=dict)
    came: float = -inf
    good_until: float = -inf
    asked: float = -inf
    question: asyncio.Task[None] | None = None


class Keyring:
    """The keys of one process's apps."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._held: dict[tuple[str, str], _Held] = {}

    async def of(self, channel: Channel, app: App) -> Mapping[str, Any]:
        """Those that are kept; asked for where there are none or they are old. Old ones are good while the provider does not
        answer. Raises KeysUnavailable.
        """
        held = self._of(channel, app)
        if _now() >= held.good_until:
            await self._ask(held, channel)
        if not held.keys:
            raise KeysUnavailable(f"{channel.name}/{app.name}")
        return held.keys

    async def newer(self, channel: Channel, app: App) -> Mapping[str, Any]:
        """Those of the last minute, after a sender has named one that is not among them: who signs with a key has told it before.

        Raises KeysUnavailable where the provider does not say whether it has that key.
        """
        held = self._of(channel, app)
        if _now() >= (came := held.came) + AGAIN:
            await self._ask(held, channel)
            if held.came == came:
                raise KeysUnavailable(f"{channel.name}/{app.name}")
        return held.keys

    def _of(self, channel: Channel, app: App) -> _Held:
        """An app whose settings have changed begins anew."""
        held = self._held.get(name := (channel.name, app.name))
        if held is None or held.app != app:
            held = self._held[name] = _Held(app)
        return held

    async def _ask(self, held: _Held, channel: Channel) -> None:
        """One question at a time, for all who wait, and one a minute; whoever goes away does not end it."""
        if held.question is None or held.question.done():
            if _now() < held.asked + (AGAIN if held.keys else SOON):
                return
            held.asked = _now()
            held.question = spawn(self._fetch(held, channel), f"keys of {channel.name}")
        await asyncio.wait([held.question], timeout=PATIENCE)

    async def _fetch(self, held: _Held, channel: Channel) -> None:
        assert channel.keys is not None
        principal = Principal(channel=channel, account=held.app)
        try:
            found = await drive(
                channel.keys(held.app, Context(now=datetime.now(UTC))),
                channel=channel,
                ask=lambda request: self._caller.ask(request, principal),
            )
        except (SendFailed, Malformed) as error:
            log.warning("keys.not_fetched", channel=channel.name, app=held.app.name, error=error.detail)
            return
        if not found.value:
            log.warning("keys.not_fetched", channel=channel.name, app=held.app.name, error="no keys in the answer")
            return
        kept = min(max(found.expires_in or SHORTEST, SHORTEST), LONGEST)
        held.keys, held.came, held.good_until = found.value, _now(), _now() + kept.total_seconds()


def _now() -> float:
    return asyncio.get_running_loop().time()
