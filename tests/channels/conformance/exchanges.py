"""What a channel asks a provider for, function by function: how a sample begins it, and what came of it in a sample's words."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import orjson
from pydantic import SecretStr, TypeAdapter

from shared.contract.channel import (
    Amendment,
    Asked,
    Blob,
    Download,
    Encoded,
    Handle,
    Http,
    Piece,
    Polled,
    Response,
    Sent,
    Smtp,
    Steps,
    ThreadControl,
    Token,
    TypingMark,
)
from shared.contract.envelope import Media, Party
from shared.contract.errors import AlreadySent, Refusal, SendFailed
from shared.inbound import translate
from tests.channels.conformance.bench import Bench, Json, bench, plain, told


@dataclass(frozen=True)
class Kind:
    """One function of the record, over samples NAME.{suffix}.json: `words` are what it is given.

    `began`: the exchange that a sample asks for. `told`: what it came to. `seen`: a person sees its effect, so that one request commits.
    `refused`: a sample must show how the provider says no.
    """

    suffix: str
    words: str
    began: Callable[[Bench, Json], Steps[Any]]
    told: Callable[[Any], Json]
    seen: bool = False
    refused: bool = False


def _media(sample: Json) -> Media:
    return Media.model_validate({"kind": "media", **sample["media"]})


def _sent(sent: Sent) -> Json:
    assert sent.external_ids or sent.join_key, "nothing by which it is known again"
    return {"sent": _given(external_ids=sent.external_ids, join_key=sent.join_key, cost=sent.cost)}


def _downloaded(download: Download) -> Json:
    asked = shown(download.request)
    more = _given(body=asked["body"], stranger=download.request.stranger, decrypted=download.decrypt is not None)
    about = _given(mime_type=download.mime_type, name=download.name)
    return {"download": {"method": asked["method"], "url": asked["url"], "headers": asked["headers"], **more, **about}}


def _polled(polled: Polled) -> Json:
    wait = _given(again_in=polled.again_in.total_seconds())
    return {"polled": {"records": [told(record) for record in polled.records], "cursor": plain(polled.cursor), **wait}}


def _token(token: Token) -> Json:
    refresh = token.refresh.get_secret_value() if token.refresh else None
    about = _given(expires_in=_seconds(token.expires_in), refresh=refresh)
    return {"token": {"value": token.value.get_secret_value(), **about}}


def _handle(handle: Handle) -> Json:
    return {"uploaded": {"value": handle.value, **_given(expires_in=_seconds(handle.expires_in))}}


def _seconds(time: timedelta | None) -> float | None:
    return None if time is None else time.total_seconds()


def _given(**values: Any) -> Json:
    return {name: plain(value) for name, value in values.items() if value}


def _person(on: Bench, sample: Json) -> Steps[Party]:
    return _of(on.channel.profile)(
        on.account_of(sample), sample["address"], sample.get("peer", sample["address"]), on.context
    )


def _of(function: Callable[..., Any] | None) -> Callable[..., Any]:
    assert function, "the channel has no such function"
    return function


def _refreshed(on: Bench, sample: Json) -> Steps[Token]:
    kept = sample.get("refresh")
    return _of(on.channel.refresh)(on.account_of(sample), SecretStr(kept) if kept else None, on.context)


def _amended(on: Bench, sample: Json) -> Steps[None]:
    wanted: Amendment = TypeAdapter[Any](Amendment).validate_python(sample["amendment"])
    return on.channel.change(on.account_of(sample), wanted, on.context)


def _nothing(_: None) -> Json:
    return {}


KINDS: Final[Mapping[str, Kind]] = {
    "outbound": Kind(
        "out",
        "piece",
        lambda on, it: _of(on.channel.outbound)(on.account_of(it), Piece.model_validate(it["piece"]), on.context),
        _sent,
        seen=True,
        refused=True,
    ),
    "upload": Kind(
        "upload", "media", lambda on, it: _of(on.channel.upload)(on.account_of(it), _media(it), on.context), _handle
    ),
    "fetch": Kind(
        "fetch", "media", lambda on, it: _of(on.channel.fetch)(on.account_of(it), _media(it), on.context), _downloaded
    ),
    "profile": Kind("profile", "address, peer", _person, lambda party: {"profile": plain(party)}, refused=True),
    "typing": Kind(
        "typing",
        "mark",
        lambda on, it: _of(on.channel.typing)(on.account_of(it), TypingMark(**it["mark"]), on.context),
        _nothing,
    ),
    "grow": Kind(
        "grow",
        "piece",
        lambda on, it: _of(on.channel.grow)(on.account_of(it), Piece.model_validate(it["piece"]), on.context),
        lambda name: {"grown": name},
        seen=True,
    ),
    "register": Kind(
        "register",
        "nothing",
        lambda on, it: _of(on.channel.register)(on.app, on.account_of(it), on.context),
        _nothing,
    ),
    "poll": Kind(
        "poll", "cursor", lambda on, it: _of(on.channel.poll)(on.account_of(it), it["cursor"], on.context), _polled
    ),
    "amend": Kind("amend", "amendment", _amended, lambda _: {"done": True}, refused=True),
    "handover": Kind(
        "handover",
        "control",
        lambda on, it: _of(on.channel.handover)(
            on.account_of(it), ThreadControl.model_validate(it["control"]), on.context
        ),
        lambda _: {"done": True},
        refused=True,
    ),
    "keys": Kind(
        "keys",
        "nothing",
        lambda on, _: _of(on.channel.keys)(on.app, on.context),
        lambda keys: {"keys": plain(keys.value), **_given(expires_in=_seconds(keys.expires_in))},
    ),
    "lookup": Kind(
        "lookup",
        "name",
        lambda on, it: _of(on.channel.lookup)(on.account_of(it), it["name"], on.context),
        lambda keys: {"keys": plain(keys.value), **_given(expires_in=_seconds(keys.expires_in))},
    ),
    "refresh": Kind("refresh", "refresh", _refreshed, _token, refused=True),
    "connect": Kind(
        "connect",
        "cursor",
        lambda on, it: _of(on.channel.connect)(on.account_of(it), it.get("cursor", {}), on.context),
        lambda address: {"connected": address},
    ),
}


def came_to(kind: str, name: str, sample: Json, provider: Callable[[Asked], Response]) -> Json:
    """What came of an exchange, in the words of a sample; a provider's no is `failed`."""
    on = bench(name)
    try:
        found = translate.answer(KINDS[kind].began(on, sample), given=provider, outcome=on.channel.outcome)
    except AlreadySent as known:
        found = Sent(external_ids=known.external_ids, join_key=known.join_key)
    except SendFailed as failed:
        return refusal(failed)
    except Refusal as refused:
        return {"failed": {"code": refused.reason}}
    return KINDS[kind].told(found)


