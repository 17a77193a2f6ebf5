"""The customer's side as pages (phone, post, mailbox): static files under a policy that lets nothing a stranger wrote run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

ROOT: Final = Path(__file__).parent / "page"
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
FILES: Final = {file.relative_to(ROOT).as_posix(): file for file in sorted(ROOT.rglob("*")) if file.suffix in TYPES}
PAGES: Final = tuple(name.partition("/")[0] for name in FILES if name.endswith("/index.html"))
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; media-src blob:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'self' http://127.0.0.1:* http://localhost:*;"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
# A mail's frame has its page's policy besides its own: its inline styles and inlined pictures are allowed here for it.
MAIL_POLICY: Final = (
    POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
    .replace("img-src 'self' blob:", "img-src 'self' blob: data:")
    .replace("trusted-types 'none'", "trusted-types mail")
)


def routes() -> list[web.RouteDef]:
    """/phone/, /post/ and /mailbox/, and /page/… for what they are made of."""
    pages = [web.get(f"/{name}/", _show_page) for name in PAGES]
    languages = web.get("/page/languages.json", _list_languages)
    return [web.get("/phone", _to_phone), *pages, languages, web.get("/page/{name:.+}", _show_file)]


async def _to_phone(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/phone/")


async def _show_page(request: web.Request) -> web.StreamResponse:
    return _answer(f"{request.path.strip('/')}/index.html")


async def _show_file(request: web.Request) -> web.StreamResponse:
    return _answer(request.match_info["name"])


async def _list_languages(_request: web.Request) -> web.StreamResponse:
    """{code: own name} of every file in words/, so that a language is one file."""
    files = {Path(name).stem: file for name, file in FILES.items() if name.startswith("words/")}
    names = {code: orjson.loads(file.read_bytes())["language"] for code, file in files.items()}
    return web.json_response(names, headers={"Cache-Control": "no-cache"})


def _answer(name: str) -> web.StreamResponse:
    if name not in FILES:
        raise web.HTTPNotFound
    headers = {
        "Content-Type": TYPES[FILES[name].suffix],
        "Content-Security-Policy": MAIL_POLICY if name.startswith("mailbox/") else POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return web.FileResponse(FILES[name], headers=headers)
