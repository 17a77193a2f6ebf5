"""A mail that a transport delivered: read, kept and on the bus for every account it came to, or kept aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from services.email_adapter.reading import Reading
from services.email_adapter.recipients import Owner
from services.email_adapter.unread import Unread
from shared.contract.channel import Context, Mail
from shared.contract.errors import Malformed, TooLarge
from shared.inbound.accept import Intake
from shared.provider.contexts import Contexts
from shared.runtime.observe import INGRESS

log = structlog.get_logger(__name__)


class Taking:
    """Takes mails, whatever transport they came by."""

    def __init__(self, contexts: Contexts, intake: Intake, reading: Reading) -> None:
        self._contexts, self._intake, self._reading = contexts, intake, reading
        self._unread = Unread()

    async def take(self, mail: Mail, owners: Mapping[Owner, Sequence[str]], *, peer: str = "") -> None:
        """Return when it is durable for every account, with those of its recipients that are the account's. `peer`: the
        address that brought it, whose mails wait for each other.

        Raises BusUnavailable and StoreUnavailable: it should come again, and is the same then. Raises Refused for what is
        beyond the limits of reading.
        """
        for owner, recipients in owners.items():
            context = await self._contexts.of(owner.channel, owner.account)
            outcome = await self._take(owner, replace(mail, recipients=tuple(recipients)), context, peer=peer)
            INGRESS.labels(owner.channel.name, outcome).inc()

    async def _take(self, owner: Owner, mail: Mail, context: Context, *, peer: str) -> str:
        """A mail that cannot be read, whatever it is that cannot, is shown as its sender's by its head; one of nobody is kept aside."""
        why = await self._unread.why(mail.raw)
        if not why:
            try:
                await self._accept(owner, mail, context, peer=peer)
            except (Malformed, TooLarge) as error:
                why = error.detail or error.code
                await self._unread.note(mail.raw, why)
            else:
                return "accepted"
        log.warning("mail.unread", channel=owner.channel.name, account=owner.account.name, error=why)
        try:
            await self._accept(owner, replace(mail, unread=why), context, peer=peer)
        except (Malformed, TooLarge) as error:
            await self._intake.dead_letters.keep_mail(owner.channel, owner.account, mail, error)
            return "dead_lettered"
        return "unread"

    async def _accept(self, owner: Owner, mail: Mail, context: Context, *, peer: str) -> None:
        read = await self._reading.read(owner.channel, owner.account, mail, context, peer=peer)
        await self._intake.take_mail(owner.channel, owner.account, mail, read, context)
