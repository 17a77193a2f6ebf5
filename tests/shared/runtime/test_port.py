"""An HTTP port before anybody is known: what stalls, what is packed and what is too large takes nothing from others."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from aiohttp import ClientSession, web
from pydantic import SecretStr

from deploy.local.home import Addresses
from services.chat_adapter.channels.webhook import CHANNEL as WEBHOOK
from services.router.api.answers import read_json
from services.router.api.tokens import Tokens, guarded
from services.sandbox.bodies import read_values
from services.sandbox.refusals import answering
from shared.bus.cloudevents import RAW
from shared.runtime import crowd, port
from shared.runtime.hosts import host_of, only
from shared.runtime.settings import Settings
from tests.patience import SECONDS
from tests.shared.broker import records_of, settings_for
from tests.shared.gate import DLQ, INBOUND, Gate, counted, gate, hello, sign

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
LARGE = 700_000  # bytes, more than is always kept room for


@pytest.fixture
async def door(servers: Addresses, tmp_path: Path) -> AsyncIterator[Gate]:
    async with gate(settings_for(servers.kafka), tmp_path) as door:
        yield door


async def knock(door: Gate, said: bytes = b"") -> Stream:
    stream = await asyncio.open_connection("127.0.0.1", door.port)
    stream[1].write(said)
    await stream[1].drain()
    return stream


def head(*lines: str, to: str = "webhook/main") -> bytes:
    return "\r\n".join([f"POST /hooks/{to} HTTP/1.1", "Host: parley.example", *lines, "", ""]).encode()


async def ended(stream: Stream) -> bytes:
    """What was said until the end of the connection, however it came."""
    try:
        async with asyncio.timeout(SECONDS):
            return await stream[0].read()
    except ConnectionError:
        return b""


async def status(stream: Stream) -> int:
    async with asyncio.timeout(SECONDS):
        line = await stream[0].readline()
    return int(line.split()[1])


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP, identity"])
async def test_a_packed_body_is_refused_by_its_head(door: Gate, encoding: str) -> None:
    """Also with a signature over the bytes as they were sent: nobody unpacks what a stranger packed."""
    body = gzip.compress(b"0" * 1_000_000)
    before = counted("encoded")
    assert await door.post(body, headers=sign(body) | {"Content-Encoding": encoding}) == 415
    assert counted("encoded") == before + 1
    assert not await records_of(door.settings, INBOUND)
    assert not await records_of(door.settings, DLQ)


async def test_a_packed_body_is_verified_as_it_was_sent_and_kept_as_people_read_it(
    door: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WEBHOOK.__dict__, "encodings", frozenset({"gzip"}))
    event = orjson.dumps(hello())
    body = gzip.compress(event)
    assert await door.post(body, headers=sign(event) | {"Content-Encoding": "gzip"}) == 401
    assert await door.post(body, headers=sign(body) | {"Content-Encoding": "GZip"}) == 200
    (record,) = await records_of(door.settings, INBOUND)
    assert dict(record.headers)[RAW] == event


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (gzip.compress(b" " * 2_000_000), 413),
        (gzip.compress(b"{}")[:-1], 400),
        (gzip.compress(b"{}") + gzip.compress(b"{}"), 400),
        (b"{}", 400),
        (b"", 400),
    ],
    ids=["bomb", "cut", "two", "plain", "empty"],
)
async def test_a_packed_body_that_is_none_or_too_much_is_refused(
    door: Gate, monkeypatch: pytest.MonkeyPatch, body: bytes, wanted: int
) -> None:
    monkeypatch.setitem(WEBHOOK.__dict__, "encodings", frozenset({"gzip"}))
    assert await door.post(body, headers=sign(body) | {"Content-Encoding": "gzip"}) == wanted
    assert not await records_of(door.settings, INBOUND)
    assert not await records_of(door.settings, DLQ)


async def test_what_a_provider_puts_behind_an_address_is_part_of_no_other(
    door: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await door.post(hello(), to="webhook/main/message") == 404
    monkeypatch.setitem(WEBHOOK.__dict__, "behind", "message")
    assert await door.post(hello(), to="webhook/main/message") == 200
    assert await door.post(hello(), to="webhook/main") == 200
    assert await door.post(hello(), to="webhook/main/other") == 404


@pytest.mark.parametrize(
    ("lines", "to", "wanted"),
    [
        (["Content-Length: 999999999", "webhook-signature: v1,x"], "webhook/main", 413),
        (["Content-Length: 500"], "webhook/main", 401),
        (["Content-Length: 500"], "telegram/bot", 401),
        (["Content-Length: 500", "x-telegram-bot-api-secret-token: another"], "telegram/bot", 401),
        (["Content-Length: 500", "Content-Encoding: gzip", "webhook-signature: v1,x"], "webhook/main", 415),
        (["Content-Length: 500"], "webhook/nobody", 404),
    ],
)
@pytest.mark.parametrize("expects", [False, True], ids=["at once", "asks first"])
async def test_what_the_head_tells_is_refused_before_a_body_comes(
    door: Gate, lines: list[str], to: str, wanted: int, expects: bool
) -> None:
    asks = ["Expect: 100-continue"] if expects else []
    assert await status(await knock(door, head(*lines, *asks, to=to))) == wanted


async def test_who_asks_first_and_may_is_told_to_go_on(door: Gate) -> None:
    event = b'{"type": "message"'
    given = [f"{name}: {value}" for name, value in sign(event).items()]
    stream = await knock(door, head(*given, f"Content-Length: {len(event)}", "Expect: 100-continue"))
    assert await status(stream) == 100
    await stream[0].readline()
    stream[1].write(event)
    assert await status(stream) == 200


async def test_a_head_that_never_ends_ends_the_connection(door: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(port, "IDLE_SECONDS", 10 * SECONDS)
    for said in (b"", b"P", head()[:-2]):
        assert await ended(await knock(door, said)) == b""


async def test_after_an_answer_the_next_head_has_a_deadline_too(door: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "IDLE_SECONDS", 0.2)
    stream = await knock(door, b"GET /hooks/webhook/nobody HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await status(stream) == 404
    stream[1].write(b"GET /hooks")
    assert b"HTTP/1.1" not in await ended(stream)


async def test_who_still_reads_a_long_answer_is_not_cut_off_and_who_does_not_is(
    servers: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large answer lies in the connection's buffer when its handler has long returned."""
    monkeypatch.setattr(port, "IDLE_SECONDS", 0.5)
    length = 30_000_000

    async def long(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * length)

    app = web.Application()
    port.guard(app, settings_for(servers.kafka))
    app.router.add_get("/", long)
    runner = web.AppRunner(app)
    await runner.setup()
    server = await port.open_port(runner, "127.0.0.1", 0)
    number = server.sockets[0].getsockname()[1]
    read = []
    for patient in (True, False):
        reader, writer = await asyncio.open_connection("127.0.0.1", number, limit=2**16)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        got = 0
        try:
            while got < length and (part := await reader.read(2**20 if patient else 2**16)):
                got += len(part)
                await asyncio.sleep(0.05 if patient else 3 * port.IDLE_SECONDS if got < 2**17 else 0)
        except ConnectionError:
            pass
        read.append(got >= length)
        writer.close()
    assert read == [True, False]
    server.close()
    await runner.cleanup()


