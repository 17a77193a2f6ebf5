"""What every half of an adapter is made of: its channels and accounts, its connections, and how a provider is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.bus.produce import Producer
from shared.contract.channel import Account, Channel
from shared.contract.codes import Family
from shared.provider.calls import Caller
from shared.provider.contexts import Contexts
from shared.provider.credentials import Credentials
from shared.provider.exchange import Driver
from shared.runtime.accounts import Accounts, AccountsFile
from shared.runtime.lifecycle import Health
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs
from shared.storage.database import Pool


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What one process has once. `served`: the channels that it serves (PARLEY_CHANNELS); None: all of its family's."""

    settings: Settings
    family: Family
    health: Health
    channels: Mapping[str, Channel]
    accounts: AccountsFile
    pool: Pool
    producer: Producer
    blobs: Blobs
    caller: Caller
    contexts: Contexts
    credentials: Credentials
    served: frozenset[str] | None = None

    def serves(self, channel: str) -> bool:
        """Whether its webhooks, polls, sockets, sends and files are this process's."""
        return self.served is None or channel in self.served

    def accounts_served(self, accounts: Accounts) -> Iterator[tuple[Channel, Account]]:
        """Those that this process looks after."""
        return ((self.channels[name], account) for name, account in accounts.all() if self.serves(name))

    @property
    def drive(self) -> Driver:
        """An exchange with a provider, from its context to its end."""
        return Driver(self.caller, self.contexts)

    def route(self, tenant: str, channel: str, account: str) -> tuple[Channel, Account] | None:
        """By which channel and account a record goes. None: there is no such account, or it is another tenant's."""
        found, owner = self.channels.get(channel), self.accounts.current.account(channel, account)
        return (found, owner) if found and owner and owner.tenant == tenant else None
