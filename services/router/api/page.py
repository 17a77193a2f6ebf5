"""The console: a static page under a policy that lets nothing run but its own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from services.router.api.answers import Mistake, answer
from services.router.api.tokens import GRANT
from shared import page as shared_page
from shared.runtime.settings import Settings

ROOT: Final = Path(__file__).parent.parent / "console"
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
OWN: Final = {file.relative_to(ROOT).as_posix(): file for file in sorted(ROOT.rglob("*")) if file.suffix in TYPES}
FILES: Final = {**OWN, **shared_page.FILES}


async def to_console(request: web.Request) -> web.StreamResponse:
    raise web.HTTPPermanentRedirect("/console/")


async def show_file(settings: Settings, request: web.Request) -> web.StreamResponse:
    """GET /console/…: one of the page's files, and nothing else of this disk."""
    name = request.match_info["name"] or "index.html"
    file = FILES.get(name)
    if file is None:
        raise Mistake(404, "not_found", "no such page")
    return web.FileResponse(
        file,
        headers={
            "Content-Type": TYPES[file.suffix],
            "Content-Security-Policy": policy(settings),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cache-Control": "no-cache",
        },
    )


async def list_languages(request: web.Request) -> web.Response:
    """GET /console/languages.json: {code: own name} of every file in i18n/, so that a language is one file."""
    files = [(Path(name).stem, file) for name, file in FILES.items() if name.startswith("i18n/")]
    return answer({code: orjson.loads(file.read_bytes())["language"] for code, file in files})


def words(language: str) -> dict[str, Any]:
    """What the page says in this language; in English where there is no such file."""
    found: dict[str, Any] = orjson.loads(FILES.get(f"i18n/{language}.json", FILES["i18n/en.json"]).read_bytes())
    return found


async def show_config(settings: Settings, request: web.Request) -> web.Response:
    """GET /console/config.json: where the customer's side of the demonstration is, and what the token may."""
    return answer(
        {
            "console_chat": settings.console_chat,
            "console_sandbox": settings.console_sandbox,
            "scope": request[GRANT].scope,
        }
    )


def policy(settings: Settings) -> str:
    """The page's Content-Security-Policy (https://www.w3.org/TR/CSP3/)."""
    customer = " ".join(dict.fromkeys(filter(None, map(origin, (settings.console_chat, settings.console_sandbox)))))
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob:",
            "media-src 'self' blob:",
            f"connect-src 'self' {customer}".rstrip(),  # whether the customer's side is there
            f"frame-src 'self' {customer}".rstrip(),  # a mail's body, and the customer's side
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
