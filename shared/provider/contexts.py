"""What a channel's functions may know of the world, made in one place: the time, chance, this installation's key, our addresses."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from functools import partial

from shared.contract.channel import Account, App, Channel, Context
from shared.contract.links import link
from shared.runtime.port import HOOK
from shared.runtime.settings import Settings


class Contexts:
    """Contexts of one process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def of(self, channel: Channel, owner: App | Account) -> Context:
        """What this channel may know now, of the app that receives or the account that sends."""
        now, base, secret = datetime.now(UTC), self._settings.public_url.rstrip("/"), self._settings.secret
        app = owner.name if isinstance(owner, App) else owner.receiver
        return Context(
            now=now,
            nonce=secrets.token_hex(16),
            secret=secret,
            hook=base and base + HOOK.format(channel=channel.name, app=app),
            link=partial(link, base=base, secret=secret, now=now),
        )
