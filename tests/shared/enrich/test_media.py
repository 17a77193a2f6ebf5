"""What customers sent is fetched apart from their messages: stored with its hash, or unavailable with the reason."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from provider import Account, hangs_up, make_channel, says, streams, waits_for
from station import Station, open_station

from shared.contract.channel import AesCtr, Channel, Context, Download, Http, Steps
from shared.contract.deliveries import MediaUpdate
from shared.contract.envelope import Envelope, Media, Party, Text
from shared.enrich import media, mediajobs
from shared.enrich.afterwards import Afterwards
from shared.enrich.media import MediaWorker
from shared.storage import walks
from tests.patience import SECONDS

INBOUND = "inbound.chat.v1"
PICTURE = b"\x89PNG" + bytes(range(256)) * 2000
KEY = bytes(range(32))


@pytest.fixture
async def station(servers: Any, tmp_path: Path) -> AsyncIterator[Station]:
    async with open_station(servers, tmp_path / "blobs") as station:
        yield station


def envelope(*handles: str, **more: Any) -> Envelope:
    now = datetime.now(UTC)
    files = tuple(Media(media="image", handle=handle) for handle in handles)
    plain = {
        "id": uuid.uuid4(),
        "tenant": "default",
        "channel": "line",
        "account": "main",
        "peer": "alice",
        "sender": Party(address="alice"),
        "parts": (Text(text="look"), *files),
        "occurred_at": now,
        "received_at": now,
    }
    return Envelope(**(plain | more))


class Worker:
    """A media worker on the station's parts."""

    def __init__(self, station: Station) -> None:
        self.station = station

    async def start(self, channel: Channel | None = None, **given: Any) -> None:
        parts = await self.station.parts(channel or make_channel())
        patience = {"first_pause": 0.05, "give_up": timedelta(seconds=2 * SECONDS)} | given
        self.afterwards = Afterwards(parts, [MediaWorker(parts, **patience)])
        self.task = asyncio.create_task(self.afterwards.run())

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def receive(self, message: Envelope) -> None:
        await self.station.producer.send(self.station.envelope_record(message))

    async def told(self, message: Envelope, count: int = 1) -> list[MediaUpdate]:
        def found() -> dict[int, MediaUpdate]:
            models = (record.model for record in self.station.read.get(INBOUND, ()))
            return {m.part: m for m in models if isinstance(m, MediaUpdate) and m.message_id == message.id}

        await self.station.until(INBOUND, lambda: len(found()) >= count)
        return [update for _, update in sorted(found().items())]


@pytest.fixture
async def worker(station: Station) -> AsyncIterator[Worker]:
    worker = Worker(station)
    yield worker
    await worker.stop()


def offers(station: Station, name: str, answer: Any) -> None:
    """The provider has a file: first it says where, then it gives it."""
    station.provider.by_path[f"/file/{name}"] = says(200, {"url": f"{station.provider.address}/bytes/{name}"})
    station.provider.by_path[f"/bytes/{name}"] = answer


def asked(station: Station, name: str) -> int:
    return sum(seen.path == f"/bytes/{name}" for seen in station.provider.seen)


async def test_a_picture_is_stored_and_told_with_the_messages_key(station: Station, worker: Worker) -> None:
    offers(station, "a", streams([PICTURE], mime_type="image/PNG; charset=binary"))
    offers(station, "b", streams([b"second"], mime_type="image/gif"))
    await worker.start()
    message = envelope("a", "b")
    await worker.receive(message)
    first, second = await worker.told(message, 2)
    assert (first.state, first.part, first.size, first.mime_type) == ("stored", 1, len(PICTURE), "image/png")
    assert first.sha256 == hashlib.sha256(PICTURE).hexdigest()
    assert first.name == "from-the-provider.jpg"
    assert b"".join([chunk async for chunk in await station.blobs.get(first.blob or "")]) == PICTURE
    assert (second.part, second.size) == (2, 6)
    records = [record for record in station.read[INBOUND] if record.name == "media"]
    assert {record.key for record in records} == {b"default|line|main|alice"}


async def test_a_message_read_twice_is_fetched_once(station: Station, worker: Worker) -> None:
    offers(station, "a", streams([PICTURE], mime_type="image/png"))
    offers(station, "last", streams([b"x"], mime_type="image/png"))
    await worker.start()
    message, last = envelope("a"), envelope("last")
    for one in (message, message, last):
        await worker.receive(one)
    await worker.told(message)
    await worker.told(last)
    assert asked(station, "a") == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says(404), "expired: HTTP 404"),
        (says(410), "expired: HTTP 410"),
        (says(403), "expired: HTTP 403"),
        (says(418), "refused: HTTP 418"),
        (streams([b"x" * 1024 * 1024] * 26, mime_type="image/png"), "too_long: more than"),
        (says(200, {}, Content_Length="999999999"), "too_long: 999999999 bytes"),
    ],
)
async def test_what_cannot_be_had_is_unavailable_with_the_reason(
    station: Station, worker: Worker, answer: Any, reason: str
) -> None:
    offers(station, "a", answer)
    await worker.start()
    message = envelope("a")
    await worker.receive(message)
    (update,) = await worker.told(message)
    assert (update.state, update.blob) == ("unavailable", None)
    assert (update.reason or "").startswith(reason)
    assert asked(station, "a") == 1


