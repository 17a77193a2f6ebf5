"""What is done for an account before anybody writes: the provider is told where to send, asked what there is, or listened to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Final

import structlog

from shared.adapter.duties import Duty
from shared.adapter.states import States
from shared.contract.channel import Account, App, Channel
from shared.contract.errors import Malformed, SendFailed
from shared.inbound.accept import Intake
from shared.inbound.listen import Listener
from shared.inbound.poll import Poller
from shared.provider.calls import Principal
from shared.provider.parts import Parts
from shared.runtime.accounts import Accounts
from shared.storage.leases import Leases

log = structlog.get_logger(__name__)

AGAIN: Final = 10.0  # seconds after a provider did not take our address


class Serving:
    """A kind of duty: registered, where the channel can be, then polled, where the account is; and each of its sockets."""

    def __init__(self, parts: Parts, intake: Intake, states: States) -> None:
        self._parts, self._intake, self._states = parts, intake, states

    def duties(self, accounts: Accounts) -> Iterator[Duty]:
        for channel, account in self._parts.accounts_served(accounts):
            app = accounts.app(channel.name, account.receiver)
            yield self._duty(channel, app, account)
            for shard in range(channel.shards(account) if channel.socket else 0):
                yield self._listening(channel, app, account, shard)

    def _duty(self, channel: Channel, app: App | None, account: Account) -> Duty:
        async def work() -> None:
            if app is not None:
                await self._register(channel, app, account)
            if channel.poll is not None and channel.polled(account):
                await self._poll(channel, account)

        return Duty(name=f"serve {channel.name}/{account.name}", of=(app, account), work=work)

    async def _poll(self, channel: Channel, account: Account) -> None:
        """An owner of its own: while what ran before these settings has not ended, it has the lease."""
        poller = Poller(self._parts, self._intake, channel, account)
        await Leases(self._parts.pool).run(poller.name, poller.run)

    def _listening(self, channel: Channel, app: App | None, account: Account, shard: int) -> Duty:
        async def work() -> None:
            listener = Listener(self._parts, self._intake, channel, account, shard=shard, noticed=self._states.note)
            await Leases(self._parts.pool).run(listener.name, listener.run)

        return Duty(name=f"listen {channel.name}/{account.name}#{shard}", of=(app, account), work=work)

    async def _register(self, channel: Channel, app: App, account: Account) -> None:
        """Until the provider knows our address: it is the same for every replica, so each may say it."""
        if channel.register is None:
            return
        if not self._parts.contexts.plain(channel, account).hook:
            return
        principal = Principal(channel=channel, account=account)
        while True:
            try:
                await self._parts.drive(partial(channel.register, app, account), principal)
                log.info("webhook.registered", channel=channel.name, account=account.name)
                self._states.note(channel.name, account.name, None)
                return
            except (SendFailed, Malformed) as error:
                code = error.reason if isinstance(error, SendFailed) else "malformed"
                log.warning("webhook.not_registered", channel=channel.name, account=account.name, code=code)
                if code == "auth":
                    self._states.fail(channel.name, account.name, code, error.detail)
            await asyncio.sleep(AGAIN)