def refusal(failed: SendFailed) -> Json:
    """A provider's no in the words of a sample."""
    scope = failed.scope if failed.scope != "account" else None
    return {"failed": {"code": failed.reason, **_waits(failed), **_given(scope=scope)}}


def _waits(failed: SendFailed) -> Json:
    return {} if failed.retry_after is None else {"retry_after": failed.retry_after.total_seconds()}


# a request, an answer


def shown(request: Asked) -> Json:
    """A request in the words of a sample's exchange."""
    if isinstance(request, Smtp):
        return _shown_mail(request)
    if isinstance(request.body, tuple):
        body: Any = [_field(one.name, one.value) for one in request.body]
    else:
        body = _file(request.body) if isinstance(request.body, Blob) else body_of(request.body)
    about = {"method": request.method, "url": request.url, "headers": dict(request.headers), "body": body}
    return {**about, "cost": request.cost} if request.cost else about


def _shown_mail(request: Smtp) -> Json:
    """The mail by its lines, a file by its blob."""
    body = [
        {"blob": part.blob.ref, "mime_type": part.blob.mime_type, "filename": part.blob.name}
        if isinstance(part, Encoded)
        else part.decode().split("\r\n")
        for part in request.data
    ]
    envelope = {"sender": request.sender, "recipients": list(request.recipients), "security": request.security}
    known = {"username": request.username, "password": request.password.get_secret_value()}
    return {"method": "SMTP", "url": f"{request.host}:{request.port}", "headers": {**envelope, **known}, "body": body}


