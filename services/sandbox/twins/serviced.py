"""Google's service accounts: whoever signs with the key of one is given an access token; and what comes by its Pub/Sub."""

from __future__ import annotations

import secrets
from typing import Any, Final

import jwt
import orjson
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from services.sandbox.chats import now
from services.sandbox.twins.grants import Granting
from services.sandbox.twins.proofs import b64, new_rsa
from services.sandbox.twins.twin import Call, No, digits

Json = dict[str, Any]
NO_KEY: Final = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}


def service_account() -> str:
    """A key as Google gives it for download."""
    about = {"type": "service_account", "private_key_id": secrets.token_hex(20), "private_key": new_rsa()}
    return orjson.dumps({**about, "client_email": "parley@parley-sandbox.iam.gserviceaccount.com"}).decode()


def pushed(event: Json, **attributes: str) -> Json:
    """As Pub/Sub brings it: https://cloud.google.com/pubsub/docs/push."""
    message = {"data": b64(orjson.dumps(event)), "messageId": digits(16), "publishTime": now()}
    told = {**message, "attributes": attributes} if attributes else message
    return {"message": told, "subscription": "projects/sandbox/subscriptions/parley"}


class Serviced(Granting):
    """A provider whose accounts have `credentials` and a `login`."""

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
            return self.grant(seat)
        raise No(400, NO_KEY)
