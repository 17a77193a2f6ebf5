"""How TikTok signs a body, for `parley sample tiktok`: https://business-api.tiktok.com/portal/docs?id=1759978341579777."""

import hashlib
import hmac


def sign(app, body, now):
    at = str(int(now.timestamp()))
    digest = hmac.new(app["secret"].encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"Tiktok-Signature": f"t={at},s={digest}"}