def _field(name: str, value: str | Blob) -> Json:
    if isinstance(value, str):
        return {"name": name, "value": value}
    return {"name": name, **_file(value), "filename": value.name}


def _file(blob: Blob) -> Json:
    """Which bytes go, and what they become on their way where that is something else."""
    cut = {"start": blob.start, "length": blob.length} if blob.length is not None else {}
    through = {"through": type(blob.through).__name__} if blob.through else {}
    return {"blob": blob.ref, "mime_type": blob.mime_type, **cut, **through}


def body_of(body: bytes) -> Any:
    """Its JSON, its text where it is none, None where there is nothing."""
    try:
        return orjson.loads(body) if body else None
    except ValueError:
        return body.decode()


def said(request: Asked) -> set[str]:
    """Every word that a request carries: of its headers, its address, its body to the leaves."""
    if isinstance(request, Smtp):
        mail = message_from_bytes(
            b"".join(part for part in request.data if isinstance(part, bytes)), policy=policy.default
        )
        return {str(mail[name]) for name in mail} | {
            part.get_content() for part in mail.walk() if part.get_content_type() == "text/plain"
        }
    tree = orjson.loads(gzip.decompress(request.body)) if _is_packed(request) else shown(request)["body"]
    query = {value for _, value in parse_qsl(urlsplit(request.url).query)}
    return {*request.headers.values(), *query, *leaves(tree)}


def _is_packed(request: Http) -> bool:
    return isinstance(request.body, bytes) and request.body[:2] == b"\x1f\x8b"


def leaves(tree: Any) -> Iterator[str]:
    """Every value of a tree; also of JSON within a text, and of the fields of a form."""
    if isinstance(tree, dict | list):
        for one in tree.values() if isinstance(tree, dict) else tree:
            yield from leaves(one)
        return
    yield str(tree)
    if isinstance(tree, str):
        yield from (value for _, value in parse_qsl(tree))
        with suppress(ValueError):
            inner = orjson.loads(tree)
            yield from leaves(inner) if isinstance(inner, dict | list) else ()


def answered(response: Mapping[str, Any]) -> Response:
    body = response.get("body", "")
    raw = body.encode() if isinstance(body, str) else orjson.dumps(body)
    return Response(status=response["status"], headers=response.get("headers", {}), body=raw)


class Provider:
    """Answers as a sample tells, and compares what it is asked."""

    def __init__(self, exchange: list[Json]) -> None:
        self.exchange = exchange
        self.asked: list[Asked] = []

    def __call__(self, request: Asked) -> Response:
        assert len(self.asked) < len(self.exchange), f"more is asked than the sample tells: {shown(request)}"
        step = self.exchange[len(self.asked)]
        self.asked.append(request)
        found, expected = shown(request), step["request"]
        assert found["headers"].items() >= expected.get("headers", {}).items()
        cost = {"cost": found["cost"]} if "cost" in found else {}  # compared where the sample tells it
        assert {**found, "headers": None} == {"body": None, **cost, **expected, "headers": None}
        return answered(step["response"])

    def commits(self) -> int:
        return sum(request.commits for request in self.asked)


def address_in_logs(request: Asked) -> str:
    return repr(request) if isinstance(request, Smtp) else request.shown_url
