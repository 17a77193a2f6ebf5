"""What a demonstration in containers is made of at its first start: secrets, and accounts that all speak to the sandbox."""

from __future__ import annotations

import contextlib
import os
import secrets
from argparse import ArgumentParser, Namespace
from pathlib import Path

from deploy.local.accounts import write_accounts
from deploy.local.home import Addresses, Service


def main() -> None:
    """Write the accounts file, and `token` and `secret` beside it, all made at random, unless they are there."""
    given = read_arguments()
    write_accounts(given.file, make_addresses(given))
    for name in ("token", "secret"):
        write_once(given.file.with_name(name), secrets.token_urlsafe(32))


def write_once(file: Path, content: str) -> None:
    """A file that only its owner reads; one that is there stays."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with contextlib.suppress(FileExistsError), os.fdopen(os.open(file, flags, 0o600), "w") as made:
        made.write(content)


def read_arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m deploy.demo", description=main.__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--sandbox", required=True, help="the sandbox, as the services reach it: http://host:port")
    parser.add_argument("--sandbox-smtp", required=True, help="its mail server, as email_adapter reaches it: host:port")
    parser.add_argument("--console", required=True, help="the router, as a browser reaches it: http://host:port")
    parser.add_argument("--chat", required=True, help="chat_adapter, as a browser reaches it: http://host:port")
    return parser.parse_args()


def make_addresses(given: Namespace) -> Addresses:
    """The addresses that the accounts are made of; the servers' own are not among them."""
    services = {
        "router": Service(http=given.console),
        "chat_adapter": Service(http=given.chat),
        "sandbox": Service(http=given.sandbox, smtp=given.sandbox_smtp),
    }
    return Addresses(kafka="", database="", console="", sandbox=given.sandbox, token="", services=services)


if __name__ == "__main__":
    main()
