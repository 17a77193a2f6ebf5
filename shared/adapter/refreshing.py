"""Access tokens that a provider gives for a while are refreshed before they end, by one replica, and known to all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from pydantic import SecretStr

from shared.adapter.duties import Duty
from shared.adapter.states import States
from shared.contract.channel import Account, Channel, Token
from shared.contract.codes import Failure
from shared.contract.errors import DatabaseUnavailable, Malformed, SendFailed
from shared.provider.calls import Principal
from shared.provider.credentials import Credential, lease_name
from shared.provider.drive import drive
from shared.provider.parts import Parts
from shared.runtime.accounts import Accounts
from shared.runtime.observe import TOKENS
from shared.storage.leases import SECONDS as LEASE, Leases

log = structlog.get_logger(__name__)

LOOK: Final = 5.0  # seconds between two looks at what is stored: another replica refreshes, or asks for it
WITHIN: Final = LEASE - 5  # seconds for a refresh, which the lease must outlive
PAUSES: Final = (timedelta(seconds=10), timedelta(minutes=10))  # after a try that failed: doubling, from and up to


class Refreshing:
    """A kind of duty: the token of each account whose token ends."""

    def __init__(self, parts: Parts, states: States) -> None:
        self._parts, self._caller, self._contexts = parts, parts.caller, parts.contexts
        self._credentials, self._states, self._leases = parts.credentials, states, Leases(parts.pool)
        self._ill: set[tuple[str, str]] = set()  # by our word; what a send found out is not ours to take back

    def duties(self, accounts: Accounts) -> Iterator[Duty]:
        for channel, account in self._parts.accounts_served(accounts):
            if channel.refreshes(account):
                yield self._duty(channel, account)

    def _duty(self, channel: Channel, account: Account) -> Duty:
        async def work() -> None:
            try:
                while True:
                    await self._turn(channel, account)
                    await asyncio.sleep(LOOK)
            finally:
                self._states.expires(channel.name, account.name, None)
                self._ill.discard((channel.name, account.name))

        return Duty(name=f"refresh {channel.name}/{account.name}", of=(account,), work=work)

    async def _turn(self, channel: Channel, account: Account) -> None:
        """Every replica looks and tells how the account is; who gets the lease refreshes."""
        try:
            stored = await self._credentials.load(channel, account)
            if stored.due_at <= datetime.now(UTC) and (epoch := await self._leases.take(lease_name(channel, account))):
                try:
                    await self._refresh(channel, account, epoch)
                finally:
                    await self._leases.release(lease_name(channel, account))
                stored = await self._credentials.load(channel, account)
            self._tell(channel, account, stored)
        except DatabaseUnavailable as error:
            log.info("token.waiting", channel=channel.name, account=account.name, error=str(error))
        except SendFailed as error:  # no key to keep it under
            self._states.fail(channel.name, account.name, error.reason, error.detail)

    def _tell(self, channel: Channel, account: Account, stored: Credential) -> None:
        """An account is ill when only a person can help, or when its token has ended."""
        self._states.expires(channel.name, account.name, stored.expires_at)
        place = (channel.name, account.name)
        if stored.failure and (stored.failure.code == "auth" or not stored.good(datetime.now(UTC))):
            self._ill.add(place)
            self._states.note(*place, stored.failure)
        elif stored.failure is None and place in self._ill:
            self._ill.remove(place)
            self._states.note(*place, None)

    async def _refresh(self, channel: Channel, account: Account, fence: int) -> None:
        """Looked at again under the lease: who had it before may just have done it."""
        stored = await self._credentials.load(channel, account)
        if stored.due_at > datetime.now(UTC):
            return
        try:
            async with asyncio.timeout(WITHIN):
                token = await self._ask(channel, account, stored)
        except (SendFailed, Malformed, TimeoutError) as error:
            await self._failed(channel, account, stored, _failure(error))
            return
        await self._credentials.store(channel, account, token, stored, fence)
        TOKENS.labels(channel.name, "refreshed").inc()
        log.info("token.refreshed", channel=channel.name, account=account.name)

    async def _ask(self, channel: Channel, account: Account, stored: Credential) -> Token:
        """By the refresh token that came last, or the one of the settings: first by the latter where they are new, since a
        person has put it there; by the other where the first is refused.
        """
        ways: list[SecretStr | None] = [None] if stored.refresh is None else [stored.refresh, None]
        if not stored.same_settings:
            ways.reverse()
        for way in ways[:-1]:
            try:
                return await self._by(way, channel, account)
            except SendFailed as failed:
                if failed.reason != "auth":
                    raise
        return await self._by(ways[-1], channel, account)

    async def _by(self, way: SecretStr | None, channel: Channel, account: Account) -> Token:
        """An answer without a refresh token lets the one that was used stand: RFC 6749 §6."""
        assert channel.refresh is not None
        principal = Principal(channel=channel, account=account)
        steps = channel.refresh(account, way, self._contexts.plain(channel, account))
        token = await drive(steps, channel=channel, ask=lambda request: self._caller.ask(request, principal))
        return replace(token, refresh=token.refresh or way)

    async def _failed(self, channel: Channel, account: Account, stored: Credential, failure: Failure) -> None:
        if not stored.readable:
            told = f"{failure.detail}; the one stored was sealed under another PARLEY_SECRET"
            failure = failure.model_copy(update={"detail": told})
        pause = min(PAUSES[0] * 2.0 ** min(stored.tries, 20), PAUSES[1])
        await self._credentials.failed(channel, account, failure, pause)
        TOKENS.labels(channel.name, failure.code).inc()
        log.warning("token.not_refreshed", channel=channel.name, account=account.name, code=failure.code)


def _failure(error: Exception) -> Failure:
    if isinstance(error, SendFailed):
        return Failure(code=error.reason, detail=error.detail[:1900])
    if isinstance(error, TimeoutError):
        return Failure(code="unreachable", detail=f"no answer within {WITHIN:.0f} s")
    return Failure(code="malformed", detail=str(error)[:1900])
