"""The widget's own files, and a demonstration shop that embeds it with one script tag."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

from services.chat_adapter.webchat.answers import Refused
from services.chat_adapter.webchat.channel import App
from services.chat_adapter.webchat.door import Call

ROOT: Final = Path(__file__).parent / "widget"
TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
FILES: Final = {file.relative_to(ROOT).as_posix(): file for file in sorted(ROOT.rglob("*")) if file.suffix in TYPES}
LOOPBACK: Final = ("http://127.0.0.1:*", "http://localhost:*")


async def show_loader(call: Call) -> web.StreamResponse:
    """GET /webchat/{app}/widget.js: the one script that a site embeds."""
    return _file("loader.js")


async def show_file(call: Call) -> web.StreamResponse:
    """GET /webchat/{app}/widget/…: one of the widget's modules, and nothing else of this disk."""
    return _file(call.request.match_info["name"])


def _file(name: str) -> web.StreamResponse:
    if name not in FILES:
        raise Refused(404, "unknown", "no such file")
    return web.FileResponse(
        FILES[name],
        headers={
            hdrs.CONTENT_TYPE: TYPES[FILES[name].suffix],
            hdrs.CACHE_CONTROL: "no-cache",
            hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",  # modules of another origin load only so; they hold no secret
            "Cross-Origin-Resource-Policy": "cross-origin",
            "X-Content-Type-Options": "nosniff",
        },
    )


async def show_demo(call: Call) -> web.StreamResponse:
    """GET /webchat/{app}/demo: a shop whose page has a policy as strict as any site's."""
    if not call.app.demo:
        raise Refused(404, "unknown", "this web chat has no demonstration; set demo = true for its app")
    return web.FileResponse(
        ROOT / "demo" / "index.html",
        headers={
            hdrs.CONTENT_TYPE: "text/html; charset=utf-8",
            hdrs.CACHE_CONTROL: "no-cache",
            "Content-Security-Policy": demo_policy(call.app, call.request.host),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )


def demo_policy(app: App, host: str) -> str:
    """What a site's own policy must allow for the widget: its script, its connections, pictures from memory (blob:)."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob:",
            f"connect-src 'self' ws://{host} wss://{host}",
            f"frame-ancestors 'self' {' '.join((*LOOPBACK, *app.demo_frames))}",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        )
    )
