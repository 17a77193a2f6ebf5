"""What a channel's functions may know of the world, made in one place: the time, chance, fetched keys, our key and addresses."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from shared.contract.channel import Account, App, Channel, Context
from shared.contract.links import link
from shared.provider.keys import Keyring
from shared.runtime.port import HOOK
from shared.runtime.settings import Settings


class Contexts:
    """Contexts of one process. Without a keyring there are no channels with keys."""

    def __init__(self, settings: Settings, *, keyring: Keyring | None = None) -> None:
        self._settings, self._keyring = settings, keyring

    async def of(self, channel: Channel, owner: App | Account) -> Context:
        """What this channel may know now, of the app that receives or the account that sends.

        Raises KeysUnavailable where what the app's provider signs with is not known.
        """
        keys: Mapping[str, Any] = {}
        if self._keyring and channel.keys and isinstance(owner, App):
            keys = await self._keyring.of(channel, owner)
        now, base, secret = datetime.now(UTC), self._settings.public_url.rstrip("/"), self._settings.secret
        app = owner.name if isinstance(owner, App) else owner.receiver
        return Context(
            now=now,
            nonce=secrets.token_hex(16),
            keys=keys,
            secret=secret,
            hook=base and base + HOOK.format(channel=channel.name, app=app),
            link=partial(link, base=base, secret=secret, now=now),
        )

    async def newer(self, channel: Channel, app: App, context: Context) -> Context:
        """The context with newer keys, after `verify` did not find the key that was named. Raises KeysUnavailable."""
        return replace(context, keys=await self._keyring.newer(channel, app)) if self._keyring else context
