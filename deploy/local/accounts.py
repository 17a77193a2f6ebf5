"""The accounts file of a first start: which channels speak to which of the sandbox's providers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from deploy.local.home import Addresses, write_private
from services.sandbox.twins import TWINS
from services.sandbox.twins.proofs import b64, meta_app
from services.sandbox.twins.twin import HERE, First, digits

HEAD: Final = """\
# Apps receive (their secrets verify what comes in), accounts send. Changes are taken up at once.
# Every setting of every channel: `parley channels` and docs/channels/.
"""


def write_accounts(path: Path, addresses: Addresses) -> None:
    """Write the accounts file of a new home; never touch one that is there."""
    if path.exists():
        return
    tables = [HEAD]
    for name, first in _by_hand(addresses):
        tables += _tables(name, first)
    for twin in TWINS:
        at = f"{addresses.sandbox}/{twin.channel}"
        tables += [text.replace(HERE, at) for text in _tables(f"{twin.channel}.sandbox", twin.first())]
    write_private(path, "\n".join(tables))


def _tables(name: str, first: First) -> Iterator[str]:
    if first.app:
        yield _table(f"apps.{name}", first.app)
    yield _table(f"accounts.{name}", first.account)


def _table(name: str, settings: Mapping[str, Any]) -> str:
    """As TOML, whose words, numbers and lists are JSON's."""
    lines = (f"{setting} = {json.dumps(value)}\n" for setting, value in settings.items())
    return f"[{name}]\n{''.join(lines)}"


def _by_hand(addresses: Addresses) -> Iterator[tuple[str, First]]:
    """The channels whose provider is no twin, or that have none."""
    api = {"api": addresses.sandbox}
    bot = f"{digits(10)}:AA{secrets.token_urlsafe(25)[:33]}"
    yield "telegram.sandbox", First({"token": bot, **api}, {"secret": secrets.token_urlsafe(24)})
    number = {"phone_number_id": digits(15), "waba_id": digits(15)}
    yield "whatsapp.sandbox", First({**number, "token": f"EAA{secrets.token_hex(40)}", **api}, meta_app())
    page = {"page_id": digits(15), "token": f"EAA{secrets.token_hex(40)}", **api, "human_agent": True}
    yield "facebook.sandbox", First(page, meta_app())
    keys = {"secret": secrets.token_urlsafe(32), "identity_secret": secrets.token_urlsafe(32)}
    chat, console = addresses.services["chat_adapter"].http, addresses.services["router"].http
    yield "webchat.demo", First({}, {**keys, "origins": [chat], "demo": True, "demo_frames": [console]})
    host, _, port = (addresses.services["sandbox"].smtp or "").rpartition(":")
    inbox = {"address": "support@parley.example", "display_name": "Parley Shop", "reply_domain": "reply.parley.example"}
    yield "email.support", First({**inbox, "host": host, "port": int(port), "security": "none"})
    secret = {"secret": f"whsec_{b64(secrets.token_bytes(24))}"}
    yield "webhook.demo", First({"url": f"{addresses.sandbox}/webhook/demo", **secret}, secret)
