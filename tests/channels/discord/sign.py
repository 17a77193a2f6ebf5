"""How Discord signs an interaction, for `parley sample discord`: …/interactions/overview#setting-up-an-endpoint."""

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

OURS = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"the samples' application at Discord").digest())


def sign(app, body, now):
    key = OURS if app["public_key"] == OURS.public_key().public_bytes_raw().hex() else Ed25519PrivateKey.generate()
    time = str(int(now.timestamp()))
    return {"X-Signature-Ed25519": key.sign(time.encode() + body).hex(), "X-Signature-Timestamp": time}
