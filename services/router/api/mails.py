"""The formatted body of a mail: a page of its own that can do nothing, under an address that expires.

What a stranger wrote is parsed and drawn elsewhere: the parser lets go of the interpreter. How much there is of it has
bounds (MOST_HTML, MOST_TAGS, MOST_PICTURES, INLINE).
"""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from aiohttp import web
from pydantic import SecretStr
from selectolax.lexbor import LexborHTMLParser, LexborNode

from services.router.api import page, quotes
from services.router.api.answers import Mistake, answer, number, path_uuid
from services.router.api.media import VALID_SECONDS, check_address, shown_as, sign
from services.router.api.threads import SAID, SEEN
from services.router.api.tokens import GRANT
from shared.runtime.elsewhere import elsewhere
from shared.storage.blobs import Blobs, NotFound
from shared.storage.database import Pool

MOST_PARTS: Final = 100
MOST_HTML: Final = 1024 * 1024  # characters that are looked at
MOST_TAGS: Final = 30_000  # a parser takes time in the square of what stands in each other
MOST_PICTURES: Final = 1000  # of a body that are looked for
INLINE: Final = 4 * 1024 * 1024  # bytes of all pictures that a body carries in itself
BODY: Final = f"SELECT body FROM message WHERE id = $1 AND {SEEN} AND {SAID}"  # noqa: S608 constants
REMOTE: Final = ("https://", "http://")
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:{remote}; frame-ancestors 'self'; sandbox"
PAGE: Final = """\
<!doctype html><html><head><meta charset="utf-8"><base target="_blank"><style>
:root {{ color-scheme: light; }}
body {{ margin: 12px 14px; background: #fff; color: #17202b; font: 15px/1.55 system-ui, "Noto Sans", "Noto Sans Khmer", sans-serif; overflow-wrap: anywhere; }}
:lang(km) {{ line-height: 1.75; }}
img {{ max-width: 100%; height: auto; }} table {{ max-width: 100%; }} a {{ color: #0b63c5; }}
blockquote {{ margin: .5em 0; padding-inline-start: .8em; border-inline-start: 3px solid #dfe4ea; color: #5a6777; }}
summary {{ cursor: pointer; color: #5a6777; font-size: 13px; width: max-content; margin: .6em 0; }}
</style></head><body dir="auto">{body}</body></html>"""


async def give_address(pool: Pool, token: SecretStr, request: web.Request) -> web.Response:
    """GET /api/messages/{id}/html?part: {"url", "with_images", "expires_at"}, addresses for five minutes.

    `with_images` lets pictures come from where the sender keeps them, which tells the sender that the mail was opened;
    null: there are none.
    """
    message, part = path_uuid(request), number(request, "part", default=0, most=MOST_PARTS)
    _, html = await find_body(pool, message, part, request[GRANT].only)
    expires = int(time.time()) + VALID_SECONDS
    remote = await elsewhere(lambda: any(map(remote_source, LexborHTMLParser(html).css("img"))))
    return answer(
        {
            "url": address(token, message, part, expires=expires, name=""),
            "with_images": address(token, message, part, expires=expires, name="images") if remote else None,
            "expires_at": datetime.fromtimestamp(expires, UTC),
        }
    )


def address(token: SecretStr, message: uuid.UUID, part: int, *, expires: int, name: str) -> str:
    signature = sign(token, scope(message, part), expires=expires, name=name)
    query = urlencode({"expires": expires, "name": name, "signature": signature})
    return f"/mail/{message}/{part}?{query}"


def scope(message: uuid.UUID, part: int) -> str:
    """What a signature is for; it cannot be taken for the name of a file."""
    return f"mail/{message}/{part}"


async def serve(pool: Pool, blobs: Blobs, token: SecretStr, request: web.Request) -> web.Response:
    """GET /mail/{id}/{part}?expires&name&signature&lang: the body under a policy that lets nothing run, leave or be sent."""
    message, part = path_uuid(request), int(request.match_info["part"])
    check_address(token, scope(message, part), request.query, now=time.time())
    remote = request.query["name"] == "images"
    parts, html = await find_body(pool, message, part)
    tree, wanted = await elsewhere(lambda: parsed(html))
    pictures = Pictures(blobs, files_of(parts))
    await pictures.read(wanted)
    words = page.words(request.query.get("lang", ""))["quoted"]
    return web.Response(
        body=await elsewhere(lambda: drawn(tree, pictures, words, remote=remote)),
        content_type="text/html",
        charset="utf-8",
        headers={
            "Content-Security-Policy": POLICY.format(remote=" http: https:" if remote else ""),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        },
    )


