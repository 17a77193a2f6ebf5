"""Calls to providers are classified by whether anything may have left, repeated only where that is safe, and guarded."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from provider import Account, Provider, dead_port, hangs_up, make_channel, says, streams, waits_for
from pydantic import SecretStr

from shared.contract.channel import AesCtr, Blob, Context, Field, Gzip, Http, Piece, Sent, Steps
from shared.contract.envelope import Text
from shared.contract.errors import DatabaseUnavailable, Malformed, SendFailed
from shared.provider.bodies import open_body
from shared.provider.calls import ANSWER_LIMIT, Caller, Principal
from shared.provider.drive import drive
from shared.provider.ssrf import public
from shared.storage.blobs import Blobs

CHANNEL = make_channel()
CONTEXT = Context(now=datetime(2026, 2, 3, tzinfo=UTC))


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    await provider.start()
    yield provider
    await provider.stop()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs.open(tmp_path.as_uri())


@pytest.fixture
async def caller(blobs: Blobs) -> AsyncIterator[Caller]:
    async with Caller(blobs) as caller:
        yield caller


@pytest.fixture
def principal(provider: Provider) -> Principal:
    return Principal(channel=CHANNEL, account=Account(name="main", api=provider.address), peer="alice")


class Ledger:
    """What `before` is told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.told: list[Http] = []
        self.error = error

    async def before(self, request: Http) -> None:
        self.told.append(request)
        if self.error:
            raise self.error


async def code(waiting: Any) -> str:
    with pytest.raises(SendFailed) as caught:
        await waiting
    return caught.value.reason


# what may have left ---------------------------------------------------------------------------------------------------


async def test_the_ledger_is_told_before_anything_leaves(
    provider: Provider, caller: Caller, principal: Principal
) -> None:
    order: list[str] = []

    async def before(_request: Http) -> None:
        order.append(f"told after {len(provider.seen)}")

    await caller.ask(Http(url=provider.address, commits=True), replace(principal, before=before))
    assert order == ["told after 0"]
    assert len(provider.seen) == 1


async def test_nothing_leaves_when_the_ledger_cannot_be_told(
    provider: Provider, caller: Caller, principal: Principal
) -> None:
    ledger = Ledger(DatabaseUnavailable())
    with pytest.raises(DatabaseUnavailable):
        await caller.ask(Http(url=provider.address, commits=True), replace(principal, before=ledger.before))
    await caller.ask(Http(method="GET", url=provider.address + "/after"), principal)
    assert [seen.path for seen in provider.seen] == ["/after"]


async def test_without_a_connection_nothing_left_and_the_ledger_was_not_even_told(
    caller: Caller, principal: Principal
) -> None:
    ledger = Ledger()
    request = Http(url=f"http://127.0.0.1:{dead_port()}", commits=True)
    assert await code(caller.ask(request, replace(principal, before=ledger.before))) == "unreachable"
    assert ledger.told == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_commit_whose_connection_breaks_is_unknown_and_never_repeated(
    provider: Provider, caller: Caller, principal: Principal, method: str
) -> None:
    await caller.ask(Http(method="GET", url=provider.address), principal)  # a kept-alive connection tempts to repeat
    provider.answers = [hangs_up(), hangs_up()]
    assert await code(caller.ask(Http(method=method, url=provider.address, commits=True), principal)) == "unknown"
    assert len(provider.seen) == 2


async def test_a_commit_without_an_answer_in_time_is_unknown(
    provider: Provider, caller: Caller, principal: Principal
) -> None:
    never = asyncio.Event()
    provider.answers = [waits_for(never)]
    request = Http(url=provider.address, commits=True, timeout=timedelta(seconds=2))
    assert await code(caller.ask(request, principal)) == "unknown"
    never.set()


async def test_a_commit_whose_answer_breaks_off_is_unknown(
    provider: Provider, caller: Caller, principal: Principal
) -> None:
    provider.answers = [streams([b'{"id": 1'], mime_type="application/json", torn=True)]
    assert await code(caller.ask(Http(url=provider.address, commits=True), principal)) == "unknown"


async def test_what_is_safe_is_repeated_a_few_times(provider: Provider, caller: Caller, principal: Principal) -> None:
    provider.answers = [hangs_up(), says(503), says(200, {"id": 7})]
    answer = await caller.ask(Http(url=provider.address), principal)
    assert answer.json() == {"id": 7}
    assert len(provider.seen) == 3


