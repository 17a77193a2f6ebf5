"""A file that goes out by address: whoever has the address reads that file, until its time is over, and nothing else."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import ClientResponse, ClientSession, web
from pydantic import SecretStr

from services.chat_adapter.channels.webhook import CHANNEL
from shared.adapter.files import OF_ONE, Files
from shared.contract.channel import Context
from shared.contract.envelope import Media
from shared.contract.errors import Refusal
from shared.contract.links import LIFE, link
from shared.provider.contexts import Contexts
from shared.runtime.port import guard, open_port
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs

CONTENT = bytes(range(256)) * 40
SECRET = "whsec_" + 32 * "A"
ACCOUNT = CHANNEL.account(name="second", app="main", url="https://x.example", secret=SECRET)


@dataclass
class Shelf:
    blobs: Blobs
    settings: Settings
    client: ClientSession

    async def keep(self, content: bytes = CONTENT, **more: object) -> Media:
        stored = await self.blobs.put_bytes("shop", content)
        given = {"media": "image", "state": "stored", "blob": stored.ref, "mime_type": "image/png", "name": "a.png"}
        return Media.model_validate({**given, **more})

    async def link(self, media: Media) -> str:
        return (await self.context()).link(media)

    async def context(self, **settings: object) -> Context:
        return await Contexts(self.settings.model_copy(update=settings)).of(CHANNEL, ACCOUNT)

    async def get(self, url: str, method: str = "GET", **headers: str) -> tuple[ClientResponse, bytes]:
        async with self.client.request(method, url, headers=headers) as answer:
            return answer, await answer.read()


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    blobs = Blobs.open(tmp_path.as_uri())
    settings = Settings(secret=SecretStr("a key of this test"))
    app = web.Application()
    guard(app, settings)
    app.add_routes(Files(settings, blobs).routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    server = await open_port(runner, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with ClientSession() as client:
        yield Shelf(blobs, settings.model_copy(update={"public_url": f"{address}/"}), client)
    server.close()
    await runner.cleanup()


async def test_whoever_has_the_address_reads_the_file(shelf: Shelf) -> None:
    url = await shelf.link(await shelf.keep(name="រូបភាព.png"))
    answer, body = await shelf.get(url)
    assert (answer.status, body, answer.headers["Content-Type"]) == (200, CONTENT, "image/png")
    assert answer.headers["Content-Disposition"] == f"inline; filename*=UTF-8''{quote('រូបភាព.png')}"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    named, same = await shelf.get(f"{url}/picture.png")
    assert (named.status, same, named.headers["Content-Disposition"]) == (
        200,
        CONTENT,
        answer.headers["Content-Disposition"],
    )
    head, nothing = await shelf.get(url, "HEAD")
    assert (head.status, nothing, head.headers["Content-Length"]) == (200, b"", str(len(CONTENT)))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("bytes=0-99", (0, 100)),
        ("bytes=10000-", (10000, 10240)),
        ("bytes=-10", (10230, 10240)),
        ("bytes=-99999", (0, 10240)),
        ("bytes=10200-99999", (10200, 10240)),
    ],
)
async def test_a_part_of_it_is_that_part(shelf: Shelf, asked: str, told: tuple[int, int]) -> None:
    answer, body = await shelf.get(await shelf.link(await shelf.keep()), Range=asked)
    assert (answer.status, body) == (206, CONTENT[slice(*told)])
    assert answer.headers["Content-Range"] == f"bytes {told[0]}-{told[1] - 1}/10240"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=-", "pages=1-2", "", "bytes=x"])
async def test_what_is_no_part_is_all_of_it(shelf: Shelf, asked: str) -> None:
    answer, body = await shelf.get(await shelf.link(await shelf.keep()), Range=asked)
    assert (answer.status, body) == (200, CONTENT)


@pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=5-4", "bytes=-0"])
async def test_a_part_that_is_not_there_is_told_with_the_size(shelf: Shelf, asked: str) -> None:
    answer, body = await shelf.get(await shelf.link(await shelf.keep()), Range=asked)
    assert (answer.status, body, answer.headers["Content-Range"]) == (416, b"", "bytes */10240")


async def test_a_part_of_another_file_is_not_mixed_with_this_one(shelf: Shelf) -> None:
    url = await shelf.link(await shelf.keep())
    tag = (await shelf.get(url))[0].headers["ETag"]
    for known, status in ((tag, 206), ('"of another"', 200)):
        answer, _ = await shelf.get(url, Range="bytes=0-9", **{"If-Range": known})
        assert answer.status == status


@pytest.mark.parametrize(
    ("kind", "told", "place"),
    [
        ("text/html", "text/html", "attachment"),
        ("image/svg+xml", "image/svg+xml", "attachment"),
        ("application/pdf", "application/pdf", "attachment"),
        ("Video/MP4; codecs=avc1", "video/mp4", "inline"),
        ("text/plain\r\nSet-Cookie: a=b", "application/octet-stream", "attachment"),
        (None, "application/octet-stream", "attachment"),
    ],
)
async def test_what_a_browser_could_run_is_only_saved(shelf: Shelf, kind: str | None, told: str, place: str) -> None:
    answer, _ = await shelf.get(await shelf.link(await shelf.keep(mime_type=kind)))
    assert (answer.status, answer.headers["Content-Type"]) == (200, told)
    assert answer.headers["Content-Disposition"].startswith(place)
    assert "sandbox" in answer.headers["Content-Security-Policy"]


async def test_no_other_address_opens_anything(shelf: Shelf) -> None:
    """Every character counts: a changed one, another key, another purpose, another file under this signature."""
    one, other = [await shelf.link(await shelf.keep(content)) for content in (b"one", b"other")]
    base, _, sealed = one.rpartition("/")
    payload, _, signature = sealed.partition(".")
    forged = [
        *(f"{sealed[:at]}{'A' if sealed[at] != 'A' else 'B'}{sealed[at + 1 :]}" for at in range(0, len(sealed), 7)),
        f"{other.rpartition('/')[2].partition('.')[0]}.{signature}",
        payload,
        f"{payload}.",
        "x",
        "%00",
        "é.é",
        f"x/{sealed}",
        f"{sealed}/picture.png/more",
        base64.urlsafe_b64encode(b'{"blob":"shop/x"}').decode(),
    ]
    for text in forged:
        assert (await shelf.get(f"{base}/{text}"))[0].status == 404
    other_key = await shelf.context(secret=SecretStr("another"))
    assert (await shelf.get(other_key.link(await shelf.keep())))[0].status == 404
    assert (await shelf.get(f"{base}/"))[0].status == 404


async def test_an_address_ends_and_a_file_may_be_gone(shelf: Shelf) -> None:
    media, base = await shelf.keep(), shelf.settings.public_url.rstrip("/")
    long_ago = datetime.now(UTC) - LIFE - timedelta(days=2)
    assert (await shelf.get(link(media, base=base, secret=shelf.settings.secret, now=long_ago)))[0].status == 410
    gone = media.model_copy(update={"blob": f"shop/{'0' * 64}"})
    assert (await shelf.get(await shelf.link(gone)))[0].status == 404
    outside = media.model_copy(update={"blob": "../../etc/passwd"})
    assert (await shelf.get(await shelf.link(outside)))[0].status == 404


async def test_the_address_is_the_same_for_a_while_and_good_for_a_week_at_least(shelf: Shelf) -> None:
    media, base, secret = await shelf.keep(), "https://parley.example", shelf.settings.secret
    morning = datetime(2026, 2, 3, 1, tzinfo=UTC)
    first, later, tomorrow = (
        link(media, base=base, secret=secret, now=morning + timedelta(hours=hours)) for hours in (0, 22, 24)
    )
    assert first == later != tomorrow


@pytest.mark.parametrize("lacking", [{"public_url": ""}, {"secret": SecretStr("")}])
async def test_without_an_address_or_a_key_a_file_is_refused_with_what_to_do(shelf: Shelf, lacking: dict) -> None:
    context = await shelf.context(**lacking)
    with pytest.raises(Refusal, match="PARLEY_PUBLIC_URL and PARLEY_SECRET") as refused:
        context.link(await shelf.keep())
    assert refused.value.reason == "unsupported"
    assert not context.hook or "public_url" not in lacking


async def test_a_file_without_bytes_has_no_address(shelf: Shelf) -> None:
    with pytest.raises(Refusal) as refused:
        await shelf.link(Media(media="image", handle="x"))
    assert refused.value.reason == "malformed"


async def test_the_hook_is_the_address_of_the_app_that_receives(shelf: Shelf) -> None:
    contexts = Contexts(shelf.settings.model_copy(update={"public_url": "https://parley.example/"}))
    for owner in (ACCOUNT, CHANNEL.app(name="main", secret=SECRET)):
        assert (await contexts.of(CHANNEL, owner)).hook == "https://parley.example/hooks/webhook/main"


async def test_one_address_does_not_take_all_places(shelf: Shelf) -> None:
    """Whoever asks for a large file and does not read it holds a place of that file only."""
    large, small = [await shelf.link(await shelf.keep(content)) for content in (bytes(24 * 1024 * 1024), b"small")]
    async with AsyncExitStack() as held:
        slow = await held.enter_async_context(ClientSession(read_bufsize=1024))
        for _ in range(OF_ONE):
            answer = await held.enter_async_context(slow.get(large))
            assert answer.status == 200
        refused = await held.enter_async_context(slow.get(large))
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        assert (await shelf.get(small))[1] == b"small"
    with suppress(TimeoutError):
        async with asyncio.timeout(20):
            while (await shelf.get(large, "HEAD"))[0].status == 503:
                await asyncio.sleep(0.05)
    assert (await shelf.get(large, Range="bytes=0-3"))[0].status == 206
