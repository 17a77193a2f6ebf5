"""Who may use phones and faults: whoever has the token."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from pydantic import SecretStr

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
GUARDED: Final = ("/phone/telegram", "/control")


def guard(token: SecretStr) -> Any:
    """Middleware: a bearer token, or ?token= where a client cannot set headers. An empty token opens nothing."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(GUARDED) and not _allowed(request, token.get_secret_value()):
            return web.json_response({"error": "a token is needed: Authorization: Bearer …"}, status=401)
        return await handler(request)

    return check


def _allowed(request: web.Request, token: str) -> bool:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ") or request.query.get("token", "")
    return bool(token) and hmac.compare_digest(given.encode(errors="surrogatepass"), token.encode())