async def test_somebody_who_goes_away_in_the_middle_is_no_error_in_the_log(
    door: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        stream = await knock(door, head("Content-Length: 500", "webhook-signature: v1,x") + b"{")
        stream[1].transport.abort()
    assert await door.post(hello()) == 200
    assert [record for record in caplog.records if record.name == "aiohttp.server"] == []


async def test_a_body_that_stalls_is_408_and_counted(door: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "BODY_SECONDS", 0.2)
    before = counted("too_slow")
    stream = await knock(door, head("Content-Length: 500", "webhook-signature: v1,x") + b"{")
    assert await status(stream) == 408
    assert counted("too_slow") == before + 1


async def test_connections_that_say_nothing_take_no_place_from_an_ordinary_sender(
    servers: Addresses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the same address even: each newcomer takes the place of the one that has waited longest."""
    monkeypatch.setattr(crowd, "SHARE", 20)
    async with gate(settings_for(servers.kafka), tmp_path) as door:
        begun = head("Content-Length: 500", "webhook-signature: v1,x") + b"{"
        silent = [await knock(door, begun) for _ in range(60)]
        assert await door.post(hello()) == 200
        assert [await ended(stream) for stream in silent[:40]] == [b""] * 40
        for stream in silent:
            stream[1].close()


async def test_large_bodies_under_way_have_a_bound_and_small_ones_pass(door: Gate) -> None:
    most = crowd.OF_ONE // LARGE
    declared = head(f"Content-Length: {LARGE + 1}", "webhook-signature: v1,x")
    stalled = [await knock(door, declared + b"x" * LARGE) for _ in range(most)]
    before = counted("crowded")
    late = await knock(door, declared + b"x" * LARGE)
    assert await status(late) == 503
    assert counted("crowded") == before + 1
    assert await door.post(hello()) == 200
    for stream in (*stalled, late):
        stream[1].close()


# every other body --------------------------------------------------------------------------------------------------------

TOKEN = "Authorization: Bearer of these tests"
HERE = "Host: localhost"


@pytest.fixture
async def desk() -> AsyncIterator[int]:
    """The port of a service that reads JSON as the router's API does, for whoever has the token, and forms as the sandbox does."""

    async def read(request: web.Request) -> web.Response:
        return web.json_response(await read_json(request))

    async def fill_in(request: web.Request) -> web.Response:
        return web.json_response(await read_values(request))

    settings = Settings(hosts="localhost", token=SecretStr("of these tests"))
    app = web.Application(middlewares=[only(settings)])
    port.guard(app, settings)
    app.router.add_post("/api", guarded(Tokens(settings), "write", read))
    app.router.add_post("/form", answering(fill_in))
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    server = await port.open_port(runner, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await runner.cleanup()


async def ask(number: int, path: str, *lines: str, body: bytes = b"") -> Stream:
    stream = await asyncio.open_connection("127.0.0.1", number)
    stream[1].write("\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode() + body)
    await stream[1].drain()
    return stream


@pytest.mark.parametrize(
    ("path", "lines", "wanted"),
    [
        ("/nothing", [HERE], 404),
        ("/api", ["Host: evil.example", TOKEN], 421),
        ("/api", [HERE], 401),
        ("/api", [HERE, TOKEN, "Content-Encoding: gzip"], 415),
        ("/api", [HERE, TOKEN, "Content-Length: 9999999"], 413),
        ("/form", [HERE, "Content-Type: application/json", "Content-Length: 9999999"], 413),
        ("/api", [HERE, TOKEN], 100),
        ("/form", [HERE, "Content-Type: application/json"], 100),
        ("/form", [HERE, "Content-Type: multipart/form-data; boundary=b"], 100),
    ],
)
async def test_a_head_is_judged_before_its_body_is_asked_for(
    desk: int, path: str, lines: list[str], wanted: int
) -> None:
    length = [] if any(line.startswith("Content-Length") for line in lines) else ["Content-Length: 2"]
    stream = await ask(desk, path, *lines, *length, "Expect: 100-continue")
    assert await status(stream) == wanted
    stream[1].close()


async def test_a_body_that_was_asked_for_is_read(desk: int) -> None:
    stream = await ask(desk, "/api", HERE, TOKEN, "Content-Length: 2", "Expect: 100-continue")
    assert await status(stream) == 100
    await stream[0].readline()
    stream[1].write(b"{}")
    assert await status(stream) == 200
    stream[1].close()


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("/api", [TOKEN]),
        ("/form", ["Content-Type: application/json"]),
        ("/form", ["Content-Type: application/x-www-form-urlencoded"]),
    ],
)
async def test_bodies_of_api_and_sandbox_have_a_bound_together(desk: int, path: str, lines: list[str]) -> None:
    large = 500_000  # the API takes no more than 512 KiB
    declared = [HERE, *lines, f"Content-Length: {large + 1}"]
    stalled = [await ask(desk, path, *declared, body=b"0" * large) for _ in range(crowd.OF_ONE // large)]
    late = await ask(desk, path, *declared, body=b"0" * large)
    assert await status(late) == 503
    small = await ask(desk, path, HERE, *lines, "Content-Length: 2", body=b"{}")
    assert await status(small) == 200
    for stream in (*stalled, late, small):
        stream[1].close()


# hosts ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("127.0.0.1:8080", 200),
        ("LOCALHOST", 200),
        ("[::1]:8080", 200),
        ("parley.example", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost@evil.example", 421),
        ("evil.example@localhost", 421),
        ("evil.example:80@localhost:80", 421),
        ("localhost.", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
async def test_a_page_answers_only_to_the_hosts_that_it_is_told(header: str, wanted: int) -> None:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="page")

    app = web.Application(middlewares=[only(Settings(hosts="localhost,127.0.0.1, ::1,Parley.example"))])
    app.router.add_get("/console/", page)
    app.router.add_get("/health/ready", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ClientSession(headers={"Host": header}) as client:
        async with client.get(f"{address}/console/") as answer:
            assert answer.status == wanted
        async with client.get(f"{address}/health/ready") as answer:
            assert answer.status == 200
    await runner.cleanup()


def test_a_header_that_is_no_host_is_none() -> None:
    assert host_of("[::1") is None
