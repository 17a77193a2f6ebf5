"""What one who brings mail can take of us is bounded, and what is smuggled past other servers stops here."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import orjson
import pytest

from deploy.local.home import Addresses
from services.email_adapter.smtp.content import END, Content, longest_exceeds
from services.email_adapter.smtp.door import Door, place_of
from services.email_adapter.smtp.limits import LIMITS, Limits
from shared.bus.cloudevents import RAW
from shared.contract.errors import Misconfigured
from shared.runtime.observe import SMTP_REFUSED
from tests.certificates import certificate
from tests.patience import SECONDS, until
from tests.services.email_adapter.port import INBOUND, Client, Port, mail, port
from tests.shared.broker import records_of, settings_for

PAUSE = 2.0  # seconds that one may be idle; on a busy machine a whole greeting must fit into them

Opened = Callable[..., AbstractAsyncContextManager[Port]]


@pytest.fixture
def opened(servers: Addresses, tmp_path: Path) -> Opened:
    """A port with limits of the test's own."""

    def open_(**limits: float) -> AbstractAsyncContextManager[Port]:
        return port(settings_for(servers.kafka), tmp_path, limits=Limits(**limits))

    return open_


@pytest.fixture
async def door(opened: Opened) -> AsyncIterator[Port]:
    async with opened() as door:
        yield door


def refused(code: str, reason: str) -> float:
    return SMTP_REFUSED.labels(code, reason)._value.get()


async def came_in(door: Port) -> list[bytes]:
    return [dict(one.headers)[RAW] for one in await records_of(door.settings, INBOUND)]


def test_the_limits_are_those_that_were_decided() -> None:
    assert (LIMITS.message, LIMITS.line, LIMITS.command) == (35 * 1024 * 1024, 65_536, 2048)
    assert (LIMITS.connections, LIMITS.per_address, LIMITS.recipients, LIMITS.errors) == (1000, 20, 100, 10)
    assert (LIMITS.idle, LIMITS.session) == (300, 1800)


# size ----------------------------------------------------------------------------------------------------------------


async def test_a_mail_announced_as_too_large_is_552_at_once(door: Port) -> None:
    client = await door.client()
    assert f"SIZE {35 * 1024 * 1024}" in await client("EHLO again")
    assert (await client(f"MAIL FROM:<ann@home.example> SIZE={35 * 1024 * 1024 + 1}")).startswith("552 ")
    assert (await client(f"MAIL FROM:<ann@home.example> SIZE={35 * 1024 * 1024}")).startswith("250 ")


async def test_a_mail_that_turns_out_too_large_is_552_and_the_connection_goes_on(opened: Opened) -> None:
    async with opened(message=1000) as door:
        client = await door.client()
        assert (await client.send(mail(body="x" * 70 + "\r\n" + "y\r\n" * 400))).startswith("552 5.3.4")
        assert (await client.send(mail("m2"))).startswith("250 ")
        assert await came_in(door) == [mail("m2") + b"\r\n"]


async def test_a_mail_of_just_the_size_is_taken(opened: Opened) -> None:
    content = mail(body="x" * 100)
    async with opened(message=len(content) + 2) as door:
        client = await door.client()
        assert (await client.send(content)).startswith("250 ")
    async with opened(message=len(content) + 1) as door:
        client = await door.client()
        assert (await client.send(content)).startswith("552 ")


async def test_a_flood_without_an_end_is_cut(opened: Opened) -> None:
    async with opened(message=10_000) as door:
        client = await door.client()
        await client.begin()
        client.write(b"x" * 70 + b"\r\n")
        with pytest.raises(OSError):
            while True:
                client.write((b"y" * 70 + b"\r\n") * 1000)
                await client.writer.drain()
        assert not await came_in(door)


async def test_what_all_mails_hold_together_is_bounded_and_given_back(opened: Opened) -> None:
    async with opened(message=70_000, memory=100_000, small=1000) as door:
        first, second = await door.client(), await door.client()
        await first.begin()
        first.write(large("m1"))
        await until(lambda: door.listener._door.held >= 60_000)
        before = refused("452", "memory")
        assert (await second.send(large("m2"))).startswith("452 4.3.1")
        assert refused("452", "memory") == before + 1
        first.write(END)
        assert (await first.reply()).startswith("250 ")
        assert (await second.send(large("m2"))).startswith("250 ")
        await until(lambda: door.listener._door.held == 0)


