"""The hosts at which a page is asked for: another site's name that was turned to our address (DNS rebinding) opens nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from shared.runtime.settings import Settings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
FORBIDDEN: Final = frozenset("@/?#\\")
ANYWHERE: Final = ("/health/", "/metrics")  # asked for by the pod's own address; they hold nothing of people


def only(settings: Settings) -> Any:
    """Middleware: 421 (RFC 9110 §15.5.20) for a Host that is not in PARLEY_HOSTS."""
    allowed = {host.strip().lower() for host in settings.hosts.split(",") if host.strip()}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if host_of(request.headers.get("Host", "")) in allowed or request.path.startswith(ANYWHERE):
            return await handler(request)
        return web.Response(status=421, text="this host is not ours: name it in PARLEY_HOSTS if it should be\n")

    return check


def host_of(header: str) -> str | None:
    """The host of a Host header without its port, lower case; None for what is no host (RFC 9110 §7.2: nobody's name before it)."""
    try:
        return urlsplit(f"//{header}").hostname if FORBIDDEN.isdisjoint(header) else None
    except ValueError:
        return None
