"""What one replica at a time does for each account: poll it, and tell the provider where to send."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from shared.adapter.states import States
from shared.contract.channel import Account, Channel
from shared.contract.errors import Malformed, SendFailed
from shared.inbound.accept import Intake
from shared.inbound.poll import Poller
from shared.provider.calls import Caller, Party
from shared.provider.contexts import Contexts
from shared.provider.drive import drive
from shared.runtime.accounts import AccountsFile
from shared.runtime.lasting import spawn
from shared.runtime.settings import Settings
from shared.storage.database import Pool
from shared.storage.leases import Leases

log = structlog.get_logger(__name__)

AGAIN: Final = 10.0  # seconds after a provider did not take our address


class Duties:
    """Begun anew whenever the accounts file changes."""

    def __init__(
        self,
        *,
        settings: Settings,
        channels: Mapping[str, Channel],
        accounts: AccountsFile,
        pool: Pool,
        intake: Intake,
        caller: Caller,
        contexts: Contexts,
        states: States,
    ) -> None:
        self._settings, self._channels, self._accounts = settings, channels, accounts
        self._pool, self._intake, self._caller, self._contexts, self._states = pool, intake, caller, contexts, states
        self._leases = Leases(pool)
        self._changed = asyncio.Event()
        accounts.on_change(lambda _accounts: self._changed.set())

    async def run(self) -> None:
        while True:
            self._changed.clear()
            tasks = [
                spawn(self._keep_serving(name, account), f"duties of {name}")
                for name, account in self._accounts.current.all()
            ]
            try:
                await self._changed.wait()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_serving(self, name: str, account: Account) -> None:
        """Begun again after what nobody foresaw: an account is not left alone, and takes no other along."""
        while True:
            try:
                await self._serve(name, account)
                return
            except (Exception, asyncio.CancelledError):
                if (task := asyncio.current_task()) and task.cancelling():
                    raise
                log.exception("duty.failed", channel=name, account=account.name)
            await asyncio.sleep(AGAIN)

    async def _serve(self, name: str, account: Account) -> None:
        channel = self._channels[name]
        await self._register(channel, account)
        if channel.poll is not None and channel.polled(account):
            poller = Poller(
                channel=channel,
                account=account,
                pool=self._pool,
                intake=self._intake,
                caller=self._caller,
                contexts=self._contexts,
            )
            await self._leases.run(poller.name, poller.run)

    async def _register(self, channel: Channel, account: Account) -> None:
        """Until the provider knows our address: it is the same for every replica, so each may say it."""
        app = self._accounts.current.app(channel.name, account.receiver)
        if channel.register is None or app is None or not self._settings.public_url:
            return
        address = f"{self._settings.public_url.rstrip('/')}/hooks/{channel.name}/{app.name}"
        party = Party(channel=channel, account=account)
        while True:
            context = await self._contexts.of(channel, account)
            steps = channel.register(app, account, address, context)
            try:
                await drive(steps, channel=channel, ask=lambda request: self._caller.ask(request, party))
                log.info("webhook.registered", channel=channel.name, account=account.name)
                self._states.note(channel.name, account.name, None)
                return
            except (SendFailed, Malformed) as error:
                code = error.reason if isinstance(error, SendFailed) else "malformed"
                log.warning("webhook.not_registered", channel=channel.name, account=account.name, code=code)
                if code == "auth":
                    self._states.fail(channel.name, account.name, code, error.detail)
            await asyncio.sleep(AGAIN)
