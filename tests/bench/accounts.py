"""What accounts cost an adapter that has nothing to do: sockets held, providers polled, tokens kept fresh, states told.

The sandbox plays the providers. The same adapter with one account per channel, in the same run, is what it is compared to.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from deploy.local.accounts import write_accounts
from deploy.local.home import Addresses, keep_ports
from deploy.local.services import is_ready, make_addresses, make_environment
from services.chat_adapter.registry import CHANNELS
from shared.runtime.settings import Settings

ACCOUNTS: Final = 200
SETTLING: Final = 20.0  # seconds until every account is registered, connected and told
IDLE: Final = 20.0  # seconds over which the CPU is taken
TABLE: Final = re.compile(r"\[(apps|accounts)\.(\w+)\.(\w+)\]")


def accounts_bench(settings: Settings) -> dict[str, dict[str, float]]:
    """Figures of a chat adapter with one account per channel, and with 200 over all its channels."""
    return {"few": measured(settings, 1), "many": measured(settings, -(-ACCOUNTS // len(CHANNELS)))}


def measured(settings: Settings, copies: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="parley-bench-accounts-") as folder:
        home = Path(folder)
        database = settings.database.get_secret_value()
        addresses = make_addresses(keep_ports(home), kafka=settings.kafka, database=database, token="bench" * 8)
        count = write_copies(home, addresses, copies)
        with (
            running(home, addresses, "sandbox", settings.prefix),
            running(home, addresses, "chat_adapter", settings.prefix) as adapter,
        ):
            return {"accounts": count, **figures(adapter)}


def figures(adapter: psutil.Process) -> dict[str, float]:
    """Of a process that has just become ready."""
    started = time.time() - adapter.create_time()
    time.sleep(SETTLING)
    used = adapter.cpu_times()
    time.sleep(IDLE)
    spent = adapter.cpu_times()
    return {
        "start_seconds": started,
        "megabytes": adapter.memory_info().rss / 1e6,
        "idle_cpu_percent": 100 * (spent.user + spent.system - used.user - used.system) / IDLE,
    }


def write_copies(home: Path, addresses: Addresses, copies: int) -> int:
    """The accounts of so many first starts in one file; how many are the chat adapter's."""
    texts = []
    for number in range(copies):
        one = home / f"{number}.toml"
        write_accounts(one, addresses)
        texts.append(TABLE.sub(rf"[\1.\2.\3-{number}]", one.read_text()))
    (home / "accounts.toml").write_text("".join(texts))
    found = tomllib.loads("".join(texts))["accounts"]
    return sum(len(named) for channel, named in found.items() if channel in CHANNELS)


@contextmanager
def running(home: Path, addresses: Addresses, name: str, prefix: str) -> Iterator[psutil.Process]:
    """The service, from when it is ready; it is gone afterwards."""
    ours = {"PARLEY_PREFIX": prefix, "PARLEY_LOG_LEVEL": "warning"}
    environment = os.environ | make_environment(home, addresses, name) | ours
    child = subprocess.Popen([sys.executable, "-m", f"services.{name}"], env=environment, stdout=subprocess.DEVNULL)
    try:
        while not asyncio.run(is_ready(addresses.services[name].http)):
            if child.poll() is not None:
                raise SystemExit(f"{name} ended with {child.returncode}")
            time.sleep(0.1)
        yield psutil.Process(child.pid)
    finally:
        child.terminate()
        child.wait(60)
