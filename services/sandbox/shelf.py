"""A dictionary that outlives its process: JSON lines, appended as things change, packed when it is opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson


class Shelf:
    """Keys are paths such as `chat/7/12`, values JSON. Without a folder it is only memory.

    What was put has left the process when `put` returns, so that kill -9 loses nothing.
    """

    def __init__(self, folder: Path | None, name: str) -> None:
        self._items: dict[str, Any] = {}
        self._files: dict[str, bytes] = {}
        self._folder = folder / name if folder else None
        self._journal = self._open(self._folder) if self._folder else None

    def _open(self, folder: Path) -> Any:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path, packed = folder / "journal.jsonl", folder / "journal.packed"
        if path.exists():
            self._items = dict(_replay(path))
        packed.write_bytes(b"".join(_line(key, value) for key, value in self._items.items()))
        packed.replace(path)
        return path.open("ab", buffering=0)

    def put(self, key: str, value: Any) -> None:
        self._items[key] = value
        if self._journal:
            self._journal.write(_line(key, value))

    def drop(self, key: str) -> None:
        if self._items.pop(key, None) is not None and self._journal:
            self._journal.write(_line(key, None))

    def get(self, key: str) -> Any:
        """The value; None where there is none."""
        return self._items.get(key)

    def under(self, prefix: str) -> list[tuple[str, Any]]:
        """Everything whose key begins so, oldest first."""
        return [(key, value) for key, value in self._items.items() if key.startswith(prefix)]

    def put_file(self, name: str, data: bytes) -> None:
        if self._folder:
            (self._folder / name).write_bytes(data)
        else:
            self._files[name] = data

    def file(self, name: str) -> bytes:
        return (self._folder / name).read_bytes() if self._folder else self._files[name]

    def drop_file(self, name: str) -> None:
        if self._folder:
            (self._folder / name).unlink(missing_ok=True)
        else:
            self._files.pop(name, None)

    def close(self) -> None:
        if self._journal:
            self._journal.close()


def _replay(path: Path) -> Iterator[tuple[str, Any]]:
    """What the lines come to; a last line that was cut by a crash is nothing."""
    items: dict[str, Any] = {}
    for line in path.read_bytes().splitlines():
        try:
            key, value = orjson.loads(line)
        except ValueError:
            continue
        items[key] = value
    return ((key, value) for key, value in items.items() if value is not None)


def _line(key: str, value: Any) -> bytes:
    return orjson.dumps((key, value)) + b"\n"