async def test_a_provider_that_stays_broken_has_the_last_word(
    provider: Provider, caller: Caller, principal: Principal
) -> None:
    provider.answers = [says(500, {"n": n}) for n in range(4)]
    answer = await caller.ask(Http(url=provider.address), principal)
    assert (answer.status, answer.json()) == (500, {"n": 3})


async def test_an_endless_answer_is_cut_off(provider: Provider, caller: Caller, principal: Principal) -> None:
    chunks = [b"x" * 1024 * 1024] * (ANSWER_LIMIT // 1024 // 1024 + 1)
    provider.answers = [streams(chunks, mime_type="text/plain")]
    assert await code(caller.ask(Http(method="GET", url=provider.address), principal)) == "malformed"


# what is sent ---------------------------------------------------------------------------------------------------------


async def test_a_file_is_streamed_with_its_length_and_its_name_in_any_script(
    provider: Provider, caller: Caller, principal: Principal, blobs: Blobs
) -> None:
    content = b"0123456789" * 300_000
    stored = await blobs.put_bytes("default", content)
    form = (Field("caption", "សួស្តី"), Field("photo", Blob(stored.ref, "image/png", 'រូប "1".png')))
    await caller.ask(Http(url=provider.address, body=form, commits=True), principal)
    (seen,) = provider.seen
    assert seen.form["caption"][2].decode() == "សួស្តី"
    name, headers, body = seen.form["photo"]
    assert body == content
    assert headers["Content-Type"] == "image/png"
    assert name == "រូប %221%22.png"
    assert int(seen.headers["content-length"]) > len(content)


async def test_a_file_that_is_not_there_is_known_before_anything_leaves(
    provider: Provider, caller: Caller, principal: Principal
) -> None:
    ledger = Ledger()
    request = Http(url=provider.address, body=(Field("f", Blob("default/" + "0" * 64)),), commits=True)
    assert await code(caller.ask(request, replace(principal, before=ledger.before))) == "malformed"
    assert ledger.told == []
    assert provider.seen == []


async def test_a_file_goes_as_it_is_whole_or_in_slices_and_with_its_length(
    provider: Provider, caller: Caller, principal: Principal, blobs: Blobs
) -> None:
    content = bytes(range(256)) * 5000
    stored = await blobs.put_bytes("default", content)
    for start, length in ((0, None), (0, 700_000), (700_000, None), (len(content), None)):
        body = Blob(stored.ref, "video/mp4", start=start, length=length)
        await caller.ask(Http(method="PUT", url=provider.address, body=body), principal)
        seen = provider.seen[-1]
        part = content[start:] if length is None else content[start : start + length]
        assert seen.body == part
        assert seen.headers["content-length"] == str(len(part))
        assert seen.headers["content-type"] == "video/mp4"


async def test_a_slice_stands_in_a_form_too(
    provider: Provider, caller: Caller, principal: Principal, blobs: Blobs
) -> None:
    stored = await blobs.put_bytes("default", b"0123456789")
    form = (Field("media", Blob(stored.ref, start=3, length=4)),)
    await caller.ask(Http(url=provider.address, body=form), principal)
    assert provider.seen[0].form["media"][2] == b"3456"


@pytest.mark.parametrize(("start", "length"), [(0, 11), (11, None), (5, 6), (-1, 3)])
async def test_a_slice_that_the_file_does_not_have_is_known_before_anything_leaves(
    provider: Provider, caller: Caller, principal: Principal, blobs: Blobs, start: int, length: int | None
) -> None:
    stored = await blobs.put_bytes("default", b"0123456789")
    request = Http(url=provider.address, body=Blob(stored.ref, start=start, length=length))
    assert await code(caller.ask(request, principal)) == "malformed"
    assert provider.seen == []


# CTR-AES256.Encrypt of NIST SP 800-38A, F.5.5.
KEY = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
COUNTER = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
PLAIN = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
CIPHER = bytes.fromhex(
    "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
    "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"
)


async def test_a_file_is_encrypted_on_its_way_and_a_second_try_sends_the_same_bytes(
    provider: Provider, caller: Caller, principal: Principal, blobs: Blobs
) -> None:
    stored = await blobs.put_bytes("default", PLAIN)
    provider.answers = [hangs_up(), says(503)]
    await caller.ask(Http(url=provider.address, body=Blob(stored.ref, through=AesCtr(KEY, COUNTER))), principal)
    assert [seen.body for seen in provider.seen] == [CIPHER] * 3
    assert provider.seen[0].headers["content-length"] == str(len(CIPHER))


async def test_a_file_is_packed_on_its_way_and_then_nobody_knows_its_length(
    provider: Provider, caller: Caller, principal: Principal, blobs: Blobs
) -> None:
    content = b"0123456789" * 300_000
    stored = await blobs.put_bytes("default", content)
    headers = {"content-encoding": "gzip"}
    provider.answers = [hangs_up()]
    await caller.ask(Http(url=provider.address, headers=headers, body=Blob(stored.ref, through=Gzip())), principal)
    first, again = provider.seen
    assert again.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in again.headers
    assert first.body == again.body == content  # unpacked by the server, by the header


async def test_a_file_however_large_is_never_held_whole(blobs: Blobs) -> None:
    class Pipe:
        def __init__(self) -> None:
            self.chunks: list[int] = []

        async def write(self, chunk: bytes) -> None:
            self.chunks.append(len(chunk))

    size = 16 * 1024 * 1024
    stored = await blobs.put_bytes("default", bytes(size))
    for through in (None, AesCtr(KEY)):
        pipe = Pipe()
        await (await open_body(Blob(stored.ref, through=through), blobs)).write(pipe)
        assert sum(pipe.chunks) == size
        assert max(pipe.chunks) <= 1024 * 1024


async def test_the_trace_goes_on_at_the_provider(provider: Provider, caller: Caller, principal: Principal) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await caller.ask(Http(url=provider.address), replace(principal, traceparent=trace))
    assert provider.seen[0].headers["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-")
    assert provider.seen[0].headers["traceparent"] != trace


async def test_one_accounts_cookies_are_not_anothers(provider: Provider, caller: Caller, principal: Principal) -> None:
    provider.answers = [says(200, Set_Cookie="session=main; Path=/")]
    await caller.ask(Http(url=provider.address), principal)
    await caller.ask(Http(url=provider.address), principal)
    assert "cookie" not in provider.seen[1].headers


async def test_no_secret_reaches_the_log(caller: Caller, principal: Principal) -> None:
    token = SecretStr("123456:very-secret")
    url = f"http://127.0.0.1:{dead_port()}/bot{token.get_secret_value()}/send?signature=also-secret"
    with structlog.testing.capture_logs() as logs:
        await code(caller.ask(Http(url=url, secret=token, commits=True), principal))
    assert logs
    assert "secret" not in str(logs)


async def test_a_request_waits_as_long_as_the_provider_said(
    provider: Provider, caller: Caller, principal: Principal
) -> None:
    started = asyncio.get_running_loop().time()
    await caller.ask(Http(url=provider.address, after=timedelta(seconds=0.3)), principal)
    assert asyncio.get_running_loop().time() - started >= 0.3 * 0.95


async def test_calls_of_one_account_are_spaced(provider: Provider, caller: Caller) -> None:
    slow = Principal(channel=make_channel(per_second=20), account=Account(name="slow", api=provider.address))
    started = asyncio.get_running_loop().time()
    await asyncio.gather(*(caller.ask(Http(url=provider.address), slow) for _ in range(5)))
    assert asyncio.get_running_loop().time() - started >= 4 / 20 * 0.95


async def test_one_person_is_not_written_to_faster_than_allowed(provider: Provider, caller: Caller) -> None:
    channel = make_channel(per_peer_second=10)
    alice = Principal(channel=channel, account=Account(name="main", api=provider.address), peer="alice")
    loop = asyncio.get_running_loop()

    async def send(principal: Principal) -> float:
        await caller.ask(Http(url=provider.address, commits=True), principal)
        return loop.time()

    started = loop.time()
    first, second, third, bob = await asyncio.gather(*map(send, [alice, alice, alice, replace(alice, peer="bob")]))
    assert max(first, second, third) - started >= 0.19
    assert bob < max(first, second, third)


# redirects and strangers ----------------------------------------------------------------------------------------------


def loopback_too(address: Any) -> bool:
    """127.0.0.1 stands for the public internet, everything else is as it is."""
    return address == ipaddress.ip_address("127.0.0.1") or public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:{port}/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1]/",
        "http://localhost:{port}/",
        "http://10.0.0.1/",
        "http://100.64.0.1/",
        "http://0.0.0.0:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f.1:{port}/",
    ],
)
async def test_a_stranger_cannot_make_us_reach_inside(
    provider: Provider, caller: Caller, principal: Principal, url: str
) -> None:
    request = Http(method="GET", url=url.format(port=provider.port), stranger=True)
    assert await code(caller.ask(request, principal)) in {"refused", "bad_address"}
    assert provider.seen == []


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2:{port}/inside",
        "http://169.254.169.254/",
        "http://[::1]:{port}/inside",
        "file:///etc/passwd",
    ],
)
async def test_a_redirect_cannot_lead_inside(
    provider: Provider, blobs: Blobs, principal: Principal, target: str
) -> None:
    provider.answers = [says(302, Location=target.format(port=provider.port))]
    async with Caller(blobs, reach=loopback_too) as caller:
        request = Http(method="GET", url=f"{provider.address}/outside", stranger=True)
        assert await code(caller.ask(request, principal)) in {"refused", "bad_address"}
    assert [seen.path for seen in provider.seen if seen.path == "/inside"] == []


