"""Links to media, good for a while: what the Graph API gives instead of bytes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from urllib.parse import urlencode

from aiohttp import web

from services.sandbox.access import same
from services.sandbox.faults import Control
from services.sandbox.files import File, Files


class Links:
    """Made by who asks for a file, checked when it is fetched. A restart ends them all."""

    def __init__(self, control: Control, files: Files, *, path: str) -> None:
        self._control, self._files, self._path = control, files, path
        self._key = secrets.token_bytes(32)

    def make(self, request: web.Request, file: File) -> str:
        """An address on the host that was asked; good for `link_seconds` of Meta's faults in force."""
        return self.at(f"{request.scheme}://{request.host}", file)

    def at(self, base: str, file: File) -> str:
        """The same under an address that is known."""
        until = int(1000 * (time.time() + self._control.faults.meta.link_seconds))
        query = urlencode({"mid": file.id, "ext": until, "hash": self._hash(file.id, str(until))})
        return f"{base}{self._path}?{query}"

    def file(self, query: Mapping[str, str]) -> File | None:
        """What the link means; None when it was never made, or is over."""
        name, until, given = (query.get(name, "") for name in ("mid", "ext", "hash"))
        if not same(given, self._hash(name, until)):
            return None
        return self._files.get(name) if time.time() * 1000 <= int(until) else None

    def _hash(self, name: str, until: str) -> str:
        return hmac.new(self._key, f"{name}.{until}".encode(errors="surrogatepass"), hashlib.sha256).hexdigest()[:43]
