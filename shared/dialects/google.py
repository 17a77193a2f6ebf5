"""A Google service account: the key that Google gives for it, and the access tokens that it gives for that."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

import jwt
import orjson
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import Field as Described, SecretStr, field_validator

from shared.contract import channel
from shared.contract.channel import Context, Http, Steps, Token

LIVES: Final = timedelta(hours=1)  # of an access token, at the most
# https://developers.google.com/identity/protocols/oauth2/service-account#error-codes
REFUSED: Final = frozenset(
    {
        *("invalid_client", "invalid_grant", "invalid_scope", "unauthorized_client", "access_denied"),
        *("admin_policy_enforced", "disabled_client", "org_internal", "deleted_client"),
    }
)


class Serviced(channel.Account):
    """What is sent by a service account."""

    credentials: SecretStr = Described(description="the service account's key: the JSON file that Google gives")
    login: str = Described(default="https://oauth2.googleapis.com", description="where access tokens are given")

    @field_validator("credentials")
    @classmethod
    def _whole(cls, credentials: SecretStr) -> SecretStr:
        try:
            key = orjson.loads(credentials.get_secret_value())
            load_pem_private_key(key["private_key"].encode(), None)
            assert isinstance(key["client_email"], str)
            assert isinstance(key["private_key_id"], str)
        except Exception:  # noqa: BLE001 whatever it is, its words may hold the key
            raise ValueError("no service account's key; give the JSON file that Google gave, unchanged") from None
        return credentials


def access(account: Serviced, scope: str, context: Context) -> Steps[Token]:
    """By a JWT that the key signs: https://developers.google.com/identity/protocols/oauth2/service-account#httprest."""
    key = orjson.loads(account.credentials.get_secret_value())
    address, now = f"{account.login}/token", int(context.now.timestamp())
    about = {"iss": key["client_email"], "scope": scope, "aud": address}
    times = {"iat": now, "exp": now + int(LIVES.total_seconds())}
    assertion = jwt.encode({**about, **times}, key["private_key"], "RS256", headers={"kid": key["private_key_id"]})
    asked = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    form = {"content-type": "application/x-www-form-urlencoded"}
    told = (yield Http(url=address, headers=form, body=urlencode(asked).encode())).json()
    return Token(value=SecretStr(told["access_token"]), expires_in=timedelta(seconds=told["expires_in"]))