async def test_a_name_cannot_change_its_address_between_check_and_connection(provider: Provider, blobs: Blobs) -> None:
    """The check is at the socket: however often the name is resolved, the address connected to is the one checked."""

    class Rebinding(aiohttp.abc.AbstractResolver):
        asked = 0

        async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[Any]:
            self.asked += 1
            where = "192.0.2.1" if self.asked == 1 else "127.0.0.1"
            return [{"hostname": host, "host": where, "port": port, "family": family, "proto": 0, "flags": 0}]

        async def close(self) -> None:
            return

    async with Caller(blobs, reach=lambda address: str(address) == "192.0.2.1") as caller:
        resolver = Rebinding()
        resolver.asked = 1
        caller._strange.connector._resolver = resolver
        request = Http(method="GET", url=f"http://rebind.example:{provider.port}/", stranger=True)
        principal = Principal(channel=CHANNEL, account=Account(name="main", api=""))
        assert await code(caller.ask(request, principal)) == "refused"
        assert resolver.asked > 1
    assert provider.seen == []


async def test_a_strangers_redirects_are_followed_three_times(
    provider: Provider, blobs: Blobs, principal: Principal
) -> None:
    async with Caller(blobs, reach=loopback_too) as caller:
        provider.answers = [says(302, Location="/next")] * 3
        request = Http(method="GET", url=provider.address, stranger=True)
        assert (await caller.ask(request, principal)).status == 200
        provider.answers = [says(302, Location="/next")] * 4
        assert await code(caller.ask(request, principal)) == "refused"


