"""A mail that a transport delivered: read, kept and on the bus for every account it came to, or kept aside."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from services.email_adapter.reading import Reading
from services.email_adapter.recipients import Owner
from shared.accept import Intake
from shared.channel import Context, Mail
from shared.errors import Malformed, TooLarge
from shared.observe import INGRESS
from shared.settings import Settings


class Taking:
    """Takes mails, whatever transport they came by."""

    def __init__(self, settings: Settings, intake: Intake, reading: Reading) -> None:
        self._secret, self._intake, self._reading = settings.secret, intake, reading

    async def take(self, mail: Mail, owners: Mapping[Owner, Sequence[str]], *, peer: str = "") -> None:
        """Return when it is durable for every account, with those of its recipients that are the account's. `peer`: the
        address that brought it, whose mails wait for each other.

        Raises BusUnavailable and StoreUnavailable: it should come again, and is the same then. Raises Refused for what is
        beyond the limits of reading.
        """
        context = Context(now=datetime.now(UTC), nonce=secrets.token_hex(16), secret=self._secret)
        for owner, recipients in owners.items():
            await self._take(owner, replace(mail, recipients=tuple(recipients)), context, peer=peer)

    async def _take(self, owner: Owner, mail: Mail, context: Context, *, peer: str) -> None:
        channel, account = owner.channel, owner.account
        try:
            read = await self._reading.read(channel, account, mail, context, peer=peer)
            await self._intake.take_mail(channel, account, mail, read, context)
        except (Malformed, TooLarge) as error:
            await self._intake.quarantine.keep_mail(channel, account, mail, error)
            INGRESS.labels(channel.name, "dead_lettered").inc()
        else:
            INGRESS.labels(channel.name, "accepted").inc()
