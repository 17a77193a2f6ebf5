"""What is promised of every mail that goes out: its bytes arrive as they are, and what may have left is never guessed."""

from __future__ import annotations

import asyncio
import base64
import email
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from provider import dead_port, make_channel
from pydantic import SecretStr

from shared.contract.channel import Account, Asked, Blob, Encoded, Response, Smtp
from shared.contract.errors import Fenced, SendFailed
from shared.provider.calls import Caller, Principal
from shared.provider.drive import drive
from shared.provider.mailbytes import encoded_size
from shared.provider.smtp import MAILS, Mailer
from shared.storage.blobs import Blobs
from tests.certificates import authority
from tests.patience import SECONDS
from tests.shared.exchange import CUT, END, Exchange, exchange

MAIL = b"From: help@parley.example\r\nSubject: Hi\r\n\r\nhello\r\n"


@pytest.fixture
async def server() -> AsyncIterator[Exchange]:
    async with exchange() as server:
        yield server


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs.open((tmp_path / "blobs").as_uri())


@pytest.fixture
async def mailer(blobs: Blobs) -> AsyncIterator[Mailer]:
    mailer = Mailer(blobs, name="mail.parley.example")
    yield mailer
    await mailer.close()


def mail(port: int, *data: bytes | Encoded, **more: Any) -> Smtp:
    plain: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "timeout": timedelta(seconds=SECONDS),
    }
    plain |= {"sender": "help@parley.example", "recipients": ("ann@home.example",), "data": data or (MAIL,)}
    return Smtp(**(plain | more))


class Ledger:
    """Remembers when something was about to leave, and how far the server was then."""

    def __init__(self, server: Exchange, *, stop: bool = False) -> None:
        self._server, self._stop = server, stop
        self.seen: list[tuple[bool, list[str]]] = []

    async def __call__(self, request: Smtp) -> None:
        self.seen.append((request.commits, list(self._server.commands)))
        if self._stop and request.commits:
            raise Fenced("another owner")


async def nothing(_request: Smtp) -> None:
    return


async def test_a_mail_is_handed_over_and_the_reply_is_the_answer(server: Exchange, mailer: Mailer) -> None:
    answer = await mailer.ask(mail(server.port), nothing)
    assert (answer.status, answer.body) == (250, b"2.0.0 queued as 1")
    assert server.mails == [MAIL]
    assert server.commands == [
        "EHLO mail.parley.example",
        f"MAIL FROM:<help@parley.example> SIZE={len(MAIL)}",
        "RCPT TO:<ann@home.example>",
        "DATA",
        END,
    ]


async def test_dots_are_doubled_on_the_way_wherever_the_pieces_meet(server: Exchange, mailer: Mailer) -> None:
    pieces = (b"A: b\r\n\r\n.\r\n", b".x\r\n..\r\n", b"", b".", b"\r\nend")
    await mailer.ask(mail(server.port, *pieces), nothing)
    assert server.mails == [b"A: b\r\n\r\n..\r\n..x\r\n...\r\n..\r\nend\r\n"]


async def test_a_file_goes_as_base64_in_lines_of_76(server: Exchange, mailer: Mailer, blobs: Blobs) -> None:
    content = os.urandom(1_000_001)
    server.replies["EHLO"] = "250-mx.example\r\n250 SIZE 9000000"
    stored = await blobs.put_bytes("default", content)
    head = b"MIME-Version: 1.0\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    await mailer.ask(mail(server.port, head, Encoded(Blob(stored.ref))), nothing)
    lines = server.mails[0].split(b"\r\n\r\n", 1)[1].split(b"\r\n")
    assert {len(line) for line in lines[:-2]} == {76}
    assert base64.b64decode(b"".join(lines)) == content
    assert email.message_from_bytes(server.mails[0]).get_payload(decode=True) == content
    size = len(head) + encoded_size(len(content))
    assert len(server.mails[0]) == size
    assert f"MAIL FROM:<help@parley.example> SIZE={size}" in server.commands


