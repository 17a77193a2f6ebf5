"""The email adapter's parts, put together: what every adapter has, and the port on which mail is taken."""

from __future__ import annotations

from services.email_adapter.reading import Reading
from services.email_adapter.recipients import Recipients
from services.email_adapter.registry import CHANNELS
from services.email_adapter.smtp.handler import Handler
from services.email_adapter.smtp.limits import LIMITS
from services.email_adapter.smtp.listener import Listener
from services.email_adapter.taking import Taking
from shared.adapter.adapter import Adapter, open_adapter, serve
from shared.runtime.lifecycle import Life


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
    listener = Listener(settings, Handler(recipients, taking, LIMITS))
    life.on_stop(reading.close)
    life.on_stop(listener.drain)
    life.app.on_shutdown.append(listener.close)
    life.health.warned["smtp"] = lambda: listener.trouble
    life.health.warned["certificate"] = lambda: listener.certificate.trouble
    life.spawn(listener.certificate.watch(), "certificate", ends=True)
    await listener.start()
