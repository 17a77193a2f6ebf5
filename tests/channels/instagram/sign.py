"""How Meta signs a body, for `parley sample instagram`: https://developers.facebook.com/documentation/instagram-platform/webhooks/setup."""

import hashlib
import hmac


def sign(app, body, now):
    return {"X-Hub-Signature-256": f"sha256={hmac.new(app['secret'].encode(), body, hashlib.sha256).hexdigest()}"}