async def test_a_mail_that_grew_large_has_room_for_the_whole_and_one_without_room_holds_nothing(opened: Opened) -> None:
    async with opened(message=70_000, memory=300_000, share=100_000, small=1000) as door:
        first, second = await door.client(), await door.client()
        await first.begin()
        first.write(mail(body="x" * 1000))
        await until(lambda: door.listener._door.held == 70_000)
        await second.begin()
        second.write(large("m2"))
        second.write(large("m2")[:-1000])
        await until(lambda: second.writer.transport.get_write_buffer_size() == 0)
        first.write(large("m1")[1200:] + END)
        assert (await first.reply()).startswith("250 ")
        await until(lambda: door.listener._door.held <= len(END))
        second.write(END)
        assert (await second.reply()).startswith("452 4.3.1")


async def test_an_announced_large_mail_has_its_room_at_data_or_is_452_there(opened: Opened) -> None:
    async with opened(message=70_000, share=350_000, small=1000) as door:
        first, second = await door.client(), await door.client()
        for client in (first, second):
            await client("MAIL FROM:<ann@home.example> SIZE=65000")
            await client("RCPT TO:<help@parley.example>")
        assert (await first("DATA")).startswith("354 ")
        assert (await second("DATA")).startswith("452 4.3.1")
        first.write(large("m1") + END)
        assert (await first.reply()).startswith("250 ")
        assert (await second("DATA")).startswith("354 "), "the transaction goes on"


def test_content_that_was_let_go_of_is_not_collected_again() -> None:
    content = Content(1000, 1000)
    content.feed(b"x" * 500)
    content.drop()
    assert content.feed(b"y" * 500) is None
    assert content.held < len(END)
    assert content.feed(END + b"QUIT\r\n") == b"QUIT\r\n"


@pytest.mark.parametrize("announced", [False, True])
async def test_large_mails_of_one_address_do_not_starve_each_other(opened: Opened, announced: bool) -> None:
    limits = {"message": 2_000_000, "memory": 6_000_000, "share": 2_300_000, "small": 10_000}
    async with opened(**limits) as door:
        clients = [await door.client() for _ in range(4)]
        left = {f"m{number}": client for number, client in enumerate(clients)}
        while left:
            replies = await asyncio.gather(*(bring(client, name, announced) for name, client in left.items()))
            answers = dict(zip(left, replies, strict=True))
            assert {each[:3] for each in replies} <= {"250", "452"}
            assert any(each.startswith("250") for each in replies), "each round takes one at least"
            left = {name: client for name, client in left.items() if not answers[name].startswith("250")}
            await (await door.client("127.0.0.2")).send(mail())
        assert door.listener._door.held == 0


async def bring(client: Client, name: str, announced: bool) -> str:
    """A mail of 1.9 MB, in pieces as a network brings it; the reply at DATA or after it."""
    content = mail(name, body=("x" * 70 + "\r\n") * 26_000)
    await client("RSET")
    await client("MAIL FROM:<ann@home.example>" + f" SIZE={len(content) + 2}" * announced)
    await client("RCPT TO:<help@parley.example>")
    reply = await client("DATA")
    if not reply.startswith("354"):
        return reply
    for start in range(0, len(content), 50_000):
        client.write(content[start : start + 50_000])
        await client.writer.drain()
    client.write(END)
    return await client.reply()


def large(name: str) -> bytes:
    return mail(name, body=("x" * 70 + "\r\n") * 900)


# time ----------------------------------------------------------------------------------------------------------------


async def test_who_says_nothing_is_sent_away(opened: Opened) -> None:
    async with opened(idle=PAUSE) as door:
        client = await door.client()
        assert (await client.reply()).startswith("421 4.4.2")
        assert await client.ended()


async def test_who_stops_in_the_middle_of_a_mail_is_sent_away_and_leaves_nothing(opened: Opened) -> None:
    async with opened(block=PAUSE) as door:
        client = await door.client()
        await client.begin()
        client.write(mail())
        assert (await client.reply()).startswith("421 4.4.2")
        assert await client.ended()
        assert not await came_in(door)


async def test_a_mail_that_drips_is_cut_although_it_never_pauses(opened: Opened) -> None:
    async with opened(block=PAUSE, rate=1000) as door:
        client = await door.client()
        await client.begin()
        dripping = asyncio.create_task(drip(client.write))
        assert (await client.reply()).startswith("421 4.4.2")
        dripping.cancel()
        assert not await came_in(door)


