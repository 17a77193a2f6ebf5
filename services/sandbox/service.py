"""The sandbox put together: what the providers share, and each provider."""

from __future__ import annotations

import os
from pathlib import Path

from aiohttp import ClientSession

from services.sandbox import access, pages, streams
from services.sandbox.facebook import Facebook
from services.sandbox.faults import Control
from services.sandbox.graph import Graph
from services.sandbox.mail import Mail
from services.sandbox.shelf import Shelf
from services.sandbox.telegram import Telegram
from services.sandbox.twins import Twins
from services.sandbox.twins.twin import Kit
from services.sandbox.webhook import Webhook
from services.sandbox.whatsapp import WhatsApp
from shared.runtime import hosts
from shared.runtime.lifecycle import Life


async def start(life: Life) -> None:
    """PARLEY_SANDBOX_DATA names the folder in which chats outlive a restart; without it they are forgotten.

    Mail is taken for everybody at PARLEY_SANDBOX_SMTP_PORT (any that is free, without it), and what people write is brought
    to PARLEY_SANDBOX_MX (host:port). PARLEY_SANDBOX_CHAT and PARLEY_SANDBOX_SOCIAL are the addresses of those adapters, for the
    providers to which nobody can tell a webhook by API.
    """
    data = os.environ.get("PARLEY_SANDBOX_DATA")
    folder = Path(data) if data else None
    client = await life.resources.enter_async_context(ClientSession())

    def shelf(name: str) -> Shelf:
        opened = Shelf(folder, name)
        life.resources.callback(opened.close)
        return opened

    control = Control(shelf("sends"))
    telegram = Telegram(shelf("telegram"), control, client)
    graph = Graph(shelf("graph"), control, client)
    whatsapp = WhatsApp(shelf("whatsapp"), control, graph)
    facebook = Facebook(shelf("facebook"), control, graph)
    mx = os.environ.get("PARLEY_SANDBOX_MX", "")
    accounts = Path(life.settings.accounts)
    hooks = {"chat": os.environ.get("PARLEY_SANDBOX_CHAT", ""), "social": os.environ.get("PARLEY_SANDBOX_SOCIAL", "")}
    twins = Twins(Kit(shelf=shelf, control=control, client=client, accounts=accounts, hooks=hooks))
    mail = Mail(shelf("mail"), control, mx=mx, accounts=accounts)
    life.app.middlewares.append(hosts.only(life.settings))
    life.app.middlewares.append(access.guard(life.settings.token))
    streams.prepare(life.app)
    life.app.on_shutdown.extend((control.close, telegram.end_polls, twins.hang_up))
    life.on_stop(telegram.close)
    life.on_stop(graph.close)
    life.on_stop(mail.close)
    life.on_stop(twins.close)
    life.routes(control.routes())
    life.routes(telegram.routes())
    life.routes(graph.routes())
    life.routes(whatsapp.routes())
    life.routes(facebook.routes())
    life.routes(Webhook(control).routes())
    life.routes(mail.routes())
    life.routes(twins.routes())
    life.routes(pages.routes())
    await mail.start(life.settings.http_host, int(os.environ.get("PARLEY_SANDBOX_SMTP_PORT", "0")))
