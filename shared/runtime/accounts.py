"""The accounts file: which apps receive and which accounts send, read again whenever it changes."""

from __future__ import annotations

import asyncio
import hashlib
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import structlog
from pydantic import ValidationError

from shared.contract.channel import Account, App, Channel, Settings
from shared.contract.codes import CHANNELS
from shared.contract.errors import Misconfigured
from shared.runtime.observe import ACCOUNTS_FILE, RELOADS

S = TypeVar("S", bound=Settings)
Tables = Mapping[str, Mapping[str, Mapping[str, Any]]]

KINDS: Final = ("apps", "accounts")
NAME_LIMIT: Final = 255
log = structlog.get_logger()


@dataclass(frozen=True)
class Accounts:
    """Every app and account of this process's channels. `sources`: the files it was read from, secrets included."""

    apps: Mapping[tuple[str, str], App] = field(default_factory=dict)
    accounts: Mapping[tuple[str, str], Account] = field(default_factory=dict)
    keys: Mapping[tuple[str, str, str], Account] = field(default_factory=dict)
    sources: tuple[Path, ...] = field(default=(), compare=False)

    def app(self, channel: str, name: str) -> App | None:
        return self.apps.get((channel, name))

    def account(self, channel: str, name: str) -> Account | None:
        return self.accounts.get((channel, name))

    def by_key(self, channel: str, app: str, account_key: str) -> Account | None:
        """The account that this app receives for and that the provider calls so."""
        return self.keys.get((channel, app, account_key))

    def all_apps(self) -> Iterator[tuple[str, App]]:
        """Each app with its channel's name."""
        return ((channel, app) for (channel, _), app in self.apps.items())

    def all(self) -> Iterator[tuple[str, Account]]:
        """Each account with its channel's name."""
        return ((channel, account) for (channel, _), account in self.accounts.items())


def load(path: Path, channels: Mapping[str, Channel]) -> Accounts:
    """Read the file. Tables of channels that this process does not have are left to those that do.

    Raises Misconfigured with the file, the table, the field and what to do, never with a value.
    """
    reader = _Reader(path)
    tables = reader.tables()
    apps = {
        (channel.name, name): reader.settings(channel.app, f"apps.{channel.name}.{name}", values)
        for channel, name, values in _of(tables.get("apps", {}), channels)
    }
    accounts = {
        (channel.name, name): reader.settings(channel.account, f"accounts.{channel.name}.{name}", values)
        for channel, name, values in _of(tables.get("accounts", {}), channels)
    }
    return Accounts(apps, accounts, _by_key(reader, apps, accounts), tuple(reader.sources))


def _of(tables: Tables, channels: Mapping[str, Channel]) -> Iterator[tuple[Channel, str, Mapping[str, Any]]]:
    return (
        (channels[channel], name, values)
        for channel, named in tables.items()
        if channel in channels
        for name, values in named.items()
    )


def _by_key(
    reader: _Reader, apps: Mapping[tuple[str, str], App], accounts: Mapping[tuple[str, str], Account]
) -> dict[tuple[str, str, str], Account]:
    found: dict[tuple[str, str, str], Account] = {}
    for (channel, name), account in accounts.items():
        table, place = f"accounts.{channel}.{name}", (channel, account.receiver, account.key)
        if account.app and (channel, account.app) not in apps:
            reader.refuse(f"{table}.app", f"there is no table [apps.{channel}.{account.app}]; add it or mend the name")
        if other := found.get(place):
            reader.refuse(
                table, f"the provider would call it the same as {other.name}; remove one or give each its app"
            )
        found[place] = account
    return found


