"""`parley dkim`: what DNS must say of the keys that inboxes sign with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from services.cli.channels import CHANNELS
from services.cli.running import AsJson, Home, fail, find
from shared.contract.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.email_adapter.mail.signing import Signer
    from shared.runtime.accounts import Accounts

UNUSABLE: Final = 1

app = typer.Typer()


@dataclass(frozen=True)
class Published:
    """`name` is to have this TXT record, so that what `inbox` sends can be verified."""

    inbox: str
    signer: Signer
    name: str
    record: str


@app.command()
def dkim(
    file: Annotated[Path | None, typer.Argument(help="The accounts file; default: the system's own.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Print the DNS records to publish for the keys that inboxes sign with; `parley doctor` looks whether they are there.

    Exit codes: 0 printed (nothing, where no inbox signs), 1 the accounts file cannot be used.
    """
    from shared.runtime.accounts import load

    try:
        found = list(published(load(file or Path(find(home).settings.accounts), CHANNELS)))
    except Misconfigured as error:
        fail(error.detail, UNUSABLE)
    if as_json:
        print(
            json.dumps([{"inbox": one.inbox, "name": one.name, "type": "TXT", "record": one.record} for one in found])
        )
        return
    for one in found:
        print(f"{one.name}. TXT {_quoted(one.record)}")


def published(accounts: Accounts) -> Iterator[Published]:
    """Each record once, by the first inbox that signs with it."""
    from services.email_adapter.mail.signing import record

    named: set[str] = set()
    for channel, account in accounts.all():
        for signer in getattr(account, "signers", ()) if channel == "email" else ():
            name = f"{signer.selector}._domainkey.{signer.domain}"
            if name not in named:
                named.add(name)
                yield Published(account.name, signer, name, record(signer.pem))


def _quoted(record: str) -> str:
    """As a zone file has it: strings of 255 bytes at the most (RFC 1035 §3.3)."""
    return " ".join(f'"{record[at : at + 255]}"' for at in range(0, len(record), 255))
