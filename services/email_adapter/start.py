"""The email adapter's parts, put together: what every adapter has, and the port on which mail is taken."""

from __future__ import annotations

from services.email_adapter.reading import Reading
from services.email_adapter.recipients import Recipients
from services.email_adapter.registry import CHANNELS
from services.email_adapter.smtp.handler import Handler
from services.email_adapter.smtp.limits import LIMITS
from services.email_adapter.smtp.listener import Listener
from services.email_adapter.taking import Taking
from shared.adapter.parts import Parts, open_parts, serve
from shared.runtime.lifecycle import Life


async def start(life: Life) -> None:
    parts = await open_parts(life, "email", CHANNELS)
    if life.settings.smtp_port:
        await take_mail(parts)
    await serve(parts)


async def take_mail(parts: Parts) -> None:
    """Mail by SMTP. Stopping, the port closes with that of HTTP, before what is under way may end."""
    life, settings = parts.life, parts.life.settings
    reading = Reading()
    taking = Taking(parts.contexts, parts.intake, reading)
    recipients = Recipients(settings, parts.channels, parts.accounts)
    listener = Listener(settings, Handler(recipients, taking, LIMITS))
    life.on_stop(reading.close)
    life.on_stop(listener.drain)
    life.app.on_shutdown.append(listener.close)
    life.health.warned["smtp"] = lambda: listener.trouble
    life.health.warned["certificate"] = lambda: listener.certificate.trouble
    life.spawn(listener.certificate.watch(), "certificate", ends=True)
    await listener.start()
