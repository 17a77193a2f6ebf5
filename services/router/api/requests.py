"""Writing over HTTP only makes the request records that any internal system could write itself."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TypeVar

from aiohttp import web

from services.router.api.answers import Mistake, answer, path_uuid, read_model
from services.router.api.tokens import GRANT
from shared.bus import cloudevents
from shared.bus.produce import Producer
from shared.contract import envelope
from shared.contract.records import BY_MODEL, INBOUND_LIMIT, REQUESTS
from shared.contract.requests import (
    Assign,
    Cancel,
    Close,
    DeleteMessage,
    EditMessage,
    Grow,
    HandOverThread,
    Reachable,
    ReactMessage,
    Read,
    Reopen,
    Reply,
    Request,
    SeenMessage,
    Send,
    SendTyping,
    Tag,
)
from shared.runtime.settings import Settings

R = TypeVar("R", bound=Request)

SOURCE: Final = "/router/api"
OF_CONVERSATION: Final[Mapping[str, type[Request]]] = {
    "reply": Reply,
    "typing": SendTyping,
    "grow": Grow,
    "edit": EditMessage,
    "delete": DeleteMessage,
    "react": ReactMessage,
    "seen": SeenMessage,
    "handover": HandOverThread,
    "close": Close,
    "reopen": Reopen,
    "reachable": Reachable,
    "assign": Assign,
    "tag": Tag,
    "read": Read,
    "cancel": Cancel,
}
IDEMPOTENCY_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


async def of_conversation(
    kind: type[Request], producer: Producer, settings: Settings, request: web.Request
) -> web.Response:
    """POST /api/conversations/{id}/reply, …: 202 {"request_id", "message_id"}; whether it is refused, an event says."""
    conversation = str(path_uuid(request))
    given = {"conversation": conversation} if "conversation" in kind.model_fields else {}
    asked = await read_asked(request, kind, **given)
    return await ask(producer, settings, request, asked, key=conversation)


async def send(producer: Producer, settings: Settings, request: web.Request) -> web.Response:
    """POST /api/send: a first message to an address."""
    asked = await read_asked(request, Send)
    key = envelope.key(asked.tenant, asked.channel, asked.account, asked.address)
    return await ask(producer, settings, request, asked, key=key)


async def read_asked(request: web.Request, kind: type[R], **given: object) -> R:
    """The body as this request; of the token's tenant where it names none."""
    return await read_model(request, kind, lacking={"tenant": request[GRANT].own}, **given)


async def ask(
    producer: Producer, settings: Settings, request: web.Request, asked: Request, *, key: str
) -> web.Response:
    """Answered when Kafka has acknowledged the record; raises BusUnavailable, Mistake: 403 for a tenant that is not the token's,
    413 where nobody would read it.
    """
    request[GRANT].check(asked.tenant)
    request_id = idempotency_key(request) or str(uuid.uuid4())
    value = cloudevents.encode(asked)
    if len(value) > INBOUND_LIMIT:
        raise Mistake(413, "too_long", f"{len(value)} bytes; {INBOUND_LIMIT} are the most")
    record = cloudevents.Out(
        topic=settings.topic(REQUESTS),
        key=key.encode(),
        value=value,
        headers=cloudevents.headers(
            BY_MODEL[type(asked)],
            source=SOURCE,
            id=request_id,
            time=datetime.now(UTC),
            tenant=asked.tenant,
            subject=key,
            traceparent=cloudevents.next_span(request.headers.get("traceparent")),
        ),
    )
    await producer.send(record)
    return answer({"request_id": request_id, "message_id": envelope.requested_id(asked.tenant, request_id)}, status=202)


def idempotency_key(request: web.Request) -> str | None:
    """The header of that name: the same request sent twice is one message."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise Mistake(400, "malformed", "Idempotency-Key: 1 to 255 visible ASCII characters")
    return key