@pytest.mark.parametrize("request_", [{"headers": {"Authorization": "Bearer x"}}, {"secret": SecretStr("x")}])
async def test_credentials_do_not_travel_with_a_redirect(
    provider: Provider, blobs: Blobs, principal: Principal, request_: dict[str, Any]
) -> None:
    provider.answers = [says(302, Location="/elsewhere")] * 2
    async with Caller(blobs, reach=loopback_too) as caller:
        for stranger in (True, False):
            request = Http(method="GET", url=provider.address, stranger=stranger, **request_)
            assert (await caller.ask(request, principal)).status == 302
    assert len(provider.seen) == 2


async def test_an_answer_that_sends_elsewhere_is_a_no_unless_where_it_stands_was_asked(
    provider: Provider, caller: Caller, principal: Principal
) -> None:
    """What may be asked again is, for a gateway may have answered; a send is not."""

    def steps(**asked: Any) -> Steps[str]:
        return (yield Http(url=provider.address, **asked)).headers["location"]

    provider.answers = [says(302, Location="/elsewhere")] * 3
    answered = partial(drive, channel=CHANNEL, ask=partial(caller.ask, principal=principal))
    assert await code(answered(steps())) == "unreachable"
    assert await code(answered(steps(commits=True))) == "refused"
    assert await answered(steps(moves=True)) == "/elsewhere"
    assert len(provider.seen) == 3


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com/x", "gopher://x", "nonsense", "http://", ""])
async def test_only_addresses_of_http_are_called(caller: Caller, principal: Principal, url: str) -> None:
    assert await code(caller.ask(Http(method="GET", url=url, stranger=True), principal)) == "bad_address"


# the exchange ---------------------------------------------------------------------------------------------------------


