"""Google's service accounts: whoever signs with the key of one is given an access token for an hour."""

from __future__ import annotations

import secrets
import time
from typing import Any, Final

import jwt
import orjson
from aiohttp import web
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from services.sandbox.access import same
from services.sandbox.twins.proofs import new_rsa
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import Call, No, Twin

Json = dict[str, Any]
HOUR: Final = 3600
NO_KEY: Final = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}


def service_account() -> str:
    """A key as Google gives it for download."""
    about = {"type": "service_account", "private_key_id": secrets.token_hex(20), "private_key": new_rsa()}
    return orjson.dumps({**about, "client_email": "parley@parley-sandbox.iam.gserviceaccount.com"}).decode()


class Serviced(Twin):
    """A provider whose accounts have `credentials` and a `login`."""

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        """By an access token of the last hour."""
        token, until = self.shelf.get(f"token/{seat.name}") or ("", 0)
        return same(request.headers.get("Authorization", ""), f"Bearer {token}") and time.time() < until

    def token(self, call: Call) -> Json:
        """By a JWT that the service account of one of the accounts has signed."""
        for seat in self.seats.all():
            pem = orjson.loads(seat.account["credentials"])["private_key"]
            key: Any = load_pem_private_key(pem.encode(), None)
            address = f"{seat.account['login']}/token"
            try:
                jwt.decode(call.values["assertion"], key.public_key(), ["RS256"], audience=address)
            except jwt.PyJWTError:
                continue
            token = f"ya29.{secrets.token_urlsafe(60)}"
            self.shelf.put(f"token/{seat.name}", (token, time.time() + HOUR))
            return {"access_token": token, "expires_in": HOUR - 1, "token_type": "Bearer"}
        raise No(400, NO_KEY)
