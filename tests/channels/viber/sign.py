"""How Viber signs a body: https://developers.viber.com/docs/api/rest-bot-api/#callbacks."""

import hashlib
import hmac


def sign(app, body, now):
    return {"X-Viber-Content-Signature": hmac.new(app["token"].encode(), body, hashlib.sha256).hexdigest()}