async def exchange(caller: Caller, principal: Principal, **given: Any) -> Sent:
    piece = Piece(id="1", to="alice", part=Text(text="hello"))
    steps = (given.get("channel") or CHANNEL).outbound(principal.account, piece, CONTEXT)
    channel = given.get("channel") or CHANNEL
    return await drive(steps, channel=channel, ask=lambda request: caller.ask(request, principal))


async def test_an_exchange_runs_from_question_to_result(
    provider: Provider, caller: Caller, principal: Principal
) -> None:
    assert await exchange(caller, principal) == Sent(external_ids=("1",))


async def test_every_answer_is_judged(provider: Provider, caller: Caller, principal: Principal) -> None:
    provider.answers = [says(403)]
    assert await code(exchange(caller, principal)) == "blocked"


async def test_who_must_wait_is_told_by_the_answer_or_else_by_the_request(
    provider: Provider, caller: Caller, principal: Principal
) -> None:
    async def waits(request: Http, **answer: str) -> str:
        provider.answers = [says(429, **answer)]
        with pytest.raises(SendFailed) as failed:
            await drive(iter_of(request), channel=CHANNEL, ask=lambda request: caller.ask(request, principal))
        return failed.value.scope

    def iter_of(request: Http) -> Any:
        yield request

    plain = Http(url=f"{provider.address}/send/alice", commits=True)
    assert await waits(plain) == "account"
    assert await waits(plain, throttled="peer") == "peer"
    assert await waits(replace(plain, throttles="peer")) == "peer"


async def test_an_exchange_may_go_on_without_what_was_refused(
    provider: Provider, caller: Caller, principal: Principal
) -> None:
    def steps(url: str) -> Any:
        refused = []
        for path in ("/one", "/two", "/three"):
            try:
                yield Http(url=url + path)
            except SendFailed as failed:
                refused.append((path, failed.reason))
        return refused

    provider.by_path["/two"] = says(403)
    ask = lambda request: caller.ask(request, principal)  # noqa: E731
    assert await drive(steps(provider.address), channel=CHANNEL, ask=ask) == [("/two", "blocked")]
    assert [seen.path for seen in provider.seen] == ["/one", "/two", "/three"]
    dead = await drive(steps(f"http://127.0.0.1:{dead_port()}"), channel=CHANNEL, ask=ask)
    assert [reason for _, reason in dead] == ["unreachable"] * 3


async def test_an_answer_that_cannot_be_read_says_so_without_its_words(
    provider: Provider, caller: Caller, principal: Principal
) -> None:
    provider.answers = [says(200, {"a personal word": 1})]
    with pytest.raises(Malformed) as caught:
        await exchange(caller, principal)
    assert "personal" not in str(caught.value)


async def test_a_failing_answer_to_a_commit_is_unknown_unless_our_key_is_honoured(
    provider: Provider, caller: Caller, principal: Principal
) -> None:
    provider.answers = [says(502), says(502)]
    assert await code(exchange(caller, principal)) == "unknown"
    keyed = make_channel(idempotent_for=timedelta(hours=1))
    assert await code(exchange(caller, principal, channel=keyed)) == "unreachable"
    assert len(provider.seen) == 2


async def test_the_generator_is_closed_whatever_happens(caller: Caller, principal: Principal) -> None:
    closed: list[bool] = []

    def steps(context: Context) -> Any:
        try:
            yield Http(url=f"http://127.0.0.1:{dead_port()}", commits=True)
        finally:
            closed.append(True)

    await code(drive(steps(CONTEXT), channel=CHANNEL, ask=lambda request: caller.ask(request, principal)))
    assert closed == [True]


async def test_a_download_is_streamed(provider: Provider, caller: Caller, principal: Principal) -> None:
    provider.answers = [streams([b"a" * 70_000] * 3, mime_type="image/jpeg")]
    async with caller.download(Http(method="GET", url=provider.address), principal) as found:
        size = sum([len(chunk) async for chunk in found.chunks])
    assert (found.status, found.headers["content-type"], size) == (200, "image/jpeg", 210_000)


async def test_a_torn_download_is_never_whole(provider: Provider, caller: Caller, principal: Principal) -> None:
    provider.answers = [streams([b"a" * 70_000], mime_type="image/jpeg", torn=True)]

    async def fetch() -> None:
        async with caller.download(Http(method="GET", url=provider.address), principal) as found:
            async for _ in found.chunks:
                pass

    assert await code(fetch()) == "unreachable"
