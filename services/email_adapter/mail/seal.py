"""What an inbox has said in a mail, signed (RFC 2104), so that no other words are taken for it when they come back."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Final, TypeAlias

from services.email_adapter.mail.names import Account

HEADER: Final = "Parley-Seal"

Said: TypeAlias = "Sequence[Said] | str | None"


def seal(said: Said, account: Account, secret: bytes) -> str:
    """HMAC-SHA256 in hex over `said` and whose inbox says it. How texts are folded and spaced is no matter: a server on the
    way may change that.
    """
    bound = json.dumps(["seal", account.tenant, account.address, _unfolded(said)])
    return hmac.digest(secret, bound.encode(), hashlib.sha256).hex()


def _unfolded(said: Said) -> Said:
    if isinstance(said, str):
        return " ".join(said.split())
    return said and [_unfolded(one) for one in said]