@pytest.mark.parametrize("size", [0, 1, 2, 3, 56, 57, 58, 114, 1000])
def test_the_size_of_an_encoded_file_is_known_beforehand(size: int) -> None:
    assert encoded_size(size) == len(base64.encodebytes(b"x" * size).replace(b"\n", b"\r\n"))


async def test_the_ledger_is_told_before_the_exchange_and_just_before_the_final_dot(
    server: Exchange, mailer: Mailer
) -> None:
    ledger = Ledger(server)
    await mailer.ask(mail(server.port), ledger)
    (first, before), (second, dotted) = ledger.seen
    assert (first, before) == (False, [])
    assert second
    assert "DATA" in dotted
    assert END not in dotted


async def test_a_fenced_owner_sends_nothing(server: Exchange, mailer: Mailer) -> None:
    with pytest.raises(Fenced):
        await mailer.ask(mail(server.port), Ledger(server, stop=True))
    await mailer.ask(mail(server.port), nothing)
    assert len(server.mails) == 1, "the half of the first mail was thrown away"


@pytest.mark.parametrize("word", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_a_connection_that_breaks_before_the_final_dot_has_sent_nothing(
    server: Exchange, mailer: Mailer, word: str
) -> None:
    server.replies[word] = CUT
    ledger = Ledger(server)
    with pytest.raises(SendFailed) as failed:
        await mailer.ask(mail(server.port), ledger)
    assert failed.value.reason == "unreachable"
    assert [commits for commits, _ in ledger.seen] == [False], "nothing was about to leave"


@pytest.mark.parametrize("reply", [CUT, "WAIT", "nonsense"])
@pytest.mark.parametrize(("commits", "reason"), [(True, "unknown"), (False, "unreachable")])
async def test_no_answer_after_the_final_dot_is_unknown(
    server: Exchange, mailer: Mailer, *, reply: str, commits: bool, reason: str
) -> None:
    server.replies[END] = reply
    with pytest.raises(SendFailed) as failed:
        await mailer.ask(mail(server.port, commits=commits, timeout=timedelta(seconds=2)), nothing)
    assert failed.value.reason == reason
    assert len(server.mails) == 1, "and is not sent again"


@pytest.mark.parametrize(
    ("word", "reply"),
    [
        ("GREETING", "554 5.3.2 no service"),
        ("GREETING", "421 4.3.2 busy"),
        ("MAIL", "550 5.1.8 who are you"),
        ("RCPT", "550 5.1.1 nobody"),
        ("RCPT", "451 4.7.1 greylisted"),
        ("RCPT", "421 4.3.2 closing"),
        ("DATA", "554 5.5.1 no valid recipients"),
        (END, "451 4.3.0 later"),
        (END, "552 5.3.4 too large"),
    ],
)
async def test_a_refusal_is_the_answer_wherever_it_comes(
    server: Exchange, mailer: Mailer, word: str, reply: str
) -> None:
    server.replies[word] = reply
    answer = await mailer.ask(mail(server.port), nothing)
    assert f"{answer.status} {answer.body.decode()}" == reply
    server.replies[word] = {"GREETING": "220 hi", "DATA": "354 go on"}.get(word, "250 ok")
    assert (await mailer.ask(mail(server.port), nothing)).status == 250


async def test_one_refused_recipient_refuses_the_mail(server: Exchange, mailer: Mailer) -> None:
    server.once["RCPT"] = ["250 ok", "550 5.1.1 nobody"]
    answer = await mailer.ask(mail(server.port, recipients=("ann@home.example", "bob@home.example")), nothing)
    assert answer.status == 550
    assert not server.mails
    assert server.commands[-1] == "RSET"


async def test_connections_are_used_again_and_not_for_ever(server: Exchange, mailer: Mailer) -> None:
    for _ in range(MAILS + 1):
        await mailer.ask(mail(server.port), nothing)
    assert server.connections == 2


async def test_another_account_has_a_connection_of_its_own(server: Exchange, mailer: Mailer) -> None:
    server.replies["EHLO"] = "250-mx.example\r\n250 AUTH PLAIN"
    for name in ("one", "two", "one"):
        await mailer.ask(mail(server.port, username=name, password=SecretStr("s3cret")), nothing)
    assert server.connections == 2
    logins = [command for command in server.commands if command.startswith("AUTH")]
    assert [base64.b64decode(login.split()[2]) for login in logins] == [b"\0one\0s3cret", b"\0two\0s3cret"]


async def test_a_connection_that_went_stale_is_replaced_at_once(server: Exchange, mailer: Mailer) -> None:
    await mailer.ask(mail(server.port), nothing)
    server.once["MAIL"] = [CUT]
    assert (await mailer.ask(mail(server.port), nothing)).status == 250
    assert server.connections == 2


async def test_a_mail_larger_than_the_server_takes_is_not_even_begun(server: Exchange, mailer: Mailer) -> None:
    answer = await mailer.ask(mail(server.port, b"A: b\r\n\r\n" + b"x\r\n" * 40_000), nothing)
    assert answer.status == 552
    assert not any(command.startswith("MAIL") for command in server.commands)


async def test_a_server_that_answers_in_the_middle_of_a_mail_is_heard(server: Exchange, mailer: Mailer) -> None:
    server.replies["DATA"] = "354 go on\r\n552 5.3.4 I have seen enough"
    parts = [b"A: b\r\n\r\n", *[b"x" * 70 + b"\r\n"] * 1000]
    answer = await mailer.ask(mail(server.port, *parts), nothing)
    assert (answer.status, answer.body) == (552, b"5.3.4 I have seen enough")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"data": (b"A: b\r\n\r\n\xe1\x9e\x9f\r\n",)}, 554),
        ({"recipients": ("សុខ@home.example",)}, 553),
    ],
)
async def test_what_the_server_has_not_announced_is_not_asked_of_it(
    server: Exchange, mailer: Mailer, request_: dict[str, Any], status: int
) -> None:
    assert (await mailer.ask(mail(server.port, **request_), nothing)).status == 250
    await mailer.close()
    server.replies["EHLO"] = "250 mx.example"
    assert (await mailer.ask(mail(server.port, **request_), nothing)).status == status


