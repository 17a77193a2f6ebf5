"""How each account is, told to everyone on the compacted accounts topic: at the start, at each change, and now and then."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

import structlog

from shared.bus.cloudevents import Out, encode, headers
from shared.contract.channel import Account, Channel, Version
from shared.contract.codes import Code, Failure
from shared.contract.envelope import derive, key, utc
from shared.contract.errors import BusUnavailable
from shared.contract.events import AccountState
from shared.contract.policy import Policy
from shared.contract.records import ACCOUNTS
from shared.provider.parts import Parts
from shared.runtime.accounts import Accounts
from shared.runtime.observe import API_END, HEALTHY, TOKEN_END

log = structlog.get_logger(__name__)

EVERY: Final = 300.0  # seconds between two tellings of an account whose state did not change


class States:
    """The accounts of one adapter. A failure that only a person can mend (a token refused) makes an account unhealthy."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._producer, self._health = parts, parts.producer, parts.health
        self._topic, self._source = parts.settings.topic(ACCOUNTS), f"/adapter/{parts.family}"
        self._failures: dict[tuple[str, str], Failure] = {}
        self._ends: dict[tuple[str, str], datetime] = {}
        self._changed = asyncio.Event()
        self._known = parts.accounts.current.accounts
        parts.accounts.on_change(self._reloaded)

    def _reloaded(self, accounts: Accounts) -> None:
        """What went wrong with an account's former settings says nothing of its new ones."""
        for place in [place for place in self._failures if accounts.accounts.get(place) != self._known.get(place)]:
            del self._failures[place]
        self._known = accounts.accounts
        self._changed.set()

    def note(self, channel: str, account: str, failure: Failure | None) -> None:
        """What a call to the provider showed: a refused token, or that it is accepted again."""
        place = (channel, account)
        if failure == self._failures.get(place):
            return
        if failure is None:
            self._failures.pop(place, None)
        else:
            self._failures[place] = failure
        self._changed.set()

    def fail(self, channel: str, account: str, code: Code, detail: str) -> None:
        self.note(channel, account, Failure(code=code, detail=detail[:2000]))

    def expires(self, channel: str, account: str, when: datetime | None) -> None:
        """When the account's access token ends; None where it has none."""
        place = (channel, account)
        if when == self._ends.get(place):
            return
        if when is None:
            del self._ends[place]
            TOKEN_END.remove(*place)
        else:
            self._ends[place] = when
            TOKEN_END.labels(*place).set(when.timestamp())
        self._changed.set()

    async def run(self) -> None:
        while True:
            self._health.tick("accounts")
            self._changed.clear()
            try:
                await self.tell()
            except BusUnavailable:
                await asyncio.sleep(2)
                continue
            try:
                async with asyncio.timeout(EVERY):
                    await self._wait()
            except TimeoutError:
                continue

    async def _wait(self) -> None:
        while not self._changed.is_set():
            self._health.tick("accounts")
            try:
                async with asyncio.timeout(10):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def tell(self) -> None:
        """Publish the state of every account that is served here."""
        now = datetime.now(UTC)
        for gauge in (HEALTHY, API_END):  # an account that is no longer in the file must not stay ill for ever
            gauge.clear()
        served = self._parts.accounts_served(self._parts.accounts.current)
        await self._producer.send_all([self._record(channel, account, now) for channel, account in served])

    def _record(self, by: Channel, of: Account, now: datetime) -> Out:
        tenant, channel, account = of.tenant, by.name, of.name
        failure = self._failures.get((channel, account))
        HEALTHY.labels(channel, account).set(failure is None)
        version = by.version(of) or Version("")
        if version.ends_at:
            API_END.labels(channel, account).set(version.ends_at.timestamp())
        state = AccountState(
            tenant=tenant,
            channel=channel,
            account=account,
            healthy=failure is None,
            failure=failure,
            token_expires_at=self._ends.get((channel, account)),
            api_version=version.name or None,
            api_ends_at=version.ends_at,
            capabilities=by.capabilities_of(of).model_dump(mode="json"),
            policy=Policy(**dict(of.policy)),
            occurred_at=now,
        )
        return Out(
            self._topic,
            key(tenant, channel, account).encode(),
            encode(state),
            headers(
                "account",
                source=self._source,
                id=str(derive("account", tenant, channel, account, utc(now))),
                time=now,
                tenant=tenant,
                subject=f"{channel}/{account}",
            ),
        )
