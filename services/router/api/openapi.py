"""The API as OpenAPI 3.2 (https://spec.openapis.org/oas/v3.2.0.html), from the table of its addresses and the models."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from services.router.api import customers, fitting, requests, shapes, threads
from services.router.api.media import LIMIT
from shared.contract.requests import Send, SetConsent

Schema = Mapping[str, Any]

REF: Final = "#/components/schemas/{model}"
VERSION: Final = "1.0.0"  # of the API: within one, answers only gain

ABOUT: Final = """\
Conversations of all channels, read and written over HTTP. Writing makes the same request records that any system may write to Kafka
itself; what came of one is an event. Errors are {"error": {"code", "detail"}}. Every answer in JSON to a GET has an ETag; with
If-None-Match an unchanged one is 304."""

TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"enum": ["1", "true", "0", "false"]}
UUID: Final[Schema] = {"type": "string", "format": "uuid"}


def _whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


# Of the query, wherever they are taken.
QUERY: Final[Mapping[str, tuple[Schema, str]]] = {
    "account": (TEXT, "only this account of the channel"),
    "assignee": (TEXT, "only what is this one's"),
    "after": (_whole(0, 2**62), "only events above this sequence"),
    "before": (TEXT, "where the page before ended: its `next`"),
    "channel": (TEXT, "only this channel"),
    "failed": (FLAG, "only where our newest message did not arrive"),
    "from": ({"enum": ["beginning"]}, "all that is in the log, not only what comes"),
    "limit": (_whole(1, 1000), "so many at the most; above the address's own bound it is that bound"),
    "name": ({"type": "string", "maxLength": 255}, "how the file is called when it is saved"),
    "part": (_whole(0, 100), "which part of the message"),
    "q": ({"type": "string", "maxLength": threads.SEARCH_LENGTH}, "what is looked for"),
    "status": ({"enum": sorted(threads.STATUSES)}, "only those"),
    "tag": (TEXT, "only what is labelled so"),
    "tenant": (TEXT, "whose it is; empty: the token's only tenant, else `default`"),
    "unread": (FLAG, "only what nobody has read to its end"),
    "waiting": (FLAG, "only where somebody waits for an answer, who waits longest first"),
}


class Address(Protocol):
    """A row of services.router.api:TABLE."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def handler(self) -> Any: ...
    @property
    def scope(self) -> str | None: ...


@dataclass(frozen=True)
class Told:
    """What an address takes and answers."""

    answers: type[BaseModel] | None = None
    query: tuple[str, ...] = ()
    asks: type[BaseModel] | None = None
    status: int = 200


STREAMS: Final = "/api/events"
TAKES_BYTES: Final = "/api/media"
EXPORT: Final = "/api/customers/{id}/export"
ZIP: Final[Schema] = {"application/zip": {}}

TOLD: Final[Mapping[tuple[str, str], Told]] = {
    ("GET", "/api/conversations"): Told(
        shapes.Conversations, ("limit", "before", "q", *threads.VALUES, *threads.FLAGS, "status")
    ),
    ("GET", "/api/conversations/{id}"): Told(shapes.WholeConversation, ("after", "limit")),
    ("GET", "/api/conversations/{id}/plans"): Told(shapes.Plans),
    ("GET", "/api/search"): Told(shapes.Search, ("q", "channel", "before", "limit")),
    ("GET", "/api/customers"): Told(shapes.People, ("q", "before", "limit")),
    ("GET", EXPORT): Told(),
    ("GET", "/api/ids/{prefix}"): Told(shapes.Ids),
    ("GET", "/api/messages/{id}"): Told(shapes.Message),
    ("GET", "/api/messages/{id}/published"): Told(shapes.Published),
    ("GET", "/api/messages/{id}/html"): Told(shapes.MailAddress, ("part",)),
    ("POST", "/api/conversations/{id}/fit"): Told(shapes.Fitted, asks=fitting.Draft),
    **{
        ("POST", f"/api/conversations/{{id}}/{name}"): Told(shapes.Accepted, asks=kind, status=202)
        for name, kind in requests.OF_CONVERSATION.items()
    },
    ("GET", "/api/customers/{id}/consent"): Told(shapes.Consents),
    ("POST", "/api/customers/{id}/consent"): Told(shapes.Accepted, asks=SetConsent, status=202),
    ("GET", "/api/customers/{id}"): Told(shapes.WholeCustomer, ("limit", "before")),
    **{
        ("POST", f"/api/customers/{{id}}/{name}"): Told(shapes.Accepted, asks=kind, status=202)
        for name, kind in {**customers.OF_ONE, **customers.FOR_GOOD}.items()
    },
    **{
        ("POST", f"/api/customers/{name}"): Told(shapes.Accepted, asks=kind, status=202)
        for name, kind in customers.OF_SEVERAL.items()
    },
    ("POST", "/api/send"): Told(shapes.Accepted, asks=Send, status=202),
    ("GET", "/api/events"): Told(shapes.Heard, ("from",)),
    ("GET", "/api/state"): Told(shapes.Parts),
    ("GET", "/api/accounts"): Told(shapes.Accounts),
    ("POST", "/api/media"): Told(shapes.StoredFile, ("tenant",), status=201),
    ("GET", "/api/media/{ref}"): Told(shapes.FileAddress, ("name",)),
}


