"""Meta's Graph API as all its platforms share it — https://developers.facebook.com/docs/graph-api."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from pydantic import SecretStr, ValidationError

from shared.channel import Context, Form, Http, Request, Response, SendFailed, Unverified
from shared.envelope import Model
from shared.records import Code, Failure

VERSION: Final = "v26.0"  # https://developers.facebook.com/docs/graph-api/changelog
UPLOAD_TIME: Final = timedelta(minutes=2)


class App(Protocol):
    """What receives: Meta signs with the app's secret, and asks once for the verify token."""

    @property
    def secret(self) -> SecretStr: ...
    @property
    def verify_token(self) -> SecretStr: ...
    @property
    def app_id(self) -> str: ...


class Account(Protocol):
    """What sends: a number or a page, by its token."""

    @property
    def token(self) -> SecretStr: ...
    @property
    def api(self) -> str: ...
    @property
    def version(self) -> str: ...


# in


def handshake(app: App, request: Request, context: Context) -> Response | None:
    """Answer the GET by which Meta checks an address; raises Unverified for another token.

    https://developers.facebook.com/docs/graph-api/webhooks/getting-started#verification-requests
    """
    if request.method != "GET" or request.query.get("hub.mode") != "subscribe":
        return None
    if not _same(request.query.get("hub.verify_token", ""), app.verify_token.get_secret_value()):
        raise Unverified("another verify token")
    return Response(headers={"content-type": "text/plain"}, body=_bytes(request.query["hub.challenge"]))


def verify(app: App, request: Request, context: Context) -> None:
    """Raise Unverified unless X-Hub-Signature-256 is the HMAC of the raw body.

    https://developers.facebook.com/docs/graph-api/webhooks/getting-started#event-notifications
    """
    if request.method != "POST":
        raise Unverified("only a POST is signed")
    if not _same(request.headers.get("x-hub-signature-256", ""), signature(app.secret, request.body)):
        raise Unverified("another signature")


def signature(secret: SecretStr, body: bytes) -> str:
    """What X-Hub-Signature-256 says for this body."""
    return "sha256=" + hmac.new(_bytes(secret.get_secret_value()), body, hashlib.sha256).hexdigest()


def _same(given: str, good: str) -> bool:
    """In constant time."""
    return hmac.compare_digest(_bytes(given), _bytes(good))


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def seconds(stamp: str | int) -> datetime:
    """The time of a Unix stamp in seconds, as WhatsApp (in a string) and page feeds give it."""
    return datetime.fromtimestamp(int(stamp), UTC)


def milliseconds(stamp: str | int) -> datetime:
    """The time of a Unix stamp in milliseconds, as entries and Messenger give it."""
    return datetime.fromtimestamp(int(stamp) / 1000, UTC)


# out


def post(
    account: Account,
    path: str,
    content: Mapping[str, object] | Form,
    *,
    token: SecretStr | None = None,
    commits: bool = False,
) -> Http:
    """A POST of JSON or of a form to a node of the Graph; `path` without a slash before it. The token stands in a header."""
    url, allowed = _url(account, path), token or account.token
    if isinstance(content, tuple):
        return Http(url=url, headers=bearer(allowed), body=content, commits=commits, timeout=UPLOAD_TIME)
    return Http.post_json(url, content, token=allowed, commits=commits)


def get(account: Account, path: str, **query: str) -> Http:
    question = f"?{urlencode(query)}" if query else ""
    return Http(method="GET", url=_url(account, path) + question, headers=bearer(account.token))


def subscribe_app(app: App, account: Account, *, topic: str, address: str, fields: tuple[str, ...]) -> Http:
    """Tell Meta where to send the changes of a topic (`whatsapp_business_account`, `page`); it checks the address before it answers.

    https://developers.facebook.com/docs/graph-api/reference/app/subscriptions
    """
    allowed = SecretStr(f"{app.app_id}|{app.secret.get_secret_value()}")
    subscription = {
        "object": topic,
        "callback_url": address,
        "fields": ",".join(fields),
        "verify_token": app.verify_token.get_secret_value(),
    }
    return post(account, f"{app.app_id}/subscriptions", subscription, token=allowed)


def subscribe_account(app: App, account: Account, node: str, **values: str) -> Http:
    """Have the app told of what happens at this business account or page.

    The proof has Meta check that the token is this app's, which it then tells, and not another one's:
    https://developers.facebook.com/docs/graph-api/guides/secure-requests.
    """
    secret, token = app.secret.get_secret_value(), account.token.get_secret_value()
    proof = hmac.new(_bytes(secret), _bytes(token), hashlib.sha256).hexdigest()
    return post(account, f"{node}/subscribed_apps", {**values, "appsecret_proof": proof})


