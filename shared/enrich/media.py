"""The media worker: fetches what customers sent into the blob store, after the message."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog

from shared.bus import cloudevents
from shared.bus.cloudevents import In, Out
from shared.contract.channel import Channel, Download
from shared.contract.deliveries import MediaUpdate
from shared.contract.envelope import derive, scrub
from shared.contract.errors import BusUnavailable, DatabaseUnavailable, ParleyError, SendFailed, TooLarge
from shared.contract.records import inbound_topic
from shared.enrich import mediajobs
from shared.enrich.mediajobs import MediaJob
from shared.provider.bodies import transformed
from shared.provider.calls import Principal, Stream
from shared.provider.parts import Parts
from shared.provider.workers import Workers
from shared.runtime.lasting import keep
from shared.runtime.observe import MEDIA
from shared.storage.blobs import Stored

log = structlog.get_logger(__name__)

AT_ONCE: Final = 4  # files of one account that one process fetches
STRANGERS_LIMIT: Final = 25 * 1024 * 1024  # bytes of a file whose address a stranger chose
GIVE_UP: Final = timedelta(minutes=10)
LONGEST: Final = 60.0  # seconds between two tries
SWEEP: Final = 3600.0  # seconds
PASSING: Final = frozenset({"throttled", "unreachable", "unknown"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    stored: Stored
    mime_type: str | None
    name: str | None


class MediaWorker:
    """The errand of files (shared.enrich.afterwards). What it finds becomes a `media` record with the envelope's key."""

    def __init__(self, parts: Parts, *, first_pause: float = 2.0, give_up: timedelta = GIVE_UP) -> None:
        self._topic = parts.settings.topic(inbound_topic(parts.family))
        self._source = f"/adapter/{parts.family}/media"
        self._parts, self._pool, self._producer = parts, parts.pool, parts.producer
        self._first_pause, self._give_up = first_pause, give_up
        self._workers = Workers(
            "media",
            parts,
            claim=partial(mediajobs.claim, parts.pool),
            work=self._work,
            at_once=AT_ONCE,
        )

    async def run(self) -> None:
        """Until cancelled; a file half fetched is fetched again by whoever comes next."""
        try:
            async with asyncio.TaskGroup() as group:
                keep(group, self._workers.run(), "media")
                keep(group, self._sweep(), "media sweep")
        finally:
            await self._workers.finish(0)

    def wants(self, record: Any) -> bool:
        """Most messages have no files."""
        return b'"media"' in (record.value or b"")

    async def note(self, records: Sequence[In]) -> None:
        """A job for every file that is not fetched yet."""
        if await mediajobs.add(self._pool, records):
            self._workers.wake()

    async def _work(self, job: MediaJob) -> None:
        try:
            await self._tell(job, _stored(await self._fetch(job)))
        except (SendFailed, TooLarge) as failed:
            await self._failed(job, failed)
        except DatabaseUnavailable:
            log.warning("media.left", message_id=str(job.message_id), reason="until the lease expires")
        except ParleyError as error:
            if error.retry:
                await self._put_off(job, str(error))
            else:
                await self._unavailable(job, error.code, error.detail)
        except Exception as error:
            log.exception("media.broke", message_id=str(job.message_id), part=job.part)
            await self._unavailable(job, "unknown", type(error).__name__)

    async def _fetch(self, job: MediaJob) -> Fetched:
        """The bytes into the blob store, as they come."""
        if (route := self._parts.route(job.tenant, *job.account)) is None:
            raise SendFailed("unknown_account", "the account is no longer in the accounts file")
        channel, account = route
        principal = Principal(channel=channel, account=account, traceparent=job.traceparent)
        if channel.fetch is None or job.media.handle is None:
            raise SendFailed("unsupported", "the channel gives no way to fetch it")
        download = await self._parts.drive(partial(channel.fetch, account, job.media), principal)
        limit = _limit(download, channel)
        async with self._parts.caller.download(download.request, principal) as answer:
            _check_status(answer, limit)
            stored = await self._parts.blobs.put(job.tenant, transformed(answer.chunks, download.decrypt), limit=limit)
            mime_type = download.mime_type or job.media.mime_type or _mime_type(answer)
        return Fetched(stored=stored, mime_type=mime_type, name=job.media.name or download.name)

    async def _failed(self, job: MediaJob, failed: SendFailed | TooLarge) -> None:
        code = failed.reason if isinstance(failed, SendFailed) else failed.code
        if code in PASSING:
            await self._put_off(job, f"{code}: {failed.detail}", getattr(failed, "retry_after", None))
        else:
            await self._unavailable(job, code, failed.detail)

    async def _put_off(self, job: MediaJob, reason: str, after: timedelta | None = None) -> None:
        pause = after or timedelta(
            seconds=min(LONGEST, self._first_pause * 2.0**job.tries) * random.uniform(0.75, 1.25)
        )
        if datetime.now(UTC) + pause > job.received_at + self._give_up:
            await self._unavailable(job, "unreachable", reason)
            return
        MEDIA.labels(job.account[0], "put_off").inc()
        await self._quietly(mediajobs.put_off(self._pool, job, pause))

    async def _unavailable(self, job: MediaJob, code: str, detail: str) -> None:
        await self._quietly(self._tell(job, {"state": "unavailable", "reason": f"{code}: {detail}".rstrip(": ")}))

    async def _tell(self, job: MediaJob, news: Mapping[str, Any]) -> None:
        """On the bus first, then done: a crash between them tells it twice, with the same id."""
        channel, account = job.account
        update = MediaUpdate(
            message_id=job.message_id,
            tenant=job.tenant,
            channel=channel,
            account=account,
            peer=job.peer,
            part=job.part,
            occurred_at=datetime.now(UTC),
            **scrub(dict(news)),
        )
        await self._producer.send(self._record(job, update))
        MEDIA.labels(channel, update.state).inc()
        await mediajobs.finish(self._pool, job)

    def _record(self, job: MediaJob, update: MediaUpdate) -> Out:
        headers = cloudevents.headers(
            "media",
            source=self._source,
            id=str(derive("media", job.message_id, job.part, update.state)),
            time=update.occurred_at,
            tenant=job.tenant,
            subject=str(job.message_id),
            traceparent=cloudevents.next_span(job.traceparent),
        )
        return Out(topic=self._topic, key=job.key, value=cloudevents.encode(update), headers=headers)

    async def _quietly(self, step: Any) -> None:
        """Kafka or PostgreSQL away: the lease expires, and the job is done again."""
        try:
            await step
        except (BusUnavailable, DatabaseUnavailable) as error:
            log.warning("media.left", error=str(error))

    async def _sweep(self) -> None:
        while True:
            await self._quietly(mediajobs.prune(self._pool))
            await asyncio.sleep(SWEEP)


def _limit(download: Download, channel: Channel) -> int:
    return STRANGERS_LIMIT if download.request.stranger else max(STRANGERS_LIMIT, channel.capabilities.media_bytes)


def _check_status(answer: Stream, limit: int) -> None:
    """A file's address answers with the file, or with the reason why there is none (yet): RFC 9110 §15."""
    match answer.status:
        case 200:
            pass
        case 202 | 408 | 429 | 500 | 502 | 503 | 504:
            raise SendFailed("unreachable", f"HTTP {answer.status}")
        case 401 | 403 | 404 | 410:
            raise SendFailed("expired", f"HTTP {answer.status}: the link is no longer good")
        case _:
            raise SendFailed("refused", f"HTTP {answer.status}")
    told = answer.headers.get("content-length", "")
    if told.isdigit() and int(told) > limit:
        raise TooLarge(f"{told} bytes; {limit} are the most")


def _mime_type(answer: Stream) -> str | None:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower() or None


def _stored(fetched: Fetched) -> dict[str, Any]:
    return {
        "state": "stored",
        "blob": fetched.stored.ref,
        "size": fetched.stored.size,
        "sha256": fetched.stored.sha256,
        "mime_type": fetched.mime_type,
        "name": fetched.name,
    }
