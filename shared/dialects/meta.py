"""Meta's Graph API as all its platforms share it — https://developers.facebook.com/docs/graph-api."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from pydantic import SecretStr

from shared.contract.channel import Context, Form, Http, Request, Response, Unverified, Version, bearer
from shared.contract.envelope import Template

# https://developers.facebook.com/docs/graph-api/changelog: "Available Until" of those that Meta has named a day for.
VERSION: Final = "v26.0"
ENDS: Final[Mapping[str, datetime]] = {
    "v21.0": datetime(2027, 1, 21, tzinfo=UTC),
    "v22.0": datetime(2027, 5, 20, tzinfo=UTC),
}
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


def version(account: Account) -> Version:
    return Version(account.version, ENDS.get(account.version))


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


FIRST_MILLISECONDS: Final = 100_000_000_000  # as seconds this would be the year 5138


def moment(stamp: str | int) -> datetime:
    """The time of a Unix stamp, whichever of the two it counts in."""
    return milliseconds(stamp) if int(stamp) >= FIRST_MILLISECONDS else seconds(stamp)


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
    return Http.get(_url(account, path), query, token=account.token)


def delete(account: Account, path: str) -> Http:
    return Http(method="DELETE", url=_url(account, path), headers=bearer(account.token))


def template(part: Template) -> dict[str, object]:
    """`template` of a message, as WhatsApp and Messenger take it: the places of its body are filled in order."""
    content: dict[str, object] = {"name": part.name, "language": {"code": part.language}}
    if part.parameters:
        parameters = [{"type": "text", "text": value} for value in part.parameters]
        content["components"] = [{"type": "body", "parameters": parameters}]
    return content


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


def _url(account: Account, path: str) -> str:
    return f"{account.api.rstrip('/')}/{account.version}/{path}"
