"""The accounts file of a first start: which channels speak to which of the sandbox's providers."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

from deploy.local.home import Addresses, write_private

TEMPLATE = """\
# Apps receive (their secrets verify what comes in), accounts send. Changes are taken up at once.
# Every setting of every channel: `parley channels` and docs/channels/.

[apps.telegram.sandbox]
secret = "{telegram_secret}"

[accounts.telegram.sandbox]
token = "{telegram_token}"
api = "{sandbox}"

[apps.webchat.demo]
secret = "{webchat_secret}"
identity_secret = "{identity_secret}"
origins = ["{chat}"]
demo = true
demo_frames = ["{console}"]

[accounts.webchat.demo]

[apps.webhook.demo]
secret = "{webhook_secret}"

[accounts.webhook.demo]
url = "{sandbox}/webhook/demo"
secret = "{webhook_secret}"
"""


def write_accounts(path: Path, addresses: Addresses) -> None:
    """Write the accounts file of a new home; never touch one that is there."""
    if path.exists():
        return
    text = TEMPLATE.format(
        sandbox=addresses.sandbox,
        console=addresses.services["router"].http,
        chat=addresses.services["chat_adapter"].http,
        telegram_secret=secrets.token_urlsafe(24),
        telegram_token=f"{secrets.randbelow(9 * 10**9) + 10**9}:AA{secrets.token_urlsafe(25)[:33]}",
        webchat_secret=secrets.token_urlsafe(32),
        identity_secret=secrets.token_urlsafe(32),
        webhook_secret="whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
    )
    write_private(path, text)
