"""The port on which mail is taken, from the start of the process to its end."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

import structlog

from services.email_adapter.smtp.certificate import Certificate
from services.email_adapter.smtp.door import Door
from services.email_adapter.smtp.handler import Handler
from services.email_adapter.smtp.limits import LIMITS, Limits
from services.email_adapter.smtp.session import CLOSING, Session
from shared.runtime.observe import SMTP_SESSIONS
from shared.runtime.settings import Settings

log = structlog.get_logger(__name__)
logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd writes down what strangers type


class Listener:
    """Accepts connections. STARTTLS is offered where a certificate and its key are set."""

    def __init__(self, settings: Settings, handler: Handler, *, limits: Limits = LIMITS) -> None:
        """Raises Misconfigured where the certificate cannot be used."""
        self._settings, self._handler, self._limits = settings, handler, limits
        self._name = settings.smtp_name or socket.gethostname()
        self.certificate = Certificate(settings)
        self._door = Door(limits)
        self._sessions: set[Session] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        SMTP_SESSIONS.set_function(lambda: self._door.inside)

    @property
    def trouble(self) -> str | None:
        return self._door.trouble

    async def start(self) -> None:
        """Raises OSError where the port cannot be had."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._make(loop), self._settings.smtp_host, self._settings.smtp_port, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        log.info("smtp.started", port=self.port, tls=self.certificate.context is not None)

    def _make(self, loop: asyncio.AbstractEventLoop) -> Callable[[], Session]:
        def make() -> Session:
            return Session(
                self._handler,
                door=self._door,
                limits=self._limits,
                sessions=self._sessions,
                hostname=self._name,
                tls_context=self.certificate.context,
                loop=loop,
            )

        return make

    async def close(self, _app: object = None) -> None:
        """Nobody else is let in; who is idle is sent away, who is in the middle of a mail may end it."""
        self._door.closing = True
        if self._server:
            self._server.close()
        for session in tuple(self._sessions):
            if not session.receiving:
                session.dismiss(CLOSING, "closing")

    async def drain(self) -> None:
        """Until the last has gone."""
        await self.close()
        await self._door.empty()