async def test_what_is_announced_is_said_where_it_is_needed(server: Exchange, mailer: Mailer) -> None:
    body = "A: b\r\n\r\nសួស្តី\r\n".encode()
    await mailer.ask(mail(server.port, body, recipients=("សុខ@home.example",)), nothing)
    assert f"MAIL FROM:<help@parley.example> SIZE={len(body)} BODY=8BITMIME SMTPUTF8" in server.commands
    assert "RCPT TO:<សុខ@home.example>" in server.commands


@pytest.mark.parametrize(
    "address", ["a@b.example> SIZE=1", "a@b.example\r\nRCPT TO:<c@d.example", "a b@c.example", "<x>"]
)
async def test_an_address_never_becomes_another_command(server: Exchange, mailer: Mailer, address: str) -> None:
    with pytest.raises(SendFailed) as failed:
        await mailer.ask(mail(server.port, recipients=(address,)), nothing)
    assert failed.value.reason == "bad_address"
    assert not server.commands


@pytest.mark.parametrize(
    "data", [b"A: b\n\n.\n", b"A: b\r\n\r\nx\ry\r\n", b"A: b\r\n\r\n" + b"x" * 999 + b"\r\n", b"half a line end\r"]
)
async def test_bytes_that_would_not_survive_do_not_leave(server: Exchange, mailer: Mailer, data: bytes) -> None:
    with pytest.raises(SendFailed) as failed:
        await mailer.ask(mail(server.port, data), nothing)
    assert failed.value.reason == "malformed"
    assert not server.commands


async def test_a_file_that_is_gone_is_known_before_anything_leaves(server: Exchange, mailer: Mailer) -> None:
    with pytest.raises(SendFailed) as failed:
        await mailer.ask(mail(server.port, Encoded(Blob("default/" + "0" * 64))), nothing)
    assert failed.value.reason == "malformed"
    assert not server.commands


