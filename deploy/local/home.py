"""The folder of one local stack: what it keeps between starts, and who holds it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import secrets
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from deploy.local.trouble import AlreadyRunning, BusyPort, FullDisk, Trouble

SMTP = ("email_adapter", "sandbox")  # these listen for mail as well
SERVICES = ("router", "email_adapter", "social_adapter", "chat_adapter", "sandbox")
OURS = ("kafka", "logs", "blobs", "sandbox", "accounts.toml")  # what an earlier release left readable
LOOPBACK = "127.0.0.1"
# Below the ephemeral ranges of Linux and macOS: an outgoing connection can never sit on a port that is kept here.
PORTS = range(20000, 30000)


@dataclass(frozen=True, kw_only=True)
class Service:
    """Where one service listens: `http` as a URL, `smtp` and `lmtp` as host:port; None where it has no such listener."""

    http: str
    smtp: str | None = None
    lmtp: str | None = None


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Every address of a stack, as `addresses.json` holds them."""

    kafka: str
    database: str
    console: str
    sandbox: str
    token: str
    services: Mapping[str, Service]


def read_addresses(home: Path) -> Addresses:
    """Read `addresses.json`; raises FileNotFoundError where no stack was ever started."""
    raw = json.loads((home / "addresses.json").read_text())
    return Addresses(**{**raw, "services": {name: Service(**service) for name, service in raw["services"].items()}})


def write_addresses(home: Path, addresses: Addresses) -> None:
    """Write `addresses.json` for the owner's eyes only: it holds the token and the database password."""
    write_private(home / "addresses.json", json.dumps(asdict(addresses), indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically, readable by its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def keep_secret(path: Path) -> str:
    """Read the secret in this file, made at random the first time."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text().strip()


def keep_ports(home: Path) -> dict[str, int]:
    """Read the ports of this home by name, chosen free the first time."""
    path = home / "ports.json"
    kept: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
    for name in ("kafka", "kafka_controller", "postgres", *SERVICES, *(f"{name}_smtp" for name in SMTP)):
        if name not in kept:
            kept[name] = choose_port(set(kept.values()))
    write_private(path, json.dumps(kept, indent=2) + "\n")
    return kept


def choose_port(taken: set[int]) -> int:
    """Find a port that nobody listens on."""
    return next(port for port in random.sample(PORTS, len(PORTS)) if port not in taken and is_free(port))


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of the loopback interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def check_ports(home: Path, ports: Mapping[str, int]) -> None:
    """Raise BusyPort when another process took a port that this home kept."""
    for name, port in ports.items():
        if not is_free(port):
            raise BusyPort(
                f"Port {port} of {name} is taken by {describe_listener(port)}: "
                f"end that process, or delete {home / 'ports.json'} so that the next start chooses other ports."
            )


def describe_listener(port: int) -> str:
    """Name the process that listens on a port, as far as this user may know."""
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return "another process"


def check_space(home: Path) -> None:
    """Raise FullDisk below the floor: Kafka and PostgreSQL stop hard when they cannot write."""
    floor = int(os.environ.get("PARLEY_FREE_MB", "500"))
    free = shutil.disk_usage(home).free // 1_000_000
    if free < floor:
        raise FullDisk(
            f"Only {free} MB are free on the disk of {home} and Parley wants {floor} MB: "
            "free some space, or choose another folder with --home."
        )


@contextmanager
def disk_told(home: Path) -> Iterator[None]:
    """Make the folder, and turn the system's refusals to write there into Trouble."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            advice = "free some space, or choose another folder with --home"
            raise FullDisk(f"The disk of {home} is full: {advice}.") from error
        if error.filename and Path(os.fsdecode(error.filename)).is_relative_to(home):
            advice = "give this user the right to write there, or choose another folder with --home"
            raise Trouble(f"{error.filename} cannot be used ({error.strerror}): {advice}.") from error
        raise


@contextmanager
def kept_private(home: Path) -> Iterator[None]:
    """Whatever this process and its children write until the block ends is its owner's only; so is what stands there already.

    The home itself may be a folder that the user made for more than this: its mode is theirs.
    """
    for name in OURS:
        with suppress(FileNotFoundError):
            found = home / name
            found.chmod(found.stat().st_mode & 0o700)
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def held(home: Path) -> Iterator[None]:
    """Hold this home alone until the block ends; the kernel lets go of it even after kill -9."""
    with (home / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise already_running(home) from None
        yield


def already_running(home: Path) -> AlreadyRunning:
    """Say that this home is taken."""
    return AlreadyRunning(
        f"A stack is already running in {home}: use it as it is (`parley status`), stop it with "
        "`parley down`, or choose another folder with --home."
    )


def is_held(home: Path) -> bool:
    """Tell whether a supervisor holds this home now."""
    if not (home / "lock").exists():
        return False
    try:
        with held(home):
            return False
    except AlreadyRunning:
        return True


@dataclass(frozen=True, kw_only=True)
class Running:
    """A process that was started here; `created` tells it from a later one with the same pid."""

    pid: int
    created: float
    restarts: int = 0

    def find(self) -> psutil.Process | None:
        """Return the process while it lives."""
        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and abs(process.create_time() - self.created) < 1:
                return process
        return None


def describe_running(pid: int, *, restarts: int = 0) -> Running:
    """Note a process by pid and creation time."""
    try:
        return Running(pid=pid, created=psutil.Process(pid).create_time(), restarts=restarts)
    except psutil.Error:
        return Running(pid=pid, created=0, restarts=restarts)


@dataclass(frozen=True, kw_only=True)
class Roll:
    """Who was started in a home, and whether all of it has been ready."""

    supervisor: Running
    ready: bool
    processes: Mapping[str, Running]


def read_roll(home: Path) -> Roll | None:
    """Read who was started here; None where everything was stopped in order."""
    try:
        raw: dict[str, Any] = json.loads((home / "processes.json").read_text())
    except FileNotFoundError:
        return None
    processes = {name: Running(**entry) for name, entry in raw["processes"].items()}
    return Roll(supervisor=Running(**raw["supervisor"]), ready=raw["ready"], processes=processes)


def write_roll(home: Path, roll: Roll) -> None:
    """Note who was started here."""
    write_private(home / "processes.json", json.dumps(asdict(roll)))
