"""The email adapter's parts, put together: what every adapter has, and the port on which mail is taken."""

from __future__ import annotations

import asyncio

from services.email_adapter.mail.owners import suffixes
from services.email_adapter.proof.checking import Checking, Trust
from services.email_adapter.proof.names import Resolver
from services.email_adapter.reading import Reading
from services.email_adapter.recipients import Recipients
from services.email_adapter.registry import CHANNELS
from services.email_adapter.smtp.handler import Handler
from services.email_adapter.smtp.limits import LIMITS
from services.email_adapter.smtp.listener import Listener
from services.email_adapter.taking import Taking
from shared.adapter.adapter import Adapter, open_adapter, serve
from shared.runtime.lifecycle import Life
from shared.runtime.settings import Settings


async def start(life: Life) -> None:
    adapter = await open_adapter(life, "email", CHANNELS)
    if life.settings.smtp_port:
        await take_mail(adapter)
    await serve(adapter)


async def take_mail(adapter: Adapter) -> None:
    """Mail by SMTP. Stopping, the port closes with that of HTTP, before what is under way may end."""
    life, settings = adapter.life, adapter.life.settings
    reading = Reading()
    taking = Taking(adapter.contexts, adapter.intake, reading)
    recipients = Recipients(settings, adapter.channels, adapter.accounts)
    checking = await open_checking(settings)
    handler = Handler(recipients, taking, LIMITS, checking=checking, rejects=settings.smtp_reject)
    listener = Listener(settings, handler)
    life.on_stop(reading.close)
    life.on_stop(listener.drain)
    life.app.on_shutdown.append(listener.close)
    life.health.warned["smtp"] = lambda: listener.trouble
    life.health.warned["certificate"] = lambda: listener.certificate.trouble
    life.spawn(listener.certificate.watch(), "certificate", ends=True)
    await listener.start()


async def open_checking(settings: Settings) -> Checking:
    """Who finds out whether mails are their senders'. Raises Misconfigured."""
    trust = Trust.of(settings)
    await asyncio.to_thread(suffixes)  # read once, before anybody waits for it
    return Checking(trust, Resolver(settings.dns) if trust.by_dns else None)
