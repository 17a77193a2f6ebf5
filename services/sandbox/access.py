"""Who may use phones, posts, mailboxes and faults: whoever has the token."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from pydantic import SecretStr

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
GUARDED: Final = ("/phone/", "/post", "/mailbox", "/control")
PAGES: Final = frozenset({"/phone/", "/post/", "/mailbox/"})  # static files, which ask for the token themselves


def guard(token: SecretStr) -> Any:
    """Middleware: a bearer token, or ?token= where a client cannot set headers. An empty token opens nothing."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        guarded = request.path.startswith(GUARDED) and request.path not in PAGES
        if guarded and not _allowed(request, token.get_secret_value()):
            return web.json_response({"error": "a token is needed: Authorization: Bearer …"}, status=401)
        return await handler(request)

    return check


def _allowed(request: web.Request, token: str) -> bool:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ") or request.query.get("token", "")
    return bool(token) and same(given, token)


def same(given: str, good: str) -> bool:
    """In constant time, whatever somebody gives."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), good.encode(errors="surrogatepass"))