async def drip(write: Callable[[bytes], None]) -> None:
    while True:
        write(b"x\r\n")
        await asyncio.sleep(0.05)


async def test_a_mail_that_comes_steadily_may_take_longer_than_one_may_be_idle(opened: Opened) -> None:
    loop = asyncio.get_running_loop()
    async with opened(idle=PAUSE, block=PAUSE, rate=100) as door:
        client = await door.client()
        await client.begin()
        client.write(mail())
        end = loop.time() + 1.2 * PAUSE
        while loop.time() < end:
            client.write(b"\r\n" + b"x" * 70)
            await asyncio.sleep(PAUSE / 40)
        client.write(END)
        assert (await client.reply()).startswith("250 ")


async def test_a_session_ends_however_busy_it_is(opened: Opened) -> None:
    async with opened(session=PAUSE) as door:
        client = await door.client()
        reply = ""
        while not reply.startswith("421 4.4.2"):
            reply = await client("NOOP")
        assert await client.ended()


# who and how many -----------------------------------------------------------------------------------------------------


async def test_one_address_has_only_so_many_connections(opened: Opened) -> None:
    async with opened(per_address=2) as door:
        first, _second = await door.client(), await door.client()
        third = await door.client(hello=False)
        assert (await third.reply()).startswith("421 4.7.0")
        assert await third.ended()
        await first("QUIT")
        assert await first.ended()
        await door.client()


async def test_all_together_have_only_so_many(opened: Opened) -> None:
    async with opened(connections=2) as door:
        busy = [await door.client() for _ in range(2)]
        for client in busy:
            await client.begin()
        assert door.listener.trouble
        third = await door.client(hello=False)
        assert (await third.reply()).startswith("421 ")


async def test_who_only_waits_makes_room_for_who_comes(opened: Opened) -> None:
    async with opened(connections=2) as door:
        silent, other = await door.client(), await door.client()
        await other("NOOP")
        third = await door.client()
        assert (await silent.reply()).startswith("421 4.3.2")
        assert (await third.send(mail())).startswith("250 ")
        assert (await other("NOOP")).startswith("250 ")
        assert door.listener._door.inside == 2


@pytest.mark.parametrize("error", [ConnectionResetError(), asyncio.IncompleteReadError(b"NOO", None), ssl.SSLError()])
async def test_a_connection_that_breaks_is_counted_and_no_error(door: Port, error: Exception) -> None:
    before = refused("none", "dropped")
    assert (await door.listener._handler.handle_exception(error)).startswith("451 ")
    assert refused("none", "dropped") == before + 1


def test_one_address_fills_its_share_and_nobody_fills_the_reserve_of_small_mails() -> None:
    limits = Limits(memory=1000, share=400, small=10, reserve=50)
    door = Door(limits)
    assert door.hold("a", before=0, after=400)
    assert not door.hold("a", before=0, after=11)
    assert door.hold("b", before=0, after=400)
    assert door.hold("c", before=0, after=200)
    assert not door.hold("d", before=0, after=11), "all is full for large ones"
    assert door.hold("d", before=0, after=10), "a small one has room all the same"
    assert not door.hold("d", before=10, after=11)
    assert all(door.hold("e", before=0, after=10) for _ in range(4))
    assert not door.hold("e", before=0, after=1)
    assert door.hold("a", before=400, after=0)
    assert door.hold("d", before=10, after=11), "it has grown into the other pool"
    assert door.held == 651


def test_a_share_holds_the_largest_mail_and_is_no_more_than_a_third_of_all() -> None:
    assert LIMITS.message < LIMITS.share <= LIMITS.memory // 3


def test_a_network_of_ipv6_is_one_address() -> None:
    assert place_of("2001:db8:1:2::1") == place_of("2001:db8:1:2:ffff::9") != place_of("2001:db8:1:3::1")
    assert place_of("::ffff:192.0.2.7") == place_of("192.0.2.7") == "192.0.2.7"
    assert place_of("fe80::1%eth0") == "fe80::/64"


def test_the_door_forgets_who_has_left() -> None:
    door = Door(Limits(per_address=1))
    for number in range(1000):
        assert door.enter(f"10.0.0.{number}") is None
        door.leave(f"10.0.0.{number}")
    assert door.inside == 0
    assert not door._inside


