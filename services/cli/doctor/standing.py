"""Where `parley doctor` stands, and how things are done there: in a cluster, in compose, beside a local stack."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from services.cli.running import System

Place = Literal["kubernetes", "compose", "local", "elsewhere"]

START: Final[Mapping[Place, str]] = {
    "kubernetes": "`kubectl get pods` says whether it runs, `kubectl logs deploy/{name}` why not.",
    "compose": "`docker compose up --detach {name}`; `docker compose logs {name}` says why it ended.",
    "local": "Start it with `parley up --home {home}`; its log is {home}/logs/{module}.log.",
    "elsewhere": "Start it, or read its log.",
}
MIGRATE: Final[Mapping[Place, str]] = {
    "kubernetes": "Apply the manifests of this version: its Job `migrate-…` does it; `kubectl get jobs` says whether it has.",
    "compose": "`docker compose up setup`.",
    "local": "`parley migrate --home {home}`, or start the stack again.",
    "elsewhere": "Run `parley migrate`.",
}
CREDENTIAL: Final[Mapping[Place, str]] = {
    "kubernetes": "Put a new credential into the Secret `parley-accounts`; it arrives without a restart.",
    "compose": "Put a new credential into /var/lib/parley/accounts.toml; it is read again without a restart.",
    "local": "Put a new credential into {home}/accounts.toml; it is read again without a restart.",
    "elsewhere": "Give it a new credential in the accounts file, which is read again without a restart.",
}


def place_of(system: System) -> Place:
    """By what the platform leaves behind: Kubernetes' own variable, Docker's mark, the home of a local stack."""
    if system.home:
        return "local"
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    return "compose" if Path("/.dockerenv").exists() else "elsewhere"


def there(remedy: Mapping[Place, str], system: System, *, name: str = "") -> str:
    """What to do, in the words of that place. `name`: of a service, as its package is called."""
    return remedy[place_of(system)].format(name=name.replace("_", "-"), module=name, home=system.home)
