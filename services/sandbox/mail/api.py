"""People's mailboxes for the page and for tests, as JSON over HTTP."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from services.sandbox.bodies import read_values
from services.sandbox.mail.boxes import Box, Boxes
from services.sandbox.mail.queue import Queue
from services.sandbox.mail.views import attachment, view
from services.sandbox.mail.writing import write
from services.sandbox.refusals import Refused, answering
from services.sandbox.streams import ALL, event, last_seen, tell

BOX: Final = "/mailbox/{address:[^/@]+@[^/@]+}"
ADDRESS: Final = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}@[^\s@<>()\[\],;:\\\"]{1,190}")
SAFE: Final = {
    "Content-Security-Policy": "sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Api:
    """`accounts`: the accounts file, whose inboxes people can write to."""

    def __init__(self, boxes: Boxes, queue: Queue, accounts: Path) -> None:
        self._boxes, self._queue, self._accounts = boxes, queue, accounts

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/mailbox", self._all),
            web.get(BOX, answering(self._mails)),
            web.get(BOX + "/events", answering(self._events)),
            web.post(BOX + "/send", answering(self._send)),
            web.get(BOX + "/files/{name}", answering(self._file)),
            web.get(BOX + "/raw/{name}", answering(self._raw)),
        ]

    async def _all(self, _request: web.Request) -> web.Response:
        return web.json_response({"addresses": _inboxes(self._accounts), "people": self._boxes.people()})

    async def _mails(self, request: web.Request) -> web.Response:
        box = self._boxes.open(_address(request))
        return web.json_response({"n": box.n, "mails": self._since(box, last_seen(request, what="mail"))})

    def _since(self, box: Box, n: int) -> list[dict[str, Any]]:
        return [view(kept, self._boxes.raw(kept)) for kept in box.since(n)]

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: `mail`, a view whose `n` is the event's id; a mail comes again when its status changes."""
        box = self._boxes.open(_address(request))
        return await tell(request, box.changed, self._news(box, last_seen(request, what="mail")))

    def _news(self, box: Box, n: int) -> Iterator[bytes]:
        while True:
            for mail in self._since(box, n):
                n = mail["n"]
                yield event("mail", mail, n=n)
            yield ALL

    async def _send(self, request: web.Request) -> web.Response:
        """to, subject, text, html, in_reply_to (a mail's id in this mailbox, or its Message-ID), name, files."""
        address, values = _address(request), await read_values(request)
        written = write(address, values, self._answered(address, values.get("in_reply_to")))
        kept = self._boxes.add(address, written.raw, direction="out", status="queued")
        self._queue.send(kept, written.to)
        return web.json_response({"id": kept.id, "n": kept.n})

    def _answered(self, address: str, name: object) -> bytes | None:
        if not name:
            return None
        box = self._boxes.open(address)
        for kept in reversed(box.mails.values()):
            raw = self._boxes.raw(kept)
            if kept.id == name or _message_id(view(kept, raw)) == str(name).strip("<>"):
                return raw
        raise Refused(404, "in_reply_to names no mail in this mailbox")

    async def _file(self, request: web.Request) -> web.Response:
        """By the id that the mail's view gives it."""
        name, _, part = request.match_info["name"].rpartition("-")
        kept = self._boxes.mail(_address(request), name)
        file = attachment(self._boxes.raw(kept), part)
        named = f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"
        return web.Response(
            body=file.data, headers={"Content-Type": file.mime_type, "Content-Disposition": named, **SAFE}
        )

    async def _raw(self, request: web.Request) -> web.Response:
        kept = self._boxes.mail(_address(request), request.match_info["name"])
        headers = {"Content-Type": "text/plain; charset=utf-8", **SAFE}
        return web.Response(body=self._boxes.raw(kept), headers=headers)


def _message_id(shown: dict[str, Any]) -> str:
    return next((value.strip("<> ") for name, value in shown["headers"] if name.lower() == "message-id"), "")


def _inboxes(accounts: Path) -> list[str]:
    """The addresses of the accounts file as it is now; none where it cannot be read."""
    try:
        tables = tomllib.loads(accounts.read_text("utf-8")).get("accounts", {}).get("email", {})
        return [str(table["address"]) for table in tables.values()]
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return []


def _address(request: web.Request) -> str:
    address = request.match_info["address"].lower()
    if not ADDRESS.fullmatch(address):
        raise Refused(400, "that is no mail address")
    return address
