"""What a channel's functions may know of the world, made in one place: time, chance, keys, access token, our key and addresses."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from shared.contract.channel import Account, App, Channel, Context
from shared.contract.links import link
from shared.provider.credentials import Credentials
from shared.provider.keys import Keyring
from shared.runtime.port import HOOK
from shared.runtime.settings import Settings


class Contexts:
    """Contexts of one process. Without a keyring there are no channels with keys, without credentials none with tokens."""

    def __init__(
        self, settings: Settings, *, keyring: Keyring | None = None, credentials: Credentials | None = None
    ) -> None:
        self._settings, self._keyring, self._credentials = settings, keyring, credentials

    def plain(self, channel: Channel, owner: App | Account) -> Context:
        """What is known without asking anybody: no keys and no access token."""
        now, base, secret = datetime.now(UTC), self._settings.public_url.rstrip("/"), self._settings.secret
        app = owner.name if isinstance(owner, App) else owner.receiver
        return Context(
            now=now,
            nonce=secrets.token_hex(16),
            secret=secret,
            hook=base and base + HOOK.format(channel=channel.name, app=app),
            link=partial(link, base=base, secret=secret, now=now),
        )

    async def of(self, channel: Channel, owner: App | Account) -> Context:
        """What this channel may know now, of the app that receives or the account that sends.

        Raises KeysUnavailable where what the app's provider signs with is not known, SendFailed (unreachable) where the
        account has no access token at the moment.
        """
        context = self.plain(channel, owner)
        if self._keyring and channel.keys and isinstance(owner, App):
            return replace(context, keys=await self._keyring.of(channel, owner))
        if self._credentials and isinstance(owner, Account) and channel.refreshes(owner):
            return replace(context, token=await self._credentials.token(channel, owner))
        return context

    async def newer(self, channel: Channel, app: App, context: Context) -> Context:
        """The context with newer keys, after `verify` did not find the key that was named. Raises KeysUnavailable."""
        return replace(context, keys=await self._keyring.newer(channel, app)) if self._keyring else context

    async def replaces(self, channel: Channel, owner: App | Account, context: Context) -> bool:
        """The provider refused this context's access token: whether there is another now, or soon."""
        if not (self._credentials and isinstance(owner, Account) and channel.refreshes(owner)):
            return False
        return await self._credentials.refused(channel, owner, context.token)
