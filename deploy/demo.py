"""The accounts file of a demonstration in containers: every channel speaks to the sandbox. `python -m deploy.demo FILE …`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from deploy.local.accounts import write_accounts
from deploy.local.home import Addresses, Service


def main() -> None:
    """Write the file with secrets made at random, unless it is there."""
    given = read_arguments()
    write_accounts(given.file, make_addresses(given))


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
