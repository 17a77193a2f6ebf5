"""A blob over HTTP: whole or in part (RFC 9110 §14), in a form in which nothing in it runs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from aiohttp import hdrs, web

from shared.contract.errors import StoreUnavailable
from shared.contract.links import FileAddress
from shared.runtime.port import BODY_RATE, BODY_SECONDS
from shared.storage.blobs import Blobs

# A media type without parameters: RFC 6838 §4.2.
MIME_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
UNKNOWN: Final = "application/octet-stream"  # RFC 2046 §4.5.1
# Whatever else a browser could run is only saved; SVG is an image that holds scripts.
SHOWN: Final = re.compile(r"(?:image|audio|video)/(?!svg)[^/]+")


async def give(
    blobs: Blobs, request: web.Request, address: FileAddress, headers: Mapping[str, str]
) -> web.StreamResponse:
    """GET and HEAD, one range at a time. Raises NotFound, StoreUnavailable; what breaks off, or is read too slowly, does
    not look whole.
    """
    size = await blobs.size(address.blob)
    tag = f'"{address.blob.rpartition("/")[2]}"'
    answer = web.StreamResponse(headers={**headers, hdrs.ACCEPT_RANGES: "bytes", hdrs.ETAG: tag})
    try:
        part = _part(request, size, tag)
    except ValueError:
        return web.Response(status=416, headers={hdrs.CONTENT_RANGE: f"bytes */{size}"})
    if part:
        answer.set_status(206)
        answer.headers[hdrs.CONTENT_RANGE] = f"bytes {part[0]}-{part[1] - 1}/{size}"
    answer.content_length = part[1] - part[0] if part else size
    chunks = None if request.method == hdrs.METH_HEAD else await blobs.get(address.blob, part=part)
    await answer.prepare(request)
    try:
        async with asyncio.timeout(BODY_SECONDS + size / BODY_RATE):
            if chunks is not None:
                async for chunk in chunks:
                    await answer.write(chunk)
            await answer.write_eof()
    except (StoreUnavailable, TimeoutError):
        if request.transport:
            request.transport.abort()
    return answer


def _part(request: web.Request, size: int, tag: str) -> tuple[int, int] | None:
    """From where to where. None, which is all of it, where nothing, several parts or a part of something else is asked for
    (RFC 9110 §13.1.5, §14.2). Raises ValueError for a part that does not exist.
    """
    found = RANGE.fullmatch(request.headers.get(hdrs.RANGE, "").strip())
    if found is None or request.headers.get(hdrs.IF_RANGE, tag) != tag:
        return None
    first, last = found["first"], found["last"]
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start >= end:
        raise ValueError(found.string)
    return start, end


RANGE: Final = re.compile(r"bytes=(?!-$)(?P<first>[0-9]{0,18})-(?P<last>[0-9]{0,18})")


def media_type(text: str) -> str:
    """The media type without parameters; what is not one is unknown bytes."""
    kind = text.partition(";")[0].strip().lower()
    return kind if MIME_TYPE.fullmatch(kind) else UNKNOWN


def headers_of(kind: str, name: str, *, shown: bool) -> dict[str, str]:
    """Content-Disposition as in RFC 6266, its name as in RFC 8187."""
    return {
        hdrs.CONTENT_TYPE: kind,
        hdrs.CONTENT_DISPOSITION: f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(name, safe='')}",
        hdrs.CACHE_CONTROL: "private, max-age=3600, immutable",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
