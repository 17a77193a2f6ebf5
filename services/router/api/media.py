"""Files: taken for a reply, and given out under an address that is scoped to one file and expires."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, unquote, urlencode

from aiohttp import web
from pydantic import SecretStr

from services.router.api.answers import Mistake, answer, write_out
from services.router.api.tokens import GRANT
from shared.runtime.port import content_of
from shared.storage.blobs import Blobs, belongs
from shared.storage.giving import media_type

LIMIT: Final = 25 * 1024 * 1024  # bytes of one file
VALID_SECONDS: Final = 300
NAME_LENGTH: Final = 255
TENANT_LENGTH: Final = 255
UNSAFE_IN_NAME: Final = re.compile(r"[\x00-\x1f\x7f/\\\u202a-\u202e\u2066-\u2069]")
SANDBOX: Final = "default-src 'none'; sandbox; frame-ancestors 'none'"

# What a browser may show, known by its first bytes: what a stranger calls the file decides nothing.
SHOWN: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
)


async def upload(blobs: Blobs, request: web.Request) -> web.Response:
    """POST /api/media?tenant: the raw body, at most 25 MB; X-Filename percent-encoded. 201 with what a media part needs."""
    tenant = request.query.get("tenant") or request[GRANT].own
    if len(tenant) > TENANT_LENGTH:
        raise Mistake(400, "malformed", f"tenant: at most {TENANT_LENGTH} characters")
    request[GRANT].check(tenant)
    if (request.content_length or 0) > LIMIT:
        raise Mistake(413, "too_long", f"at most {LIMIT} bytes")
    content = await content_of(request)
    stored = await blobs.put(tenant, content.iter_chunked(64 * 1024), limit=LIMIT)
    if not stored.size:
        raise Mistake(400, "malformed", "the body is empty")
    return answer(
        {
            "blob": stored.ref,
            "mime_type": media_type(request.headers.get("Content-Type", "")),
            "size": stored.size,
            "sha256": stored.sha256,
            "name": file_name(unquote(request.headers.get("X-Filename", ""), errors="replace")),
        },
        status=201,
    )


async def give_address(blobs: Blobs, token: SecretStr, request: web.Request) -> web.Response:
    """GET /api/media/{ref}?name: {"url", "expires_at"}, an address for five minutes that needs no token."""
    ref, tenants = request.match_info["ref"], request[GRANT].tenants
    if tenants is not None and not any(belongs(ref, tenant) for tenant in tenants):
        raise Mistake(404, "not_found", "there is no such file")
    await blobs.size(ref)
    expires = int(time.time()) + VALID_SECONDS
    name = file_name(request.query.get("name", ""))
    query = urlencode({"expires": expires, "name": name, "signature": sign(token, ref, expires=expires, name=name)})
    return answer({"url": f"/media/{quote(ref)}?{query}", "expires_at": datetime.fromtimestamp(expires, UTC)})


async def serve(blobs: Blobs, token: SecretStr, request: web.Request) -> web.StreamResponse:
    """GET /media/{ref}?expires&name&signature: the bytes; shown only where their first ones say that this is safe."""
    ref, name = request.match_info["ref"], request.query.get("name", "")
    check_address(token, ref, request.query, now=time.time())
    size = await blobs.size(ref)
    chunks = aiter(await blobs.get(ref))
    first = await anext(chunks, b"")
    response = web.StreamResponse(headers=headers_of(shown_as(first), name))
    response.content_length = size
    await response.prepare(request)
    await response.write(first)
    await write_out(request, response, chunks)
    return response


def sign(token: SecretStr, ref: str, *, expires: int, name: str) -> str:
    """HMAC-SHA256 over the scope of an address, with a key of its own derived from the token."""
    key = hmac.digest(token.get_secret_value().encode(), b"parley media addresses, v1", hashlib.sha256)
    scope = "\n".join((ref, str(expires), name))
    return hmac.digest(key, scope.encode(), hashlib.sha256).hex()


def check_address(token: SecretStr, ref: str, query: Mapping[str, str], *, now: float) -> None:
    """Raises Mistake: 403 where the address was changed or made up, 410 where it has expired."""
    expires, name, signature = (query.get(part, "") for part in ("expires", "name", "signature"))
    if not token.get_secret_value() or not (expires.isascii() and expires.isdigit() and len(expires) < 16):
        raise Mistake(403, "auth", "not an address that this router gave out")
    expected = sign(token, ref, expires=int(expires), name=name)
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogateescape")):
        raise Mistake(403, "auth", "not an address that this router gave out")
    if int(expires) < now:
        raise Mistake(410, "expired", "this address has expired; ask for a new one")


def shown_as(first: bytes) -> str | None:
    """The type of an image, sound or film by its first bytes; None for all else."""
    return next((kind for at, magic, kind in SHOWN if first[at : at + len(magic)] == magic), None)


def headers_of(kind: str | None, name: str) -> dict[str, str]:
    disposition = "inline" if kind else "attachment"
    return {
        "Content-Type": kind or "application/octet-stream",
        "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(file_name(name) or 'file', safe='')}",
        "Content-Security-Policy": SANDBOX,
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": f"private, max-age={VALID_SECONDS}",
    }


def file_name(text: str) -> str:
    """A name without path, control characters and tricks with the reading direction."""
    return UNSAFE_IN_NAME.sub("_", text).strip(". ")[:NAME_LENGTH]
