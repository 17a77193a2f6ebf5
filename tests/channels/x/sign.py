"""How X signs a body, for `parley sample x`: https://docs.x.com/x-api/webhooks/introduction#signature-headers."""

import base64
import hashlib
import hmac


def sign(app, body, now):
    digest = hmac.new(app["client_secret"].encode(), body, hashlib.sha256).digest()
    return {"X-Twitter-Webhooks-Signature-OAuth2": f"sha256={base64.b64encode(digest).decode()}"}