async def test_the_hundred_and_first_recipient_is_452_and_the_hundred_get_the_mail(door: Port) -> None:
    client = await door.client()
    await client("MAIL FROM:<ann@home.example>")
    for _ in range(100):
        assert (await client("RCPT TO:<help@parley.example>")).startswith("250 ")
    for _ in range(20):  # more than the errors that one may make
        assert (await client("RCPT TO:<help@parley.example>")).startswith("452 4.5.3")
    assert (await client("DATA")).startswith("354 ")
    client.write(mail() + END)
    assert (await client.reply()).startswith("250 ")
    (record,) = await records_of(door.settings, INBOUND)
    assert len(orjson.loads(record.value)["recipients"]) == 100


async def test_the_tenth_error_is_the_last(door: Port) -> None:
    client = await door.client()
    await client("MAIL FROM:<ann@home.example>")
    for number in range(10):
        assert (await client(f"RCPT TO:<guess{number}@parley.example>")).startswith("550 ")
    assert (await client.reply()).startswith("421 4.7.0")
    assert await client.ended()


@pytest.mark.parametrize("length", [2047, 2049, 70_000, 300_000])
async def test_a_command_line_has_2048_bytes_at_the_most(door: Port, length: int) -> None:
    client = await door.client()
    answer = await client("NOOP " + "x" * (length - 5))
    assert answer.startswith("250 " if length <= 2048 else "500 ")
    assert (await client.send(mail())).startswith("250 ")


# what is not offered --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["VRFY help", "EXPN staff", "AUTH PLAIN AGEAYg==", "AUTH LOGIN", "HELP", "TURN"])
async def test_what_is_of_use_only_to_the_curious_is_not_there(door: Port, command: str) -> None:
    client = await door.client()
    assert (await client(command))[:3] in {"500", "502"}


async def test_neither_login_nor_help_is_announced(door: Port) -> None:
    client = await door.client()
    announced = await client("EHLO client.example")
    assert "AUTH" not in announced
    assert "HELP" not in announced
    assert announced.splitlines()[0] == "250-mx.parley.example"
    assert "STARTTLS" not in announced, "there is no certificate"


async def test_an_address_that_is_none_is_refused(door: Port) -> None:
    client = await door.client()
    for address in ("<ann>@x>", "ann@home.example", "<ann@home.example", "<a b@c.example>"):
        assert (await client(f"MAIL FROM:{address}"))[:1] == "5", address
    assert (await client("MAIL FROM:<>")).startswith("250 "), "bounces come from nobody"
    assert (await client("RCPT TO:<@relay.example:help@parley.example>")).startswith("250 ")


# what is smuggled -----------------------------------------------------------------------------------------------------

FAKES = {
    "LF . LF": b"\n.\n",
    "LF . CRLF": b"\n.\r\n",
    "CRLF . LF": b"\r\n.\n",
    "CR . CR": b"\r.\r",
    "CR . CRLF": b"\r.\r\n",
    "CR . LF": b"\r.\n",
    "CRLF . CR": b"\r\n.\r",
    "LF . CR": b"\n.\r",
    "CR CR LF . CR CR LF": b"\r\r\n.\r\r\n",
    "CR NUL LF . CRLF": b"\r\x00\n.\r\n",
}


@pytest.mark.parametrize("name", FAKES)
async def test_a_fake_end_of_a_mail_ends_nothing_and_spoils_the_mail(door: Port, name: str) -> None:
    inner = b"MAIL FROM:<boss@parley.example>\r\nRCPT TO:<sales@parley.example>\r\nDATA\r\nSubject: pay\r\n\r\nnow"
    client = await door.client()
    assert (await client.send(mail() + FAKES[name] + inner)).startswith("550 5.5.2")
    assert (await client.send(mail("m2"))).startswith("250 ")
    assert await came_in(door) == [mail("m2") + b"\r\n"]


@pytest.mark.parametrize("bad", [b"a\nb", b"a\rb", b"\n", b"a\r\r\nb", b"a\n\r\nb"])
async def test_a_cr_or_lf_alone_is_550(door: Port, bad: bytes) -> None:
    client = await door.client()
    assert (await client.send(mail() + b"\r\n" + bad)).startswith("550 5.5.2")
    assert not await came_in(door)


async def test_nul_is_removed_and_makes_no_end(door: Port) -> None:
    client = await door.client()
    content = mail() + b"\r\nx\x00y\r\n\x00.\r\nMAIL FROM:<boss@parley.example>"
    assert (await client.send(content)).startswith("250 ")
    (raw,) = await came_in(door)
    assert raw == mail() + b"\r\nxy\r\n.\r\nMAIL FROM:<boss@parley.example>\r\n"


