"""How Twilio signs a form, for `parley sample voicemail`: https://www.twilio.com/docs/usage/webhooks/webhooks-security."""

import base64
import hashlib
import hmac
from urllib.parse import parse_qsl

ADDRESS = "https://parley.example.org/hooks/voicemail/main"


def sign(app, body, now, address=ADDRESS):
    fields = sorted(parse_qsl(body.decode(), keep_blank_values=True))
    signed = address + "".join(name + value for name, value in fields)
    digest = hmac.digest(app["token"].encode(), signed.encode(), hashlib.sha1)
    kind = "application/x-www-form-urlencoded; charset=UTF-8"
    return {"Content-Type": kind, "X-Twilio-Signature": base64.b64encode(digest).decode()}