def document(table: Iterable[Address]) -> dict[str, Any]:
    """The whole document. An address that TOLD does not name is described by its own words alone."""
    shown = [(address, plain(address.path)) for address in table if address.path.startswith("/api/")]
    told = {key: TOLD.get(key, Told()) for key in ((address.method, path) for address, path in shown)}
    models: set[tuple[type[BaseModel], JsonSchemaMode]] = {(shapes.Errors, "serialization")}
    models |= {(one.answers, "serialization") for one in told.values() if one.answers}
    models |= {(one.asks, "validation") for one in told.values() if one.asks}
    ordered = sorted(models, key=lambda model: (model[0].__name__, model[1]))
    refs, definitions = models_json_schema(ordered, ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for address, path in shown:
        paths.setdefault(path, {})[address.method.lower()] = operation(
            address, path, told[address.method, path], refs, definitions["$defs"]
        )
    return {
        "openapi": "3.2.0",
        "info": {"title": "Parley", "version": VERSION, "description": ABOUT},
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "responses": {
                "Error": {
                    "description": "It cannot be carried out.",
                    "content": _json(refs[shapes.Errors, "serialization"]),
                }
            },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Roles are its scope: read, write or admin.",
                }
            },
        },
    }


def plain(path: str) -> str:
    """An address without the expressions that its parts must match."""
    return re.sub(r"\{(\w+):(?:[^{}]|\{[^}]*\})*\}", r"{\1}", path)


def operation(
    address: Address, path: str, told: Told, refs: Mapping[Any, Schema], defined: Mapping[str, Any]
) -> dict[str, Any]:
    said = words_of(address.handler)
    answers = refs[told.answers, "serialization"] if told.answers else {}
    name = " ".join([address.method.lower(), *re.findall(r"\w+", path.removeprefix("/api"))])
    made: dict[str, Any] = {
        "operationId": re.sub(r" (\w)", lambda found: found[1].upper(), name),
        "summary": said.partition(". ")[0].partition("\n")[0].rstrip("."),
        "description": said,
        "parameters": [*_of_path(path), *_of_query(told), *_of_header(address.method, path)],
        "responses": {
            str(told.status): {
                "description": "So it is.",
                "content": {STREAMS: _events(answers), EXPORT: ZIP}.get(path) or _json(answers),
            },
            "default": {"$ref": "#/components/responses/Error"},
        },
        "security": [{"token": [address.scope]}] if address.scope else [],
    }
    if address.method == "GET" and path not in {STREAMS, EXPORT}:
        made["responses"]["304"] = {"description": "It is what If-None-Match named."}
    if told.asks:
        given = {of for of in ("conversation", "customer") if path.startswith(f"/api/{of}s/{{id}}/")}
        body = _without(defined[refs[told.asks, "validation"]["$ref"].rpartition("/")[2]], given)
        made["requestBody"] = {"required": True, "content": _json(body)}
    elif path == TAKES_BYTES:
        made["requestBody"] = {"required": True, "content": {"*/*": {"schema": {"maxLength": LIMIT}}}}
    return made


def words_of(handler: Any) -> str:
    """What is said of it where it is written: of a request its model's words, of all else its own."""
    if isinstance(handler, partial):
        return inspect.cleandoc(next(one.__doc__ or "" for one in (*handler.args, handler.func)))
    return re.sub(r"^(GET|POST) \S+( \{[^}]*\})?:? ?", "", inspect.cleandoc(handler.__doc__ or ""))


def _of_path(path: str) -> list[dict[str, Any]]:
    shapes_of = {"id": UUID, "prefix": {"type": "string", "pattern": "^[0-9a-fA-F-]{4,36}$"}}
    return [
        {"name": name, "in": "path", "required": True, "schema": shapes_of.get(name, TEXT)}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _of_query(told: Told) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "query",
            "required": name == "q" and told.answers is not shapes.Conversations,
            "schema": QUERY[name][0],
            "description": QUERY[name][1],
        }
        for name in told.query
    ]


def _of_header(method: str, path: str) -> list[dict[str, Any]]:
    if path == STREAMS:
        return [_header("Last-Event-ID", "go on behind this event", TEXT)]
    if path == TAKES_BYTES:
        return [_header("X-Filename", "the file's name, percent-encoded", TEXT)]
    if method == "POST" and not path.endswith("/fit"):
        schema = {"type": "string", "pattern": requests.IDEMPOTENCY_KEY.pattern}
        return [
            _header("Idempotency-Key", "the same request twice is carried out once; it is the request's id", schema)
        ]
    known = [_header("If-None-Match", "the ETag of an answer that is known", TEXT)]
    return known if method == "GET" and path != EXPORT else []


def _header(name: str, description: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": schema, "description": description}


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _events(schema: Schema) -> dict[str, Any]:
    """Server-sent events: `data` is JSON, but for `event: position`, whose data is an empty object."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    properties = {"id": {"type": "string"}, "event": {"const": "position"}, "data": data}
    return {
        "text/event-stream": {"itemSchema": {"type": "object", "required": ["id", "data"], "properties": properties}}
    }


def _without(schema: Schema, names: Iterable[str]) -> dict[str, Any]:
    """The body's schema, without what the address says already."""
    left = {name: one for name, one in schema["properties"].items() if name not in names}
    required = [name for name in schema.get("required", ()) if name not in names]
    return {**schema, "properties": left} | ({"required": required} if "required" in schema else {})