async def test_nobody_there_is_unreachable(mailer: Mailer) -> None:
    with pytest.raises(SendFailed) as failed:
        await mailer.ask(mail(dead_port()), nothing)
    assert failed.value.reason == "unreachable"


async def test_a_refused_login_is_the_servers_answer_and_the_password_is_nowhere(
    server: Exchange, mailer: Mailer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.replies |= {"EHLO": "250-mx.example\r\n250 AUTH PLAIN", "AUTH": "535 5.7.8 no"}
    request = mail(server.port, username="help", password=SecretStr("s3cret"))
    assert (await mailer.ask(request, nothing)).status == 535
    server.replies["AUTH"] = CUT
    with pytest.raises(SendFailed) as failed:
        await mailer.ask(request, nothing)
    shown = "".join(capsys.readouterr()) + repr(failed.value) + repr(request)
    assert "s3cret" not in shown
    assert base64.b64encode(b"\0help\0s3cret").decode() not in shown


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_goes_encrypted_to_a_server_that_proves_its_name(
    blobs: Blobs, tmp_path: Path, security: str
) -> None:
    served, trust = authority(tmp_path, "localhost")
    mailer = Mailer(blobs, trust=trust)
    replies = {"EHLO": "250-mx.example\r\n250 STARTTLS"}
    async with exchange(replies=replies, tls=served, implicit=security == "tls") as server:
        request = mail(server.port, host="localhost", security=security)
        assert (await mailer.ask(request, nothing)).status == 250
        assert server.mails == [MAIL]
        await mailer.close()


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_that_does_not_prove_its_name_gets_nothing(blobs: Blobs, tmp_path: Path, security: str) -> None:
    served, _ = authority(tmp_path, "localhost")
    mailer = Mailer(blobs)
    replies = {"EHLO": "250-mx.example\r\n250 STARTTLS"}
    async with exchange(replies=replies, tls=served, implicit=security == "tls") as server:
        with pytest.raises(SendFailed) as failed:
            await mailer.ask(mail(server.port, host="localhost", security=security), nothing)
        assert failed.value.reason == "unreachable"
        assert "certificate" in failed.value.detail
        assert not server.mails


async def test_a_server_without_starttls_gets_nothing_where_it_is_asked_for(server: Exchange, mailer: Mailer) -> None:
    with pytest.raises(SendFailed) as failed:
        await mailer.ask(mail(server.port, security="starttls"), nothing)
    assert "STARTTLS" in failed.value.detail
    assert not server.mails


async def test_a_refusal_after_the_final_dot_may_be_tried_again(server: Exchange, blobs: Blobs) -> None:
    """The channel may call it unreachable: by the rules of HTTP that would leave it unknown, in SMTP it was refused."""
    server.replies[END] = "451 4.3.0 later"

    def judge(answer: Response) -> None:
        if answer.status != 250:
            raise SendFailed("unreachable", f"{answer.status}")

    channel = replace(make_channel(), outcome=judge)
    async with Caller(blobs) as caller:
        principal = Principal(channel=channel, account=Account(name="main"))

        def steps() -> Any:
            yield mail(server.port)

        async def ask(request: Asked) -> Response:
            return await caller.ask(request, principal)

        with pytest.raises(SendFailed) as failed:
            await drive(steps(), channel=channel, ask=ask)
    assert failed.value.reason == "unreachable"
    assert failed.value.nothing_done


async def test_mails_that_wait_for_one_slow_server_do_not_hold_up_another(server: Exchange, mailer: Mailer) -> None:
    async with exchange(replies={END: "WAIT"}) as slow:
        waiting = asyncio.create_task(mailer.ask(mail(slow.port, timeout=timedelta(seconds=SECONDS)), nothing))
        await slow.saw(END)
        assert (await mailer.ask(mail(server.port), nothing)).status == 250
        assert not waiting.done()
        waiting.cancel()
