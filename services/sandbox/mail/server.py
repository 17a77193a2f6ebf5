"""The server that has people's mailboxes: takes what a strict one takes, and refuses what a strict one refuses (RFC 5321)."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from aiohttp import web
from aiosmtpd.smtp import SMTP

from services.sandbox.faults import Control
from services.sandbox.mail.boxes import Boxes
from services.sandbox.mail.views import read, view

SIZE: Final = 25 * 1024 * 1024  # bytes, what most servers take
LINE: Final = 998  # bytes, RFC 5322 §2.1.1
NEEDED: Final = ("Date", "From", "Message-ID")
NOBODY: Final = "nobody"  # whoever is called so, or so and something more, has no mailbox


class Server:
    """The hooks of aiosmtpd. Everybody has a mailbox but nobody."""

    def __init__(self, boxes: Boxes, control: Control) -> None:
        self._boxes, self._control = boxes, control
        self._listening: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """The port that it listens on."""
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(self._session, host, port)
        found: int = self._listening.sockets[0].getsockname()[1]
        return found

    async def close(self) -> None:
        if self._listening:
            self._listening.close()

    def _session(self) -> SMTP:
        return SMTP(
            self,
            data_size_limit=SIZE,
            enable_SMTPUTF8=True,
            hostname="mail.sandbox.example",
            ident="ESMTP",
            loop=asyncio.get_running_loop(),
        )

    async def handle_MAIL(  # noqa: N802 the library's name
        self, server: SMTP, _session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if fault := await self._fault(server, "mail"):
            return fault
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 go on"

    async def handle_RCPT(  # noqa: N802 the library's name
        self, server: SMTP, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if fault := await self._fault(server, "rcpt"):
            return fault
        if address.lower().startswith(NOBODY) or "@" not in address:
            return "550 5.1.1 nobody of that name has a mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 go on"

    async def handle_DATA(  # noqa: N802 the library's name
        self, server: SMTP, _session: Any, envelope: Any
    ) -> str:
        if fault := await self._fault(server, "data") or _wrong(envelope):
            return fault
        for address in envelope.rcpt_tos:
            kept = self._boxes.add(address.lower(), envelope.content, direction="in")
            self._accepted(address, kept.id, view(kept, envelope.content))
        if self._control.drops() and isinstance(server.transport, asyncio.Transport):
            server.transport.abort()
        return f"250 2.0.0 kept as {kept.id}"

    def _accepted(self, address: str, name: str, shown: dict[str, Any]) -> None:
        about = {key: shown[key] for key in ("text", "subject", "in_reply_to", "references")}
        self._control.accepted({"provider": "mail", "to": address, "id": name, **about, "at": time.time()})

    async def _fault(self, server: SMTP, method: str) -> str | None:
        """What POST /control asked for: the status is the reply's code, the body its words."""
        await self._control.answers()
        provoked = await self._control.failure(method, channel="email", sends=method == "data")
        if provoked is None:
            return None
        if provoked.status == 421 and server.transport:
            asyncio.get_running_loop().call_soon(server.transport.close)
        words = provoked.text if isinstance(provoked, web.Response) and provoked.content_type == "text/plain" else ""
        return f"{provoked.status} {words or '4.7.1 as it was asked to go wrong'}"


def _wrong(envelope: Any) -> str | None:
    """What strict servers refuse a mail for."""
    content: bytes = envelope.content
    if not content.count(b"\r\n") == content.count(b"\r") == content.count(b"\n"):
        return "550 5.5.2 CR and LF must come together"
    if any(len(line) > LINE for line in content.split(b"\r\n")):
        return f"554 5.6.0 a line is longer than {LINE} bytes"
    if not content.isascii() and "BODY=8BITMIME" not in envelope.mail_options:
        return "554 5.6.3 bytes above 127 in a mail that was announced without them"
    mail = read(content)
    if missing := [name for name in NEEDED if not mail[name]]:
        return f"554 5.6.0 a mail has {' and '.join(missing)}"
    return None
