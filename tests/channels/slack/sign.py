"""How Slack signs a body, for `parley sample slack`: https://docs.slack.dev/authentication/verifying-requests-from-slack."""

import hashlib
import hmac


def sign(app, body, now):
    time = str(int(now.timestamp()))
    digest = hmac.new(app["secret"].encode(), b"v0:" + time.encode() + b":" + body, hashlib.sha256)
    return {"X-Slack-Request-Timestamp": time, "X-Slack-Signature": f"v0={digest.hexdigest()}"}
