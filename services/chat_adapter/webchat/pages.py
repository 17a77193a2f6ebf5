"""The widget's own files, and a demonstration shop that embeds it with one script tag."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

from services.chat_adapter.webchat.answers import Refused
from services.chat_adapter.webchat.bundle import bundle
from services.chat_adapter.webchat.channel import App
from services.chat_adapter.webchat.door import Call
from shared import page as shared_page

ROOT: Final = Path(__file__).parent / "widget"
TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
VERSIONED: Final = re.compile(r"[0-9a-f]{12}/")


@dataclass(frozen=True, slots=True)
class File:
    """One of the widget's files, held in memory both ways."""

    content: bytes
    gzipped: bytes
    mime_type: str


def _file(content: bytes, suffix: str) -> File:
    return File(content, gzip.compress(content, mtime=0), TYPES[suffix])


def _served() -> dict[str, File]:
    """What a browser may ask for: the loader, the widget as one script, and the demonstration's own files."""
    demo = (file for file in sorted((ROOT / "demo").iterdir()) if file.suffix in TYPES)
    widget = bundle(SOURCES, "main.js").encode()
    return {
        "loader.js": _file(SOURCES["loader.js"].encode(), ".js"),
        "main.js": _file(widget, ".js"),
        **{file.relative_to(ROOT).as_posix(): _file(file.read_bytes(), file.suffix) for file in demo},
    }


OWN: Final = {file.relative_to(ROOT).as_posix(): file for file in sorted(ROOT.rglob("*.js"))}
SOURCES: Final = {name: file.read_text("utf-8") for name, file in {**OWN, **shared_page.FILES}.items()}
FILES: Final = _served()
VERSION: Final = hashlib.sha256(b"".join(file.content for file in FILES.values())).hexdigest()[:12]
LOOPBACK: Final = ("http://127.0.0.1:*", "http://localhost:*")


async def show_loader(call: Call) -> web.StreamResponse:
    """GET /webchat/{app}/widget.js: the one script that a site embeds. It is asked for each time, the rest once per version."""
    loader = FILES["loader.js"].content.replace(b"widget/main.js", f"widget/{VERSION}/main.js".encode())
    return _answer(call, _file(loader, ".js"), lasting=False)


async def show_file(call: Call) -> web.StreamResponse:
    """GET /webchat/{app}/widget/[version/]…: one of the widget's files, and nothing else of this disk.

    While two versions run side by side, a file of the other one is this one's, and not kept.
    """
    asked = call.request.match_info["name"]
    file = FILES.get(VERSIONED.sub("", asked, count=1))
    if file is None:
        raise Refused(404, "unknown", "no such file")
    return _answer(call, file, lasting=asked.startswith(f"{VERSION}/"))


def _answer(call: Call, file: File, *, lasting: bool) -> web.Response:
    zipped = "gzip" in call.request.headers.get(hdrs.ACCEPT_ENCODING, "")
    response = web.Response(body=file.gzipped if zipped else file.content, headers=_headers(file, lasting))
    response.headers.add(hdrs.VARY, hdrs.ACCEPT_ENCODING)
    if zipped:
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"
    return response


def _headers(file: File, lasting: bool) -> dict[str, str]:
    return {
        hdrs.CONTENT_TYPE: file.mime_type,
        hdrs.CACHE_CONTROL: "public, max-age=31536000, immutable" if lasting else "no-cache",
        hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",  # modules of another origin load only so; they hold no secret
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }


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
