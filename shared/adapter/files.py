"""GET /files/{address}: a file that goes out, for a provider that fetches it by the address it was given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from shared.contract.errors import Crowded, StoreUnavailable, Unverified
from shared.contract.links import PATH, FileAddress
from shared.runtime.observe import FILES
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs, NotFound
from shared.storage.giving import SHOWN, give, headers_of, media_type

AT_ONCE: Final = 64  # files under way
OF_ONE: Final = 16  # of them, by the same address


class Files:
    """Nothing but what this installation signed, and only as long as it said. Some providers go by how an address ends, so a name
    may stand behind it, which says nothing.
    """

    def __init__(self, settings: Settings, blobs: Blobs) -> None:
        self._secret, self._blobs = settings.secret, blobs
        self._open: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        return [web.get(f"{PATH}{{address}}{{name:(/[^/]*)?}}", self.serve)]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """200 or 206 with the bytes; 404, 410, 416, 503. What is wrong is said before the store is asked."""
        sealed = request.match_info["address"]
        try:
            address = self._read(sealed)
            with self._place(sealed):
                kind = media_type(address.mime_type)
                headers = headers_of(kind, address.name, shown=bool(SHOWN.fullmatch(kind)))
                answer = await give(self._blobs, request, address, headers)
        except (Unverified, NotFound):
            answer = web.Response(status=404, text="no such file\n")
        except Expired:
            answer = web.Response(status=410, text="this address has expired\n")
        except (Crowded, StoreUnavailable) as error:
            answer = web.Response(status=503, text=f"{type(error).__name__}\n", headers={"Retry-After": "5"})
        FILES.labels(str(answer.status)).inc()
        return answer

    def _read(self, sealed: str) -> FileAddress:
        if not self._secret.get_secret_value():
            raise Unverified("no key")
        address = FileAddress.read(sealed, self._secret, "file")
        if address.until <= datetime.now(UTC):
            raise Expired
        return address

    @contextmanager
    def _place(self, sealed: str) -> Iterator[None]:
        if self._open.total() >= AT_ONCE or self._open[sealed] >= OF_ONE:
            raise Crowded("too many files are under way")
        self._open[sealed] += 1
        try:
            yield
        finally:
            self._open[sealed] -= 1
            self._open += Counter()  # without those that are done


class Expired(Exception):
    """An address that was good."""