def bearer(token: SecretStr) -> dict[str, str]:
    return {"authorization": f"Bearer {token.get_secret_value()}"}


def _url(account: Account, path: str) -> str:
    return f"{account.api.rstrip('/')}/{account.version}/{path}"


# no


class Details(Model):
    details: str = ""


class Error(Model):
    """Meta's no: `error` of an answer, or one of `errors` in a webhook.

    https://developers.facebook.com/docs/graph-api/guides/error-handling
    """

    code: int = -1
    error_subcode: int = 0
    message: str = ""
    title: str = ""
    is_transient: bool = False
    error_data: Details | str | None = None

    @property
    def reason(self) -> Code | None:
        """By subcode, by code; None where neither is known."""
        return SUBCODES.get((self.code, self.error_subcode)) or CODES.get(self.code) or _by_range(self.code)

    @property
    def sentence(self) -> str:
        details = self.error_data.details if isinstance(self.error_data, Details) else self.error_data
        number = f"{self.code}/{self.error_subcode}" if self.error_subcode else str(self.code)
        words = (part for part in (self.message or self.title, details) if part)
        return f"({number}) {' – '.join(words)}"[:500]


class Refused(Model):
    error: Error


def outcome(response: Response) -> None:
    """A Graph answer's no in the closed set of codes. What says nothing of itself is judged by its HTTP status."""
    wait = _retry_after(response)
    try:
        error = Refused.model_validate_json(response.body).error
    except ValidationError:
        if response.status < 400:
            return
        raise SendFailed(_by_status(response.status), f"HTTP {response.status}", retry_after=wait) from None
    code = error.reason or ("unreachable" if error.is_transient else _by_status(response.status))
    raise SendFailed(code, error.sentence, retry_after=wait if code == "throttled" else None)


def failure(error: Mapping[str, Any]) -> Failure:
    """One of the `errors` of a webhook, in our words."""
    found = Error.model_validate(error)
    return Failure(code=found.reason or "refused", detail=found.sentence)


def _by_range(code: int) -> Code | None:
    """What Meta documents for whole ranges: 200–299 permissions, 132xxx templates."""
    if 200 <= code < 300:
        return "auth"
    return "refused" if 132_000 <= code < 133_000 else None


def _by_status(status: int) -> Code:
    if status >= 500 or status == 408:
        return "unreachable"
    return STATUSES.get(status, "refused")


def _retry_after(response: Response) -> timedelta | None:
    """Retry-After in seconds where there is one; at most a day."""
    said = response.headers.get("retry-after", "")
    return timedelta(seconds=min(int(said[:6]), 86_400)) if said.isascii() and said.isdigit() else None


STATUSES: Final[Mapping[int, Code]] = {401: "auth", 413: "too_long", 429: "throttled"}
# https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
# https://developers.facebook.com/docs/messenger-platform/error-codes
CODES: Final[Mapping[int, Code]] = {
    0: "auth",
    1: "unreachable",
    2: "unreachable",
    3: "auth",
    4: "throttled",
    10: "auth",
    17: "throttled",
    32: "throttled",
    33: "bad_address",
    102: "auth",
    190: "auth",
    368: "refused",
    551: "blocked",
    613: "throttled",
    1200: "unreachable",
    80006: "throttled",  # Messenger's own business use case limit
    80007: "throttled",
    130429: "throttled",
    130472: "refused",
    130497: "refused",
    131000: "unreachable",
    131005: "auth",
    131008: "malformed",
    131009: "malformed",
    131016: "unreachable",
    131021: "bad_address",
    131026: "bad_address",
    131030: "bad_address",
    131031: "auth",
    131037: "auth",
    131042: "refused",
    131045: "auth",
    131047: "window_closed",
    131048: "refused",
    131049: "refused",
    131050: "opted_out",
    131051: "unsupported",
    131052: "malformed",
    131053: "malformed",
    131056: "throttled",
    131062: "unsupported",
    131057: "throttled",  # the number is being moved: nothing was taken
    132005: "too_long",
    132015: "refused",
    133004: "unreachable",
    133010: "auth",
    133016: "throttled",
}
SUBCODES: Final[Mapping[tuple[int, int], Code]] = {
    (10, 2018065): "window_closed",
    (10, 2018278): "window_closed",
    (10, 2018108): "blocked",
    (100, 2018001): "bad_address",
    (100, 2018109): "too_long",
    (200, 1545041): "blocked",
    (200, 2018028): "auth",
    (551, 1545041): "blocked",
}
