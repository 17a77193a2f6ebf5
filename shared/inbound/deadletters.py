"""What came in and cannot be translated: kept byte for byte on the adapter's dead-letter topic, until it is replayed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import orjson
import structlog

from shared.bus.cloudevents import Headers, Out, new_id
from shared.bus.consume import VERSION
from shared.bus.produce import Producer
from shared.contract.channel import Account, App, Channel, Mail, Request
from shared.contract.codes import Family
from shared.contract.envelope import key
from shared.contract.errors import ParleyError
from shared.contract.records import RECORD_LIMIT, ingress_dlq
from shared.runtime.observe import DEAD_LETTERED
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs

log = structlog.get_logger(__name__)

INLINE: Final = RECORD_LIMIT - 64 * 1024  # bytes of a body that stand in the letter; larger ones are in the blob store
BLOB: Final = "dlq-body-blob"
SENDER: Final = "mail-sender"
RECIPIENTS: Final = "mail-recipients"
TRANSACTION: Final = "mail-transaction"
POLLED: Final = "polled"
SECRET_WORDS: Final = ("authorization", "token", "secret", "cookie", "signature")
SHARED: Final = "default"  # the tenant of what came to an app, which may receive for several


class DeadLetters:
    """The dead letters of one adapter's way in. Keeping raises BusUnavailable and StoreUnavailable: then nothing is kept."""

    def __init__(self, settings: Settings, family: Family, producer: Producer, blobs: Blobs) -> None:
        self._producer, self._blobs = producer, blobs
        self._topic = settings.topic(ingress_dlq(family))

    async def keep_request(self, channel: Channel, app: App, request: Request, error: ParleyError) -> None:
        """A verified request, without the headers that are secret."""
        log.warning("webhook.dead_lettered", channel=channel.name, app=app.name, error=error.detail)
        about = [
            ("http-method", request.method.encode()),
            ("http-url", request.url.encode()),
            ("http-headers", orjson.dumps(_kept(request))),
        ]
        await self._keep((SHARED, channel.name, app.name), request.body, about, error)

    async def keep_mail(self, channel: Channel, account: Account, mail: Mail, error: ParleyError) -> None:
        """A mail with its envelope, once for each account that it came to."""
        log.warning("mail.dead_lettered", channel=channel.name, account=account.name, error=error.detail)
        about = [
            (SENDER, mail.sender.encode(errors="surrogateescape")),
            (RECIPIENTS, orjson.dumps([_text(one) for one in mail.recipients])),
            *([(TRANSACTION, mail.transaction.encode())] if mail.transaction else []),
        ]
        await self._keep((account.tenant, channel.name, account.name), mail.raw, about, error)

    async def keep_page(self, channel: Channel, account: Account, page: bytes, error: ParleyError) -> None:
        """A page of a poll, with all that could be read of it."""
        log.warning("poll.dead_lettered", channel=channel.name, account=account.name, error=error.detail)
        await self._keep((account.tenant, channel.name, account.name), page, [(POLLED, b"1")], error)

    async def _keep(self, place: tuple[str, str, str], body: bytes, about: Headers, error: ParleyError) -> None:
        value, where = await self._body(place[0], body)
        made = [
            ("ce_id", new_id().encode()),
            *about,
            *where,
            ("dlq-error-class", type(error).__name__.encode()),
            ("dlq-error-message", error.detail.encode(errors="backslashreplace")[:500]),
            ("dlq-attempts", b"1"),
            ("dlq-service-version", VERSION),
        ]
        await self._producer.send(Out(topic=self._topic, key=key(*place).encode(), value=value, headers=made))
        DEAD_LETTERED.labels(self._topic, error.code).inc()

    async def _body(self, tenant: str, body: bytes) -> tuple[bytes, Headers]:
        if len(body) <= INLINE:
            return body, []
        stored = await self._blobs.put_bytes(tenant, body)
        return b"", [(BLOB, stored.ref.encode())]


async def read_body(value: bytes, blob: str | None, blobs: Blobs) -> bytes:
    """What was kept, wherever it stands. Raises NotFound, StoreUnavailable."""
    return await _joined(await blobs.get(blob)) if blob else value


async def _joined(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def _kept(request: Request) -> dict[str, str]:
    return {
        _text(name): _text(value)
        for name, value in request.headers.items()
        if not any(word in name for word in SECRET_WORDS)
    }


def _text(header: str) -> str:
    """What was read as bytes that are not UTF-8, shown as such: JSON has no words for it."""
    return header.encode(errors="surrogateescape").decode(errors="backslashreplace")
