"""HTTP requests as files and as lines of JSON."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from shared.contract.channel import Request

REQUEST_LINE: Final = re.compile(rb"[A-Z]+ \S+ HTTP/\d")
HEAD_END: Final = re.compile(rb"\r?\n\r?\n")


def read_bytes(file: Path | None) -> bytes:
    """The file, or standard input without one (or for `-`)."""
    return sys.stdin.buffer.read() if file is None or str(file) == "-" else file.read_bytes()


def read_lines(file: Path | None) -> Iterator[bytes]:
    """The lines that are not blank, each as soon as it is there."""
    if file is None or str(file) == "-":
        yield from filter(bytes.strip, sys.stdin.buffer)
        return
    with file.open("rb") as lines:
        yield from filter(bytes.strip, lines)


def parse_http(raw: bytes) -> Request:
    """A request in wire format (RFC 9112, bare LF allowed), or the bare body of a POST.

    The body is what `content-length` says, else all that follows the head. ValueError: a head that is none.
    """
    if not REQUEST_LINE.match(raw):
        return Request(body=raw)
    head, *rest = HEAD_END.split(raw, maxsplit=1)
    first, *lines = head.decode("latin-1").splitlines()
    method, target, _ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = rest[0] if rest else b""
    return request_to(method, target, headers, body[: int(headers.get("content-length", len(body)))])


def request_of(told: Mapping[str, Any]) -> Request:
    """A request told as {"method", "path", "headers", "body" or "body_b64"}; LookupError, TypeError, ValueError: told wrongly."""
    headers = {str(name).lower(): str(value) for name, value in dict(told.get("headers") or {}).items()}
    body = base64.b64decode(told["body_b64"], validate=True) if "body_b64" in told else told.get("body", "").encode()
    return request_to(told.get("method", "POST"), told.get("path", "/"), headers, body)


def request_to(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
    """The request as an adapter would have seen it under its public name."""
    host = headers.get("host", "parley.example")
    url = target if "://" in target else f"https://{host}{target}"
    query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    return Request(method=method, url=url, headers=headers, query=query, body=body)
