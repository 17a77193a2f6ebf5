"""How Google signs what it tells: …/rcs-business-messaging/guides/integrate/webhooks#verify."""

import base64
import hashlib
import hmac
import json


def sign(app, body, now):
    told = base64.b64decode(json.loads(body)["message"]["data"])
    return {"X-Goog-Signature": base64.b64encode(hmac.digest(app["token"].encode(), told, hashlib.sha512)).decode()}
