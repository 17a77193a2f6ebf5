"""What is answered to EHLO, RCPT and DATA: only what is durable is taken, only for those who have an account here."""

from __future__ import annotations

import asyncio
import ssl
import time
from functools import partial
from typing import Any

import structlog
from aiosmtpd.smtp import TLSSetupException

from services.email_adapter.mail.refusals import Refused
from services.email_adapter.proof.checking import Brought, Checking, is_unwanted
from services.email_adapter.recipients import Recipients
from services.email_adapter.smtp.door import UNKNOWN, place_of
from services.email_adapter.smtp.limits import Limits
from services.email_adapter.smtp.session import TOO_MANY, Letter
from services.email_adapter.smtp.transactions import Transactions
from services.email_adapter.taking import Taking
from shared.contract.channel import Mail
from shared.contract.errors import BusUnavailable, StoreUnavailable
from shared.runtime.observe import ACKNOWLEDGED, INGRESS, SMTP_REFUSED

log = structlog.get_logger(__name__)

TAKEN = "250 2.0.0 taken"
DROPPED = (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError)  # who goes in the middle of a line, or of TLS
UNPROVED = "550 5.7.1 the domain in From asks that what it did not send is refused (DMARC)"
LATER = "451 4.3.0 it could not be kept; send it again"


class Handler:
    """The hooks of aiosmtpd, one for all connections."""

    def __init__(
        self,
        recipients: Recipients,
        taking: Taking,
        limits: Limits,
        *,
        checking: Checking | None = None,
        rejects: bool = False,
    ) -> None:
        """`checking`: who finds out whether a mail is its sender's; `rejects`: what fails is refused where its domain asks for it."""
        self._recipients, self._taking, self._limits = recipients, taking, limits
        self._checking, self._rejects = checking, rejects
        self._transactions = Transactions()

    async def handle_EHLO(  # noqa: N802 the library's name
        self, _server: Any, session: Any, _envelope: Letter, hostname: str, responses: list[str]
    ) -> list[str]:
        """What we can: neither AUTH, which has no place where strangers bring mail, nor HELP."""
        session.host_name = hostname
        kept = [line for line in responses if not line[4:].startswith(("AUTH", "HELP"))]
        return [*kept[:-1], f"250 {kept[-1][4:]}"]

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Letter, address: str, _options: list[str]
    ) -> str:
        """Unknown addresses and forged reply addresses are told at once, so that nobody need be written to about them."""
        if len(envelope.rcpt_tos) >= self._limits.recipients:
            SMTP_REFUSED.labels("452", "recipients").inc()
            return TOO_MANY
        owner = self._recipients.owner(address)
        if owner is None:
            SMTP_REFUSED.labels("550", "recipient").inc()
            return "550 5.1.1 there is nobody of that address here"
        envelope.rcpt_tos.append(address)
        envelope.owners.setdefault(owner, []).append(address)
        return "250 2.1.5 go on"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Letter) -> str:  # noqa: N802
        """250 when everything is durable; 451 for whatever is our own trouble."""
        started = time.perf_counter()
        name = next(iter(envelope.owners)).channel.name
        content, sender = envelope.content, envelope.mail_from or ""
        assert isinstance(content, bytes)
        mark, transaction = await self._transactions.begin(content, sender, envelope.rcpt_tos)
        envelope.known = partial(self._transactions.end, mark)
        peer = (session.peer or (UNKNOWN,))[0]
        checks = None
        if self._checking:
            checks = await self._checking.check(content, Brought(peer, session.host_name or "", sender))
        if self._rejects and checks and is_unwanted(checks):
            INGRESS.labels(name, "refused").inc()
            SMTP_REFUSED.labels("550", "authentication").inc()
            return UNPROVED
        try:
            await self._taking.take(
                Mail(content, sender, transaction=transaction, checks=checks), envelope.owners, peer=place_of(peer)
            )
        except Refused as refused:
            INGRESS.labels(name, "refused").inc()
            SMTP_REFUSED.labels(refused.reply[:3], "content").inc()
            return refused.reply
        except (BusUnavailable, StoreUnavailable):
            INGRESS.labels(name, "unavailable").inc()
            return LATER
        ACKNOWLEDGED.labels(name).observe(time.perf_counter() - started)
        return TAKEN

    async def handle_exception(self, error: Exception) -> str:
        """Whatever else breaks is our trouble too, but for a handshake; the sender keeps the mail."""
        if isinstance(error, TLSSetupException):
            SMTP_REFUSED.labels("none", "handshake").inc()
        elif isinstance(error, DROPPED):
            SMTP_REFUSED.labels("none", "dropped").inc()
        else:
            log.error("mail.session_broke", exc_info=error)
        return LATER
