"""Other people's mail server on loopback, and their mailboxes — RFC 5321, RFC 5322."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from services.sandbox.faults import Control
from services.sandbox.mail.api import Api
from services.sandbox.mail.boxes import Boxes
from services.sandbox.mail.queue import Queue
from services.sandbox.mail.server import Server
from services.sandbox.shelf import Shelf


class Mail:
    """The provider: its server, its mailboxes, its queue. `mx`: host:port of the server that takes what people write."""

    def __init__(self, shelf: Shelf, control: Control, *, mx: str, accounts: Path) -> None:
        boxes = Boxes(shelf)
        self._queue = Queue(shelf, boxes, mx)
        self.server = Server(boxes, control)
        self._api = Api(boxes, self._queue, accounts)

    def routes(self) -> list[web.RouteDef]:
        return self._api.routes()

    async def start(self, host: str, port: int) -> int:
        """Take mail and send what is waiting; the port that it listens on."""
        self._queue.start()
        return await self.server.start(host, port)

    async def close(self) -> None:
        await self.server.close()
        await self._queue.close()
