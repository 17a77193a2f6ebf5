"""How Apple proves itself, for `parley sample apple`: a token for the MSP, …/msp-rest-api/common-specs#authorizing-messages."""

import base64

import jwt


def sign(app, body, now):
    claims = {"aud": app["msp_id"], "iat": int(now.timestamp())}
    return {"Authorization": f"Bearer {jwt.encode(claims, base64.b64decode(app['secret']), 'HS256')}"}
