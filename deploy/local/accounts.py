"""The accounts file of a first start: which channels speak to which of the sandbox's providers."""

from __future__ import annotations

from pathlib import Path

from deploy.local.home import Addresses, write_private


def write_accounts(path: Path, addresses: Addresses) -> None:
    """Write the accounts file of a new home; never touch one that is there."""
    if not path.exists():
        write_private(path, f"# Apps and accounts of this stack; the sandbox is at {addresses.sandbox}\n")
