"""Parley's own services as programs: their environment, their addresses, their health."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from deploy.local.home import LOOPBACK, SERVICES, SMTP, Addresses, Service
from deploy.local.programs import Program


def make_environment(home: Path, addresses: Addresses, name: str, http: str | None = None) -> dict[str, str]:
    """Return what one service reads from its environment; `http` moves a second replica to its own address."""
    http = http or addresses.services[name].http
    smtp = {name: (service.smtp or "").rpartition(":") for name, service in addresses.services.items()}
    consoles = {
        "PARLEY_CONSOLE_CHAT": addresses.services["chat_adapter"].http,
        "PARLEY_CONSOLE_SANDBOX": addresses.services["sandbox"].http,
    }
    sandbox = {
        "PARLEY_SANDBOX_DATA": str(home / "sandbox"),
        "PARLEY_SANDBOX_SMTP_PORT": smtp["sandbox"][2],
        "PARLEY_SANDBOX_MX": addresses.services["email_adapter"].smtp or "",
        "PARLEY_SANDBOX_CHAT": addresses.services["chat_adapter"].http,
        "PARLEY_SANDBOX_SOCIAL": addresses.services["social_adapter"].http,
    }
    return {
        "PARLEY_KAFKA": addresses.kafka,
        "PARLEY_DATABASE": addresses.database,
        "PARLEY_BLOBS": (home / "blobs").as_uri(),
        "PARLEY_ACCOUNTS": str(home / "accounts.toml"),
        "PARLEY_TOKEN": addresses.token,
        "PARLEY_TOKENS": str(home / "tokens.toml"),
        "PARLEY_HTTP_HOST": LOOPBACK,
        "PARLEY_HTTP_PORT": http.rpartition(":")[2],
        "PARLEY_PUBLIC_URL": http,
        "PARLEY_PARTITIONS": os.environ.get("PARLEY_PARTITIONS", "6"),
        "PARLEY_REPLICATION": os.environ.get("PARLEY_REPLICATION", "1"),
        "PARLEY_SECRET": addresses.token,
        "PARLEY_SESSION_SECONDS": os.environ.get("PARLEY_SESSION_SECONDS", "10"),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "",  # compiled modules are kept: the second start is quicker
        **(consoles if name == "router" else {}),
        **({"PARLEY_SMTP_HOST": smtp[name][0], "PARLEY_SMTP_PORT": smtp[name][2]} if name == "email_adapter" else {}),
        **(sandbox if name == "sandbox" else {}),
    }


def make_addresses(ports: dict[str, int], *, kafka: str, database: str, token: str) -> Addresses:
    """Return every address of a home."""
    services = {
        name: Service(
            http=f"http://{LOOPBACK}:{ports[name]}",
            smtp=f"{LOOPBACK}:{ports[f'{name}_smtp']}" if name in SMTP else None,
        )
        for name in SERVICES
    }
    return Addresses(
        kafka=kafka,
        database=database,
        console=services["router"].http + "/console/",
        sandbox=services["sandbox"].http,
        token=token,
        services=services,
    )


def program(home: Path, addresses: Addresses, name: str) -> Program:
    """Return one service as a program."""
    return Program(
        name=name,
        argv=(sys.executable, "-m", f"services.{name}"),
        log=home / "logs" / f"{name}.log",
        environment=make_environment(home, addresses, name),
    )


def setup_program(home: Path, addresses: Addresses) -> Program:
    """Return what makes topics and tables; it may run at every start."""
    return Program(
        name="setup",
        argv=(sys.executable, "-m", "deploy.local.setup"),
        log=home / "logs" / "setup.log",
        environment=make_environment(home, addresses, "router"),
    )


async def is_ready(http: str) -> bool:
    """Tell whether a service says that it is ready."""
    import aiohttp

    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session,
            session.get(f"{http}/health/ready") as response,
        ):
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