async def find_body(
    pool: Pool, message: uuid.UUID, part: int, tenants: list[str] | None = None
) -> tuple[list[dict[str, Any]], str]:
    """All parts of the message, and the HTML of this one; raises Mistake where there is none, or too much of it."""
    row = await pool.fetchrow(BODY, message, tenants)
    parts: list[dict[str, Any]] = orjson.loads(row["body"])["message"]["parts"] if row else []
    html = parts[part].get("html") if part < len(parts) else None
    if not html:
        raise Mistake(404, "not_found", "this message has no such body")
    if len(html) > MOST_HTML or html.count("<") > MOST_TAGS:
        raise Mistake(413, "too_long", "this body is too large to be shown as it was designed; its text is not")
    return parts, html


def files_of(parts: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The stored files of a mail by the names under which its body shows them (RFC 2392)."""
    return {one["content_id"].strip("<>"): one for one in parts if one.get("content_id") and one.get("blob")}


def parsed(html: str) -> tuple[LexborHTMLParser, list[str]]:
    """The body, and the names of the pictures that came with it, in the order in which it shows them."""
    tree = LexborHTMLParser(html)
    return tree, list(islice(dict.fromkeys(filter(None, map(content_id, tree.css("img")))), MOST_PICTURES))


def content_id(image: LexborNode) -> str | None:
    """The name of a picture that came with the mail; None: it is none."""
    source = image.attributes.get("src") or ""
    return source[4:] if source.startswith("cid:") else None


def drawn(tree: LexborHTMLParser, pictures: Pictures, words: str, *, remote: bool) -> bytes:
    """The page. Pictures that came with the mail are put into it; the others only where they are wished."""
    for image in tree.css("img"):
        if (name := content_id(image)) is not None:
            if found := pictures.shown(name):
                image.attrs["src"] = found
            else:
                del image.attrs["src"]
        elif remote and (wished := remote_source(image)):
            image.attrs["src"] = wished
    return PAGE.format(body=quotes.folded(tree, words)).encode()


class Pictures:
    """The pictures of one mail, each read once however often it is shown; INLINE bounds what is read and what is shown."""

    def __init__(self, blobs: Blobs, files: Mapping[str, Mapping[str, Any]]) -> None:
        self._blobs, self._files = blobs, files
        self._known: dict[str, str] = {}
        self._unread = self._left = INLINE

    async def read(self, wanted: Iterable[str]) -> None:
        for name in wanted:
            if name in self._files and name not in self._known:
                self._known[name] = await self._read(self._files[name])

    def shown(self, content_id: str) -> str:
        """As a data: address; empty where there is none, or no room for it."""
        found = self._known.get(content_id, "")
        if len(found) > self._left:
            return ""
        self._left -= len(found)
        return found

    async def _read(self, file: Mapping[str, Any]) -> str:
        most, self._unread = self._unread, self._unread - (file.get("size") or 0) * 4 // 3
        return await data_url(self._blobs, file, most=most)


async def data_url(blobs: Blobs, file: Mapping[str, Any], *, most: int) -> str:
    """A stored picture as a data: address (RFC 2397); nothing where it is none, too large, or gone."""
    if (file.get("size") or 0) * 4 // 3 > most:
        return ""
    try:
        content = b"".join([chunk async for chunk in await blobs.get(file["blob"])])
    except NotFound:
        return ""
    kind = shown_as(content[:16])
    if kind is None or not kind.startswith("image/"):
        return ""
    return await elsewhere(lambda: f"data:{kind};base64,{base64.b64encode(content).decode()}")


def remote_source(image: LexborNode) -> str | None:
    """Where a picture lies that did not come with the mail; the channel moved the address out of `src`."""
    for name in ("data-src", "src"):
        source = image.attributes.get(name) or ""
        if source.startswith(REMOTE):
            return source
    return None