class _Reader:
    """One reading of the file and of the secrets that it names; remembers what it read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sources = [path]

    def refuse(self, place: str, reason: str) -> NoReturn:
        raise Misconfigured(f"{self.path}: {f'[{place}] ' if place else ''}{reason}.")

    def tables(self) -> Mapping[str, Tables]:
        try:
            document = tomllib.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            self.refuse("", "there is no such file; create it, or let PARLEY_ACCOUNTS name the right one")
        except OSError as error:
            self.refuse("", f"it cannot be read ({error.strerror}); mend its permissions")
        except UnicodeDecodeError:
            self.refuse("", "it is not UTF-8; save it as UTF-8")
        except tomllib.TOMLDecodeError as error:
            self.refuse("", f"it is not TOML: {error}; mend that line")
        self._check_shape(document)
        return document

    def _check_shape(self, document: Mapping[str, Any]) -> None:
        for kind, channels in document.items():
            if kind not in KINDS or not isinstance(channels, dict):
                self.refuse(kind, "tables are called [apps.CHANNEL.NAME] and [accounts.CHANNEL.NAME]; rename it")
            for channel, named in channels.items():
                if channel not in CHANNELS:
                    self.refuse(
                        f"{kind}.{channel}", f"there is no channel {channel}; it is one of {', '.join(CHANNELS)}"
                    )
                if not isinstance(named, dict) or not all(isinstance(values, dict) for values in named.values()):
                    self.refuse(f"{kind}.{channel}", f"settings stand in a named table; write [{kind}.{channel}.main]")
                for name in named:
                    if not 0 < len(name) <= NAME_LIMIT:
                        self.refuse(f"{kind}.{channel}", f"a name has 1 to {NAME_LIMIT} characters; choose another")

    def settings(self, model: type[S], table: str, values: Mapping[str, Any]) -> S:
        if "name" in values:
            self.refuse(f"{table}.name", "the table's own name is the name; remove this line")
        try:
            return model(
                name=table.split(".", 2)[2],
                **{key: self._value(f"{table}.{key}", value) for key, value in values.items()},
            )
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            where = ".".join((table, *map(str, first["loc"])))
            self.refuse(
                where, f"{_REMEDIES.get(first['type'], first['msg'])}; see `parley channels` and the channel's page"
            )

    def _value(self, place: str, value: Any) -> Any:
        match value:
            case {"file": str(name), **rest} if not rest:
                return self._secret(place, self.path.parent / name)
            case dict():
                return {key: self._value(f"{place}.{key}", item) for key, item in value.items()}
            case list():
                return [self._value(place, item) for item in value]
            case _:
                return value

    def _secret(self, place: str, path: Path) -> str:
        self.sources.append(path)
        try:
            return path.read_text("utf-8").removesuffix("\n").removesuffix("\r")
        except OSError as error:
            self.refuse(place, f"the file {path} cannot be read ({error.strerror}); create it or mend its permissions")
        except UnicodeDecodeError:
            self.refuse(place, f"the file {path} is not UTF-8 text; write the secret as text")


_REMEDIES: Final = {
    "missing": "it is missing and has no default; add it",
    "extra_forbidden": "the channel has no such setting; remove it or mend the name",
}


class AccountsFile:
    """The accounts file as it is now. A new one that cannot be used changes nothing but a metric and the log."""

    def __init__(self, path: Path, channels: Mapping[str, Channel]) -> None:
        """Read the file; raises Misconfigured."""
        self.path = path
        self.channels = channels
        self.current = load(path, channels)
        self.trouble: str | None = None
        self._seen = _digest(self.current.sources)
        self._listeners: list[Callable[[Accounts], None]] = []
        ACCOUNTS_FILE.set(1)

    def on_change(self, listener: Callable[[Accounts], None]) -> None:
        """Call this with the new accounts after each change."""
        self._listeners.append(listener)

    async def watch(self, period: float = 1.0) -> None:
        """Look for changes for ever, every `period` seconds: at content, since Kubernetes swaps links under the name."""
        while True:
            await asyncio.sleep(period)
            await self.refresh()

    async def refresh(self) -> bool:
        """Look once; whether there are new accounts."""
        seen = await asyncio.to_thread(_digest, self.current.sources)
        if seen == self._seen and self.trouble is None:
            return False
        try:
            fresh = await asyncio.to_thread(load, self.path, self.channels)
        except Misconfigured as error:
            self._keep(error)
            return False
        return self._take(fresh, seen)

    def _keep(self, error: Misconfigured) -> None:
        """Go on with what there was, and say once why."""
        ACCOUNTS_FILE.set(0)
        if error.detail != self.trouble:
            self.trouble = error.detail
            RELOADS.labels(outcome="failed").inc()
            log.error("accounts.reload_failed", detail=error.detail, kept="the accounts read before")

    def _take(self, fresh: Accounts, seen: bytes) -> bool:
        ACCOUNTS_FILE.set(1)
        changed = fresh != self.current
        self.current, self.trouble, self._seen = fresh, None, seen
        if changed:
            RELOADS.labels(outcome="changed").inc()
            log.info("accounts.reloaded", accounts=len(fresh.accounts))
            self._tell(fresh)
        return changed

    def _tell(self, fresh: Accounts) -> None:
        """One listener's failure must not keep the news from the others, or end the watch."""
        for listener in self._listeners:
            try:
                listener(fresh)
            except Exception:
                log.exception("accounts.listener_failed")


def _digest(sources: tuple[Path, ...]) -> bytes:
    """A fingerprint of the files' contents; a missing file has one too."""
    digest = hashlib.blake2b()
    for source in sources:
        try:
            content = hashlib.blake2b(source.read_bytes()).digest()
        except OSError:
            content = b"missing"
        digest.update(content)
    return digest.digest()
