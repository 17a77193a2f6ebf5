"""How the other system signs a body, for `parley sample webhook`: https://www.standardwebhooks.com."""

import base64
import hashlib
import hmac


def sign(app, body, now):
    name, time = f"msg_{hashlib.sha256(body).hexdigest()[:16]}", str(int(now.timestamp()))
    key = base64.b64decode(app["secret"].removeprefix("whsec_"))
    digest = hmac.digest(key, f"{name}.{time}.".encode() + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": name, "webhook-timestamp": time, "webhook-signature": signature}
