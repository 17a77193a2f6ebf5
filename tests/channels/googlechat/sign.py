"""How Google signs for a body — https://developers.google.com/workspace/chat/verify-requests-from-chat, https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions."""

import json
from functools import cache
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

SAMPLES = json.loads(Path(__file__).with_name("settings.json").read_bytes())
HOOK = "https://parley.example.org/hooks/googlechat/main"
CHAT = "chat@system.gserviceaccount.com"


def sign(app, body, now):
    """Classic apps get a JWT of Chat's for the project's number, add-ons and Pub/Sub an ID token for the address."""
    key = another_key() if app.get("another_key") else json.loads(SAMPLES["account"]["credentials"])["private_key"]
    times = {"iat": int(now.timestamp()), "exp": int(now.timestamp()) + 3600}
    if b'"subscription"' in body:
        kid, claims = "google-1", identity(app["publishers"][0])
    elif b'"commonEventObject"' in body:
        kid, claims = "google-1", identity(f"service-{app['project']}@gcp-sa-gsuiteaddons.iam.gserviceaccount.com")
    else:
        kid, claims = "chat-1", {"iss": CHAT, "aud": app["project"]}
    token = jwt.encode({**claims, **times}, key, "RS256", headers={"kid": kid})
    return {"Authorization": f"Bearer {token}"}


def identity(email):
    about = {"azp": "115617349286", "sub": "115617349286", "email": email, "email_verified": True}
    return {"iss": "https://accounts.google.com", "aud": HOOK, **about}


@cache
def another_key():
    return rsa.generate_private_key(65537, 2048)
