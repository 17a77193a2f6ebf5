"""Payloads and proofs changed anywhere: what a forger, a proxy or a provider's next version makes of them."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import orjson
from hypothesis import strategies as st

from shared.contract.channel import Request

JUNK: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["", "\x00", "9" * 400, "2026-01-01", "2026-01-01T00:00:00Z", 10**15, -1, 2**63, [], {}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


PUSHED: Final = ("message", "data")


def flipped(value: str) -> Iterator[str]:
    """With another character anywhere, cut anywhere, with one more, or in the other case."""
    yield value + "A"
    yield from (value[:at] + chr(ord(old) ^ 1) + value[at + 1 :] for at, old in enumerate(value))
    yield from (value[:at] for at in range(len(value)))
    yield from {value.lower(), value.upper()} - {value}


def tree_of(request: Request) -> Any:
    """The body as a tree: its JSON, packed or not, or the fields of its form. ValueError: it is neither."""
    body = gzip.decompress(request.body) if _is_packed(request) else request.body
    if _is_form(request):
        return dict(parse_qsl(body.decode(), keep_blank_values=True))
    tree = orjson.loads(body)
    if _is_folded(tree):
        return tree | {"content": orjson.loads(tree["content"])}
    return changed(tree, PUSHED, orjson.loads(base64.b64decode(pushed))) if (pushed := _pushed(tree)) else tree


def holding(request: Request, tree: Any) -> Request:
    """The request with another tree as its body; in a form a value that is no text stands as its JSON."""
    if _is_form(request) and isinstance(tree, dict):
        fields = {name: value if isinstance(value, str) else orjson.dumps(value) for name, value in tree.items()}
        body = urlencode(fields, errors="replace").encode()
    else:
        wrapped = isinstance(pushed := _pushed(tree), dict | list)
        if _is_folded(tree) and isinstance(tree.get("content"), dict | list):
            tree = tree | {"content": orjson.dumps(tree["content"]).decode()}
        body = orjson.dumps(changed(tree, PUSHED, base64.b64encode(orjson.dumps(pushed)).decode()) if wrapped else tree)
    return replace(request, body=gzip.compress(body, mtime=0) if _is_packed(request) else body)


def _pushed(tree: Any) -> Any:
    """What Pub/Sub wraps up: https://cloud.google.com/pubsub/docs/push#receive_push."""
    message = tree.get(PUSHED[0]) if isinstance(tree, dict) else None
    return message.get(PUSHED[1]) if isinstance(message, dict) and "publishTime" in message else None


def _is_folded(tree: Any) -> bool:
    """JSON in a string of JSON: https://business-api.tiktok.com/portal/docs?id=1759977800177665."""
    return isinstance(tree, dict) and tree.keys() >= {"client_key", "event", "content"}


def _is_packed(request: Request) -> bool:
    return request.headers.get("content-encoding") == "gzip"


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def changed(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The tree with the value at the path; the value `...` takes away what is there."""
    if not path:
        return {} if value is ... else value
    key, rest = path[0], path[1:]
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    if not rest and value is ...:
        del copy[key]
    else:
        copy[key] = changed(copy[key], rest, value)
    return copy
