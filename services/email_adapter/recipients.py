"""Whose a mail address is: an account's own, or the signed one that its answers are sent to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.email_adapter.mail.names import INBOX
from shared.accounts import Accounts, AccountsFile
from shared.channel import Account, Channel
from shared.settings import Settings
from shared.tokens import read_token

REPLY: Final = f"{INBOX}+"  # what stands before the token in a signed reply address


@dataclass(frozen=True, slots=True, eq=False)
class Owner:
    """An account that takes mail, and its channel."""

    channel: Channel
    account: Account


class Recipients:
    """The accounts file as a directory of addresses; letters' case does not matter."""

    def __init__(self, settings: Settings, channels: Mapping[str, Channel], accounts: AccountsFile) -> None:
        self._secret = settings.secret.get_secret_value().encode()
        self._channels = {name: channel for name, channel in channels.items() if channel.mail}
        self._accounts = accounts
        self._known: Accounts | None = None
        self._addresses: dict[str, Owner] = {}
        self._domains: dict[str, Owner] = {}

    def owner(self, address: str) -> Owner | None:
        """None: there is no such address, or its token is none of ours."""
        if self._known is not self._accounts.current:
            self._read(self._accounts.current)
        address = address.lower()
        if found := self._addresses.get(address):
            return found
        local, _, domain = address.rpartition("@")
        found = self._domains.get(domain)
        if found and local.startswith(REPLY) and read_token(local.removeprefix(REPLY), self._secret):
            return found
        return None

    def _read(self, accounts: Accounts) -> None:
        """Accounts in the order of their names: where two share a reply domain, it is the first one's."""
        owners = [
            Owner(self._channels[channel], account)
            for channel, account in sorted(accounts.all(), key=lambda one: one[1].name)
            if channel in self._channels
        ]
        self._addresses = {owner.account.key.lower(): owner for owner in owners}
        self._domains = {}
        for owner in owners:
            if domain := str(getattr(owner.account, "reply_domain", "")).lower():
                self._domains.setdefault(domain, owner)
        self._known = accounts
