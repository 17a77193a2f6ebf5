"""How Telnyx signs a body, for `parley sample telnyx`: https://developers.telnyx.com/docs/development/api-fundamentals/webhooks."""

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

OURS = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"the samples' account at Telnyx").digest())


def sign(app, body, now):
    key = (
        OURS
        if base64.b64decode(app["public_key"]) == OURS.public_key().public_bytes_raw()
        else Ed25519PrivateKey.generate()
    )
    time = str(int(now.timestamp()))
    return {
        "Telnyx-Timestamp": time,
        "Telnyx-Signature-Ed25519": base64.b64encode(key.sign(time.encode() + b"|" + body)).decode(),
    }
