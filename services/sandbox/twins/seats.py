"""Which accounts a twin plays: those of the accounts file that speak to it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from services.sandbox.access import same

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seat:
    """An account with its settings, and those of the app that receives for it, as the accounts file has them."""

    name: str
    account: Json
    app_name: str
    app: Json


class Seats:
    """The accounts of one channel whose `api` ends in the twin's name, read again when the file has changed."""

    def __init__(self, path: Path, channel: str) -> None:
        self._path, self._channel = path, channel
        self._read: tuple[float, list[Seat]] = (-1.0, [])

    def all(self) -> list[Seat]:
        """In the order of the file; none while it is away or cannot be read."""
        try:
            changed = self._path.stat().st_mtime
            if changed != self._read[0]:
                self._read = changed, self._found(tomllib.loads(self._path.read_text()))
        except (OSError, ValueError):
            return []
        return self._read[1]

    def known(self, given: Mapping[str, object], *names: str, **named: str) -> Seat | None:
        """The account whose settings of these `names` are given; `named`: what is given, and the setting that it is."""
        wanted = {**dict(zip(names, names, strict=True)), **named}

        def is_its(seat: Seat) -> bool:
            return all(
                setting in seat.account and same(str(given.get(name)), str(seat.account[setting]))
                for name, setting in wanted.items()
            )

        return next(filter(is_its, self.all()), None)

    def _found(self, file: Json) -> list[Seat]:
        apps = file.get("apps", {}).get(self._channel, {})
        accounts: Json = file.get("accounts", {}).get(self._channel, {})
        return [
            Seat(name=name, account=account, app_name=receiver, app=apps.get(receiver, {}))
            for name, account in accounts.items()
            if urlsplit(str(account.get("api", ""))).path.strip("/") == self._channel
            for receiver in [account.get("app") or name]
        ]