async def test_what_comes_right_after_a_mail_is_the_next_command(door: Port) -> None:
    client = await door.client()
    await client.begin()
    client.write(mail() + END + b"NOOP\r\n")
    assert (await client.reply()).startswith("250 2.0.0")
    assert (await client.reply()).startswith("250 ")


@pytest.mark.parametrize(("length", "code"), [(64 * 1024, "250"), (64 * 1024 + 1, "500")])
async def test_a_line_of_a_mail_may_have_64_kilobytes(door: Port, length: int, code: str) -> None:
    client = await door.client()
    assert (await client.send(mail(body="x" * length + "\r\nend"))).startswith(code)
    assert (await client.send(mail("m2"))).startswith("250 ")


def whole(data: bytes, size: int) -> tuple[bytes, bytes]:
    """The content when it comes in chunks of this size, and what is left over."""
    content = Content(10**6, 10**6)
    for start in range(0, len(data), size):
        if (rest := content.feed(data[start : start + size])) is not None:
            return content.message(), rest + data[start + size :]
    raise AssertionError("no end was seen")


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 1000])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"a\r\n..b\r\n...\r\n.c\r\n.\r\n", b"a\r\n.b\r\n..\r\nc\r\n"),
        (b"a\r\n.\r\r\n.\r\n", b"a\r\n\r\r\n"),
    ],
)
def test_wherever_the_network_cuts_it_a_mail_is_the_same(data: bytes, message: bytes, size: int) -> None:
    assert whole(data + b"QUIT\r\n", size) == (message, b"QUIT\r\n")


@pytest.mark.parametrize("length", [0, 1, 9, 10, 11, 12, 13, 25, 100])
@pytest.mark.parametrize("before", [b"", b"a\r\n", b"0123456789\r\n" * 5])
def test_the_longest_line_is_found(length: int, before: bytes) -> None:
    assert longest_exceeds(before + b"x" * length + b"\r\nend\r\n", 10) == (length > 10)


# STARTTLS -------------------------------------------------------------------------------------------------------------


async def test_mail_comes_in_encrypted_and_what_was_said_before_is_forgotten(
    servers: Addresses, tmp_path: Path
) -> None:
    authority, chain, key = certificate(tmp_path, "mx.parley.example")
    files = {"smtp_certificate": str(chain), "smtp_key": str(key)}
    async with port(settings_for(servers.kafka), tmp_path, **files) as door:
        client = await door.client()
        assert "STARTTLS" in await client("EHLO client.example")
        await client("MAIL FROM:<ann@home.example>")
        client.write(b"STARTTLS\r\nNOOP\r\nMAIL FROM:<mallory@home.example>\r\n")
        assert (await client.reply()).startswith("220 ")
        await client.starttls(ssl.create_default_context(cafile=str(authority)))
        assert (await client("RCPT TO:<help@parley.example>")).startswith("503 "), "nothing of before counts"
        assert "STARTTLS" not in await client("EHLO client.example")
        assert (await client("STARTTLS")).startswith("503 "), "once is enough (RFC 3207)"
        assert (await client.send(mail())).startswith("250 ")
        assert await came_in(door) == [mail() + b"\r\n"]


async def test_a_handshake_that_fails_leaves_nobody_behind(servers: Addresses, tmp_path: Path) -> None:
    _, chain, key = certificate(tmp_path, "mx.parley.example")
    files = {"smtp_certificate": str(chain), "smtp_key": str(key)}
    async with port(settings_for(servers.kafka), tmp_path, **files) as door:
        for _ in range(3):
            client = await door.client()
            assert (await client("STARTTLS")).startswith("220 ")
            client.write(b"this is no handshake\r\n" * 10)
            async with asyncio.timeout(SECONDS):
                while await client.reader.read(1000):
                    pass
        await asyncio.wait_for(door.listener._door.empty(), SECONDS)
        assert (await (await door.client()).send(mail())).startswith("250 ")


async def test_a_certificate_that_cannot_be_used_stops_the_start(servers: Addresses, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="PARLEY_SMTP_CERTIFICATE"):
        async with port(settings_for(servers.kafka), tmp_path, smtp_certificate=str(tmp_path / "gone.pem")):
            pass
