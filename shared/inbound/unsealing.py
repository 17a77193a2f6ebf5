"""Between what was proved and what is published: a message that only its account's own keys open."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from shared.contract.channel import Account, Channel, Incoming, Malformed, Message, StaysSealed
from shared.contract.envelope import Unsupported
from shared.contract.readable import readable
from shared.provider.lookups import Lookups

SAID: Final = 300  # characters of why it stays so


class Unsealer:
    """Opens each with what its channel asks the provider for; once more with what is newer, where that was kept for a while."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups

    async def __call__(self, channel: Channel, account: Account, one: Incoming) -> Incoming:
        """What stays closed is `unsupported`, with the reason in words."""
        if not isinstance(one, Message) or one.sealed is None or channel.unseal is None or not channel.unseals(account):
            return one
        found = await self._lookups.of(channel, account, one.sealed.needs)
        opened = await asyncio.to_thread(_opened, channel, account, one, found)
        if isinstance(opened, StaysSealed):
            newer = await self._lookups.of(channel, account, one.sealed.needs, newer=True)
            if newer != found:
                opened = await asyncio.to_thread(_opened, channel, account, one, newer)
        return _closed(one, opened.detail) if isinstance(opened, StaysSealed) else opened


def _opened(channel: Channel, account: Account, one: Message, found: Mapping[str, Any]) -> Message | StaysSealed:
    assert channel.unseal is not None
    try:
        with readable():
            return replace(channel.unseal(account, one, found), sealed=None)
    except StaysSealed as closed:
        return closed
    except Malformed:
        return StaysSealed("It has another shape than is known.")


def _closed(one: Message, why: str) -> Message:
    parts = tuple(part.model_copy(update={"text": why[:SAID]}) if isinstance(part, Unsupported) else part for part in one.parts)  # fmt: skip
    return replace(one, parts=parts, sealed=None)
