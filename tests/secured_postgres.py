"""A PostgreSQL of a test's own that takes only encrypted connections, as managed ones do.

It is this machine's: the one from the wheel is built without TLS.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from deploy.local import postgres
from deploy.local.home import LOOPBACK, choose_port
from deploy.local.programs import Program, run_once, spawn, sweep
from tests.certificates import certificate
from tests.conftest import require

NAME: Final = "localhost"
PASSWORD: Final = "word"
DEBIANS: Final = Path("/usr/lib/postgresql")  # not in PATH, since several versions may be there
USER: Final = "postgres"


@dataclass(frozen=True, kw_only=True)
class SecuredPostgres:
    port: int
    authority: Path

    def dsn(self, *, host: str = NAME, password: str = PASSWORD, **options: str) -> str:
        """`options`: what stands behind the question mark."""
        tail = f"?{urlencode(options)}" if options else ""
        return f"postgresql://{USER}:{password}@{host}:{self.port}/postgres{tail}"


@asynccontextmanager
async def secured_postgres(folder: Path) -> AsyncIterator[SecuredPostgres]:
    """The server, running; `folder` is empty."""
    programs, user, port = find_programs(), postgres.find_user(), choose_port(set())
    authority, chain, key = certificate(folder, NAME)
    home = folder / "postgres"
    home.mkdir(mode=0o700)
    password = folder / "password"
    password.write_text(PASSWORD)
    if user:
        postgres.admit(home)
        for path in (home, key, password):
            shutil.chown(path, user)
    key.chmod(0o600)
    log = folder / "postgres.log"
    make = (programs / "initdb", f"--username={USER}", f"--pwfile={password}", "--auth=scram-sha-256", "-D", home)
    assert await run_once(program(make, log, user)) == 0, log.read_text()
    rules = home / "pg_hba.conf"
    rules.write_text(rules.read_text().replace("\nhost ", "\nhostssl "))
    settings = {
        "listen_addresses": LOOPBACK,
        "port": port,
        "unix_socket_directories": "",
        "ssl": "on",
        "ssl_cert_file": chain,
        "ssl_key_file": key,
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    process = await spawn(program((programs / "postgres", "-D", home, *options), log, user))
    try:
        running = SecuredPostgres(port=port, authority=authority)
        async with asyncio.timeout(240):
            while not await postgres.answers(running.dsn(sslmode="require")):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.2)
        yield running
    finally:
        sweep(process.pid)
        await process.wait()


def program(argv: tuple[object, ...], log: Path, user: str | None) -> Program:
    return Program(name="postgres", argv=tuple(map(str, argv)), log=log, folder=Path("/"), user=user)


def find_programs() -> Path:
    """The folder of a PostgreSQL that can encrypt."""
    places = [Path(found).resolve()] if (found := shutil.which("postgres")) else []
    places += sorted(DEBIANS.glob("*/bin/postgres"))
    require(places, f"a PostgreSQL of this machine (`postgres` in PATH or under {DEBIANS})")
    told = subprocess.run([places[0], "--describe-config"], capture_output=True, text=True, check=True).stdout
    ciphers = next(line for line in told.splitlines() if line.startswith("ssl_ciphers\t"))
    require("\tnone\t" not in ciphers, "a PostgreSQL that is built with TLS")
    return places[0].parent