@pytest.mark.parametrize("change", [{"account": "gone"}, {"tenant": "another"}])
async def test_an_account_that_is_gone_is_said(station: Station, worker: Worker, change: dict[str, str]) -> None:
    await worker.start()
    message = envelope("a", **change)
    await worker.receive(message)
    (update,) = await worker.told(message)
    assert (update.reason or "").startswith("unknown_account")


async def test_what_passes_is_tried_again_and_half_a_file_is_none(station: Station, worker: Worker) -> None:
    answers = [hangs_up(), streams([PICTURE[:99]], mime_type="image/png", torn=True)]
    answers += [says(503), says(429), says(202), streams([PICTURE], mime_type="image/png")]

    async def next_answer(request: web.Request) -> web.StreamResponse:
        return await answers.pop(0)(request)

    offers(station, "a", next_answer)
    await worker.start()
    message = envelope("a")
    await worker.receive(message)
    (update,) = await worker.told(message)
    assert (update.state, update.size) == ("stored", len(PICTURE))
    assert asked(station, "a") == 6


async def test_what_never_passes_is_given_up(station: Station, worker: Worker) -> None:
    offers(station, "a", says(503))
    await worker.start(give_up=timedelta(seconds=0.5))
    message = envelope("a")
    await worker.receive(message)
    (update,) = await worker.told(message)
    assert (update.state, update.reason) == ("unavailable", "unreachable: unreachable: HTTP 503")
    assert asked(station, "a") > 1


async def test_a_strangers_link_does_not_lead_inside(station: Station, worker: Worker) -> None:
    def fetch(account: Account, part: Media, context: Context) -> Steps[Download]:
        return Download(request=Http(method="GET", url=part.handle or "", stranger=True))
        yield

    await worker.start(replace(make_channel(), fetch=fetch))
    message = envelope(f"{station.provider.address}/secret", "http://169.254.169.254/latest/", "file:///etc/passwd")
    await worker.receive(message)
    reasons = [(update.reason or "").partition(":")[0] for update in await worker.told(message, 3)]
    assert reasons == ["refused", "refused", "bad_address"]
    assert station.provider.seen == []


async def test_a_crash_in_the_middle_is_made_up_by_the_next(station: Station, worker: Worker) -> None:
    never = asyncio.Event()
    offers(station, "a", waits_for(never))
    await worker.start()
    message = envelope("a")
    await worker.receive(message)
    await station.provider.wait(2)
    await worker.stop()
    never.set()
    offers(station, "a", streams([PICTURE], mime_type="image/png"))
    await station.pool.execute("UPDATE media_job SET lease_until = now() - interval '1 second'")
    await worker.start()
    (update,) = await worker.told(message)
    assert update.state == "stored"


async def test_what_was_done_long_ago_is_forgotten_however_much_it_is(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step removes only so much."""
    monkeypatch.setattr(walks, "STEP", 1)
    await station.pool.execute(
        """INSERT INTO media_job (message_id, part, tenant, channel, account, peer, record_key, media, done_at)
        SELECT gen_random_uuid(), days, 'default', 'line', 'main', 'alice', '', '{}', now() - make_interval(days => days)
        FROM unnest(ARRAY[1, 15, 16]) days"""
    )
    await mediajobs.prune(station.pool)
    assert [row[0] for row in await station.pool.fetch("SELECT part FROM media_job")] == [1]


async def test_an_encrypted_file_is_kept_as_people_see_it(station: Station, worker: Worker) -> None:
    def fetch(account: Account, part: Media, context: Context) -> Steps[Download]:
        request = Http(method="GET", url=f"{account.api}/bytes/{part.handle}")
        return Download(request=request, decrypt=AesCtr(KEY), mime_type="x/y")
        yield

    plain = b"secret code" * 30_000
    sent = Cipher(algorithms.AES(KEY), modes.CTR(bytes(16))).encryptor().update(plain)
    offers(station, "a", streams([sent[:7], sent[7:100_001], sent[100_001:]], mime_type="application/octet-stream"))
    await worker.start(replace(make_channel(), fetch=fetch))
    message = envelope("a")
    await worker.receive(message)
    (update,) = await worker.told(message)
    assert b"".join([chunk async for chunk in await station.blobs.get(update.blob or "")]) == plain
    assert (update.mime_type, update.sha256) == ("x/y", hashlib.sha256(plain).hexdigest())


async def test_a_slow_account_holds_nobody_up(station: Station, worker: Worker) -> None:
    held = asyncio.Event()
    names = [f"slow{number}" for number in range(media.AT_ONCE + 3)]
    for name in names:
        offers(station, name, waits_for(held))
    offers(station, "quick", streams([b"quick"], mime_type="image/png"))
    await worker.start()
    slow, quick = envelope(*names), envelope("quick", account="other")
    await worker.receive(slow)
    await station.provider.wait(2 * media.AT_ONCE)
    await worker.receive(quick)
    await worker.told(quick)
    assert sum(asked(station, name) for name in names) == media.AT_ONCE
    held.set()
    assert {update.state for update in await worker.told(slow, len(names))} == {"stored"}


async def test_messages_without_files_are_not_parsed_here(station: Station, worker: Worker) -> None:
    def read(message: Envelope) -> Any:
        out = station.envelope_record(message)
        return type("Record", (), {"value": out.value, "headers": out.headers})

    await worker.start()
    assert worker.afterwards._wants(read(envelope("a")))
    assert not worker.afterwards._wants(read(envelope()))
