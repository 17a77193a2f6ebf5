"""Files of the chat: streamed to the blob store, named only by what we signed, served by addresses that expire."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote

from aiohttp import hdrs, web
from pydantic import AwareDatetime, ValidationError

from services.chat_adapter.webchat.answers import Refused, answer
from services.chat_adapter.webchat.channel import App
from services.chat_adapter.webchat.door import Call
from services.chat_adapter.webchat.measures import UPLOADED
from services.chat_adapter.webchat.session import Visitor
from shared.contract.envelope import Media, Model, kind_of, scrub
from shared.contract.errors import Unverified
from shared.contract.links import FileAddress
from shared.contract.seal import seal, unseal
from shared.runtime.port import content_of
from shared.storage.blobs import Blobs, NotFound
from shared.storage.giving import UNKNOWN, give, headers_of

UPLOAD_SECONDS: Final = 120.0
TICKET_LIFE: Final = timedelta(days=1)  # from an upload to the message that carries it
ADDRESS_LIFE: Final = timedelta(days=1)
DOWNLOAD: Final = "webchat download"
NAME_LIMIT: Final = 150

# Shown in place by browsers without running anything; all else is only saved.
SHOWN: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
BEGINNINGS: Final[dict[str, tuple[bytes, ...]]] = {
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
    "application/pdf": (b"%PDF-",),
}


class Ticket(Model):
    """What an upload gives back, signed: this visitor may send this file."""

    visitor: str
    blob: str
    mime_type: str
    size: int
    sha256: str
    name: str
    until: AwareDatetime


async def upload(blobs: Blobs, call: Call) -> web.StreamResponse:
    """POST /webchat/{app}/attachments: the file is the body. 201 {"ref", "name", "mime_type", "size"}."""
    visitor = call.visitor()
    mime_type = call.request.content_type.lower()
    if mime_type not in call.app.attachment_types:
        raise Refused(415, "unsupported", "files of this type cannot be sent here")
    if (call.request.content_length or 0) > call.app.attachment_bytes:
        raise Refused(413, "too_long", f"at most {call.app.attachment_bytes} bytes")
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            stored = await blobs.put(
                call.account.tenant, _received(call, visitor, mime_type), limit=call.app.attachment_bytes
            )
    except TimeoutError as error:
        raise Refused(408, "malformed", "the file did not arrive in time") from error
    if not stored.size:
        raise Refused(400, "malformed", "the file is empty")
    UPLOADED.inc(stored.size)
    ticket = Ticket(
        visitor=visitor.address,
        blob=stored.ref,
        mime_type=mime_type,
        size=stored.size,
        sha256=stored.sha256,
        name=clean_name(call.request.headers.get("X-Filename", "")),
        until=call.now + TICKET_LIFE,
    )
    ref = seal(call.app.secret, "webchat upload", ticket.model_dump_json().encode())
    return answer({"ref": ref, **ticket.model_dump(include={"name", "mime_type", "size"})}, 201)


async def _received(call: Call, visitor: Visitor, mime_type: str) -> AsyncIterator[bytes]:
    """The body as it comes, paid for by the visitor, its beginning compared with what it claims to be."""
    first = True
    content = await content_of(call.request)
    async for chunk in content.iter_chunked(64 * 1024):
        if first and not chunk.startswith(BEGINNINGS.get(mime_type, (b"",))):
            raise Refused(415, "unsupported", "the file is not of the type that it claims")
        first = False
        _pay(call, visitor, len(chunk))
        yield chunk


def _pay(call: Call, visitor: Visitor, size: int) -> None:
    app, take = call.app, call.limits.take
    take("bytes", f"{app.name} {visitor.address}", burst=app.upload_bytes_per_hour, seconds=3600, cost=size)
    take(
        "bytes from this address",
        f"{app.name} {call.address}",
        burst=app.upload_bytes_per_hour_and_address,
        seconds=3600,
        cost=size,
    )


def clean_name(header: str) -> str:
    """A file name that shows what it is: no folder, nothing invisible, nothing that turns the direction of reading."""
    name = unquote(header[: NAME_LIMIT * 12], errors="replace").replace("\\", "/").rpartition("/")[2]
    shown = "".join(letter for letter in scrub(name) if unicodedata.category(letter) not in {"Cc", "Cs", "Co", "Cn"})
    visible = "".join(letter for letter in shown if letter not in _TURNING).strip(" .")
    stem, dot, ending = visible.rpartition(".")
    return (
        visible if len(visible) <= NAME_LIMIT else stem[: NAME_LIMIT - len(ending[:20]) - 1] + dot + ending[:20]
    ) or "file"


_TURNING: Final = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def media_of(app: App, visitor: Visitor, ref: str, now: datetime) -> Media:
    """The part that an upload's ref stands for; raises Unverified when it is not this visitor's or too old."""
    try:
        ticket = Ticket.model_validate_json(unseal(app.secret, "webchat upload", ref))
    except ValidationError as error:
        raise Unverified("not a file's ref") from error
    if ticket.visitor != visitor.address or ticket.until <= now:
        raise Unverified("this file was not uploaded in this session")
    return Media(
        media=kind_of(ticket.mime_type),
        state="stored",
        blob=ticket.blob,
        mime_type=ticket.mime_type,
        size=ticket.size,
        sha256=ticket.sha256,
        name=ticket.name,
    )


def shown_part(app: App, part: dict[str, Any], now: datetime) -> dict[str, Any]:
    """A part as the widget gets it: a file's blob becomes an address that expires."""
    if part.get("kind") != "media" or not part.get("blob"):
        return part
    mime_type, name = part.get("mime_type") or "application/octet-stream", part.get("name") or "file"
    address = FileAddress(blob=part["blob"], mime_type=mime_type, name=name, until=_full_hour(now) + ADDRESS_LIFE)
    shown: dict[str, Any] = {field: part[field] for field in ("kind", "media", "caption", "size") if field in part}
    return {**shown, "mime_type": mime_type, "name": name, "url": f"attachments/{address.sealed(app.secret, DOWNLOAD)}"}


def _full_hour(now: datetime) -> datetime:
    """So that the same file has the same address for a while and is cached."""
    return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


async def download(blobs: Blobs, call: Call) -> web.StreamResponse:
    """GET /webchat/{app}/attachments/{address}: the bytes, in a form in which nothing in them runs."""
    try:
        address = FileAddress.read(call.request.match_info["address"], call.app.secret, DOWNLOAD)
    except Unverified as error:
        raise Refused(404, "unknown", "no such file") from error
    if address.until <= call.now:
        raise Refused(410, "expired", "this address has expired; read the messages again for a new one")
    shown = address.mime_type in SHOWN
    headers = headers_of(address.mime_type if shown else UNKNOWN, address.name, shown=shown)
    try:
        # the address itself is the permission, so any page that has it may read it
        return await give(blobs, call.request, address, {**headers, hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*"})
    except NotFound as error:
        raise Refused(404, "unknown", "this file is gone") from error
