"""How the Bot Connector signs, for `parley sample teams`: a token for the bot and its service address.

https://learn.microsoft.com/en-us/azure/bot-service/rest-api/bot-framework-rest-connector-authentication
"""

import json

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

KID = "pV2nGk7TQd0cLx9WmE4rYsJ1bHu"
P = (
    "d016426fab6fe9c5cffc83cca735e77aa609e33a59b90422b00fb832a499b8cf"
    "757d45a9e39c843ecc69a810f069a50e98cfdcfc54d5ab6a769c21aa05554eef"
    "aa4d44f42d39cb1001b27d2d50b3497ce94b0891a01a70ee8092d23f379a42c6"
    "3e344849c7541a5d81339caa2fcd5a1c58176b203fc84f35b7d5553a0c2cc62d"
)
Q = (
    "b663400734521562ee2e66594848e374bb205316afca0f95b8584a311e4babcf"
    "29e3ae907af7f4570c04f1492106fc6cfd6d2ca07338735f6c82d9b0b81e884f"
    "4e0867b4727502752508e497e9d4e2891213327a977e5503dd937f2cc3d1ed3d"
    "8065d83e0704224906e949da59eb1522543fd01a0363fc9deb4abfe05632ee6b"
)


def sign(app, body, now):
    claims = {
        "serviceurl": json.loads(body)["serviceUrl"],
        "nbf": int(now.timestamp()) - 300,
        "exp": int(now.timestamp()) + 3300,
        "iss": "https://api.botframework.com",
        "aud": app["app_id"],
    }
    return {"Authorization": f"Bearer {jwt.encode(claims, key(), 'RS256', {'kid': KID, 'x5t': KID})}"}


def key():
    """The private half of the one in settings.json: RFC 8017 §3.2, from its two primes."""
    p, q, e = int(P, 16), int(Q, 16), 65537
    d = rsa.rsa_recover_private_exponent(e, p, q)
    crt = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *crt, rsa.RSAPublicNumbers(e, p * q)).private_key()
