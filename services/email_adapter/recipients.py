"""Whose a mail address is: an account's own, or the signed one that its answers are sent to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.email_adapter.mail import replies
from shared.contract.channel import Account, Channel
from shared.contract.thread_tokens import read_thread_token
from shared.runtime.accounts import Accounts, AccountsFile
from shared.runtime.settings import Settings

POSTMASTER: Final = "postmaster"


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
        self._domains: Mapping[str, Sequence[Owner]] = {}
        self._postmaster = settings.smtp_postmaster.lower()
        self._served: Mapping[str, Owner] = {}

    def owner(self, address: str) -> Owner | None:
        """None: there is no such address, or its token is none of ours."""
        if self._known is not self._accounts.current:
            self._read(self._accounts.current)
        address = address.lower()
        if found := self._addresses.get(address):
            return found
        local, _, domain = address.rpartition("@")
        if (local or domain) == POSTMASTER:
            return self._postmaster_of(domain if local else "")
        reply = replies.read(address, domain)
        if reply is None or not read_thread_token(reply.token, self._secret):
            return None
        return self._answered(reply, self._domains.get(domain, ()))

    def _postmaster_of(self, domain: str) -> Owner | None:
        """Whom each server must hear (RFC 5321 §4.5.1): the inbox that the operator names; else the first of the domain,
        in the order of the accounts' names; without a domain the first of all. None for a domain that is not ours.
        """
        if domain and domain not in self._served:
            return None
        first = self._served.get(domain) or next(iter(self._served.values()), None)
        return self._addresses.get(self._postmaster, first)

    def _answered(self, reply: replies.Reply, sharing: Sequence[Owner]) -> Owner | None:
        """The inbox that the conversation is of; where that is gone, the first, if all of the domain are one tenant's."""
        if found := next((one for one in sharing if replies.is_of(reply, one.account.key, self._secret)), None):
            return found
        return sharing[0] if len({one.account.tenant for one in sharing}) == 1 else None

    def _read(self, accounts: Accounts) -> None:
        owners = [
            Owner(self._channels[channel], account)
            for channel, account in sorted(accounts.all(), key=lambda one: one[1].name)
            if channel in self._channels
        ]
        self._addresses = {owner.account.key.lower(): owner for owner in owners}
        served: dict[str, Owner] = {}
        domains: dict[str, list[Owner]] = {}
        for owner in owners:
            served.setdefault(owner.account.key.lower().rpartition("@")[2], owner)
            if domain := str(getattr(owner.account, "reply_domain", "")).lower():
                domains.setdefault(domain, []).append(owner)
        self._domains = domains
        self._served = served | {domain: sharing[0] for domain, sharing in domains.items() if domain not in served}
        self._known = accounts
