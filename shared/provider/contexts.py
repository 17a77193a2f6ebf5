"""What a channel's functions may know of the world, made in one place: the time, chance, this installation's key."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from shared.contract.channel import Account, App, Channel, Context
from shared.runtime.settings import Settings


class Contexts:
    """Contexts of one process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def of(self, channel: Channel, owner: App | Account) -> Context:
        """What this channel may know now, of the app that receives or the account that sends."""
        return Context(now=datetime.now(UTC), nonce=secrets.token_hex(16), secret=self._settings.secret)
