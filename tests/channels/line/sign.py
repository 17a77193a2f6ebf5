"""How LINE signs a body, for `parley sample line`: …/messaging-api/#signature-validation."""

import base64
import hashlib
import hmac


def sign(app, body, now):
    return {"x-line-signature": base64.b64encode(hmac.digest(app["secret"].encode(), body, hashlib.sha256)).decode()}
