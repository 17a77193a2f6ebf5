"""The apps that Meta knows: their secrets, where they want to be told, and of which numbers and pages."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from services.sandbox.access import same
from services.sandbox.graph.errors import GraphError, bad_token, invalid
from services.sandbox.shelf import Shelf

Json = dict[str, Any]
TIMEOUT: Final = ClientTimeout(total=10)


class Apps:
    """An app is born when its token `{id}|{secret}` is first seen; the id then belongs to that secret."""

    def __init__(self, shelf: Shelf, client: ClientSession) -> None:
        self._shelf, self._client = shelf, client
        self._apps: dict[str, Json] = {kept["id"]: kept for _, kept in shelf.under("app/")}
        self._nodes: dict[str, Json] = {key.partition("/")[2]: kept for key, kept in shelf.under("node/")}

    def by_token(self, app_id: str, token: str) -> Json:
        """The app of this id. Raises GraphError where the token is not its own."""
        named, _, secret = token.partition("|")
        if named != app_id or not secret:
            raise bad_token("An app access token is required")
        app = self._apps.get(app_id) or {"id": app_id, "secret": secret, "subscriptions": {}}
        if not same(secret, app["secret"]):
            raise bad_token("Error validating application. Invalid application secret")
        return app

    async def subscribe(self, app: Json, values: Json) -> Json:
        """https://developers.facebook.com/docs/graph-api/reference/app/subscriptions: the address is checked first."""
        topic, address = values.get("object"), values.get("callback_url")
        fields, token = values.get("fields"), values.get("verify_token")
        for name, value in (("object", topic), ("callback_url", address), ("verify_token", token)):
            if not isinstance(value, str) or not value:
                raise invalid(f"The parameter {name} is required")
        await self._check(str(address), str(token))
        subscription = {"callback_url": address, "fields": listed(fields)}
        subscriptions = {**app["subscriptions"], str(topic): subscription}
        self._apps[app["id"]] = {**app, "subscriptions": subscriptions}
        self._shelf.put(f"app/{app['id']}", self._apps[app["id"]])
        return {"success": True}

    async def _check(self, address: str, token: str) -> None:
        """https://developers.facebook.com/docs/graph-api/webhooks/getting-started#verification-requests."""
        challenge = str(secrets.randbelow(10**10))
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": token}
        try:
            async with self._client.get(address, params=query, timeout=TIMEOUT, allow_redirects=False) as answer:
                said, status = (await answer.content.read(4096)).decode(errors="replace"), answer.status
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            raise _failed(type(error).__name__) from None
        if status != 200 or said.strip() != challenge:
            raise _failed(f"HTTP Status Code = {status}")

    def join(self, node: str, *, topic: str, token: str, proof: object, fields: object = None) -> None:
        """Tell the app of what happens at this number's or page's account from now on.

        A real access token belongs to an app; here, the app's proof over the token says which, where there are several:
        https://developers.facebook.com/docs/graph-api/guides/secure-requests.
        """
        app = self._app_of(token, proof, topic)
        self._nodes[node] = {"app": app["id"], "fields": listed(fields)}
        self._shelf.put(f"node/{node}", self._nodes[node])

    def _app_of(self, token: str, proof: object, topic: str) -> Json:
        apps = [app for app in self._apps.values() if topic in app["subscriptions"]]
        if isinstance(proof, str) and proof:
            apps = [app for app in apps if same(proof, _proof(app, token))]
            if not apps:
                raise invalid("Invalid appsecret_proof provided in the API argument")
        if len(apps) != 1:
            raise invalid(
                "appsecret_proof must say which app the token is of" if apps else "The app has no webhook yet"
            )
        return apps[0]

    def subscription(self, node: str, *, topic: str, field: str) -> tuple[Json, str] | None:
        """The app that wants to know of this field of this node, and its address."""
        joined = self._nodes.get(node)
        app = self._apps.get(joined["app"]) if joined else None
        wanted = app["subscriptions"].get(topic) if app else None
        if joined is None or app is None or wanted is None or field not in wanted["fields"]:
            return None
        if joined["fields"] and field not in joined["fields"]:
            return None
        return app, wanted["callback_url"]

    def get(self, app_id: str) -> Json | None:
        return self._apps.get(app_id)


def _proof(app: Json, token: str) -> str:
    return hmac.new(_bytes(app["secret"]), _bytes(token), hashlib.sha256).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _failed(why: str) -> GraphError:
    return GraphError(2200, f"Callback verification failed with the following errors: {why}")


def listed(fields: object) -> list[str]:
    """A list of names, or names with commas between them."""
    names: Iterable[Any] = fields.split(",") if isinstance(fields, str) else fields if isinstance(fields, list) else ()
    return [str(name).strip() for name in names if str(name).strip()]
