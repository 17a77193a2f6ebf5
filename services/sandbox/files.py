"""The files that people and businesses have sent one another."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from typing import Final

from aiohttp import web

from services.sandbox.shelf import Shelf

KEPT: Final = 512 * 1024 * 1024  # bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    id: str
    owner: str
    mime_type: str
    name: str
    size: int


class Files:
    """Kept on a shelf, the oldest forgotten beyond KEPT bytes."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._files = {kept["id"]: File(**kept) for _, kept in shelf.under("file/")}

    def keep(self, data: bytes, *, owner: str, mime_type: str, name: str, file_id: str = "") -> File:
        """Store the bytes; `owner` is the account that they were sent to or from."""
        file = File(
            id=file_id or str(10**15 + secrets.randbelow(9 * 10**15)),
            owner=owner,
            mime_type=mime_type,
            name=name,
            size=len(data),
        )
        self._shelf.put_file(file.id, data)
        self._shelf.put(f"file/{file.id}", asdict(file))
        self._files[file.id] = file
        self._forget_old()
        return file

    def get(self, file_id: object) -> File | None:
        return self._files.get(file_id) if isinstance(file_id, str) else None

    def data(self, file: File) -> bytes:
        return self._shelf.file(file.id)

    def _forget_old(self) -> None:
        while sum(file.size for file in self._files.values()) > KEPT:
            self.drop(next(iter(self._files)))

    def drop(self, file_id: str) -> None:
        if self._files.pop(file_id, None):
            self._shelf.drop(f"file/{file_id}")
            self._shelf.drop_file(file_id)


def download(data: bytes, mime_type: str) -> web.Response:
    """The answer with a file that anybody may have sent: a browser keeps it, and neither guesses its type nor runs it."""
    headers = {
        "Content-Type": mime_type,
        "Content-Disposition": "attachment",
        "Content-Security-Policy": "sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(body=data, headers=headers)
