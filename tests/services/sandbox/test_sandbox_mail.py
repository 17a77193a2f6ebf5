"""The sandbox's mail: as strict as a real server, mailboxes that outlive it, and a queue that behaves like one."""

from __future__ import annotations

import asyncio
import email
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.policy import SMTP
from pathlib import Path
from typing import Any

import aiohttp
import aiosmtplib
import pytest
from aiohttp import web
from provider import dead_port

from services.sandbox import streams
from services.sandbox.faults import Control
from services.sandbox.mail import Mail, boxes
from services.sandbox.shelf import Shelf
from tests.patience import SECONDS
from tests.shared.exchange import END, Exchange, exchange

ANN = "ann@home.example"
GOOD = b"Date: Sun, 22 Nov 2026 08:00:00 +0000\r\nFrom: help@parley.example\r\nMessage-ID: <m1@parley.example>\r\n\r\nhello\r\n"
ACCOUNTS = '[accounts.email.help]\naddress = "help@parley.example"\n[accounts.telegram.bot]\ntoken = "1:x"\n'


@dataclass
class Sandbox:
    """A running one, in this process."""

    client: aiohttp.ClientSession
    url: str
    smtp: int

    async def get(self, path: str) -> Any:
        async with self.client.get(self.url + path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def write(self, who: str = ANN, *, status: int = 200, **values: Any) -> Any:
        async with self.client.post(f"{self.url}/mailbox/{who}/send", json=values) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def mails(self, who: str = ANN) -> list[dict[str, Any]]:
        return (await self.get(f"/mailbox/{who}"))["mails"]

    async def control(self, **faults: Any) -> None:
        async with self.client.post(f"{self.url}/control", json=faults) as answer:
            assert answer.status == 200, await answer.text()

    async def until(self, status: str, who: str = ANN) -> dict[str, Any]:
        """The first mail whose status begins so, as the stream of events tells it."""
        async with asyncio.timeout(SECONDS), self.client.get(f"{self.url}/mailbox/{who}/events") as stream:
            async for line in stream.content:
                if line.startswith(b"data:") and (mail := json.loads(line[5:])).get("status", "").startswith(status):
                    return mail
        raise AssertionError("the stream ended")

    async def give(self, content: bytes = GOOD, to: str = ANN, **options: Any) -> tuple[int, str]:
        """What our side does: hand a mail over; the reply that ends it."""
        try:
            async with aiosmtplib.SMTP(hostname="127.0.0.1", port=self.smtp, start_tls=False) as client:
                await client.ehlo()
                await client.mail("help@parley.example", **options)
                await client.rcpt(to)
                reply = await client.execute_command(b"DATA")
                assert reply.code == 354
                client.transport.write(content + b".\r\n")
                reply = await client.protocol.read_response(10)
                return reply.code, reply.message
        except aiosmtplib.SMTPResponseException as refused:
            return refused.code, refused.message


@asynccontextmanager
async def sandbox_at(mx: str, folder: Path) -> AsyncIterator[Sandbox]:
    accounts = folder / "accounts.toml"
    accounts.write_text(ACCOUNTS)
    kept, sends = Shelf(folder, "mail"), Shelf(folder, "sends")
    control = Control(sends)
    mail = Mail(kept, control, mx=mx, accounts=accounts)
    app = web.Application()
    streams.prepare(app)
    app.add_routes([*mail.routes(), *control.routes()])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = await mail.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as client:
        yield Sandbox(client, f"http://127.0.0.1:{runner.addresses[0][1]}", port)
        await control.close(app)
        await runner.cleanup()
        await mail.close()
    kept.close()
    sends.close()


@pytest.fixture
async def ours() -> AsyncIterator[Exchange]:
    """The server that takes what people write."""
    async with exchange() as ours:
        yield ours


@pytest.fixture
async def sandbox(ours: Exchange, tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox_at(f"127.0.0.1:{ours.port}", tmp_path) as sandbox:
        yield sandbox


# what people write ----------------------------------------------------------------------------------------------------


async def test_a_mail_leaves_as_a_mail_program_writes_it(sandbox: Sandbox, ours: Exchange) -> None:
    await sandbox.write(to="help@parley.example", subject="អង្ករ", text="សួស្តី\n\n<ដប់>", name="សុខ ដារ៉ា")
    shown = await sandbox.until("accepted")
    mail = email.message_from_bytes(ours.mails[0], policy=SMTP)
    assert (shown["direction"], shown["subject"], shown["to"]) == ("out", "អង្ករ", "help@parley.example")
    assert mail["From"] == f"សុខ ដារ៉ា <{ANN}>"
    assert mail["Message-ID"].endswith("@home.example>")
    assert mail["Date"]
    assert mail["In-Reply-To"] is mail["References"] is None
    assert mail.get_content_type() == "multipart/alternative"
    assert mail.get_body(("plain",)).get_content().splitlines() == ["សួស្តី", "", "<ដប់>"]
    assert "<div>&lt;ដប់&gt;</div>" in mail.get_body(("html",)).get_content()
    assert "RCPT TO:<help@parley.example>" in ours.commands


async def test_an_answer_names_what_it_answers_and_quotes_it(sandbox: Sandbox, ours: Exchange) -> None:
    thread = b"Reply-To: inbox+token@reply.parley.example\r\nReferences: <a@x> <b@x>\r\nSubject: Rice\r\n"
    assert (await sandbox.give(thread + GOOD))[0] == 250
    (theirs,) = await sandbox.mails()
    await sandbox.write(in_reply_to=theirs["id"], text="thank you")
    await sandbox.until("accepted")
    mail = email.message_from_bytes(ours.mails[0], policy=SMTP)
    assert "RCPT TO:<inbox+token@reply.parley.example>" in ours.commands
    assert mail["Subject"] == "Re: Rice"
    assert mail["In-Reply-To"] == "<m1@parley.example>"
    assert mail["References"] == "<a@x> <b@x> <m1@parley.example>"
    assert mail.get_body(("plain",)).get_content().splitlines()[-1] == "> hello"
    assert "<blockquote>hello</blockquote>" in mail.get_body(("html",)).get_content()


async def test_a_long_id_is_never_encoded(sandbox: Sandbox, ours: Exchange) -> None:
    long = f"<{'x' * 150}@parley.example>"
    await sandbox.give(GOOD.replace(b"<m1@parley.example>", long.encode()))
    await sandbox.write(in_reply_to=long, text="yes")
    await sandbox.until("accepted")
    assert f"In-Reply-To: {long}\r\n".encode() in ours.mails[0]


async def test_files_go_along_and_come_back(sandbox: Sandbox, ours: Exchange) -> None:
    form = aiohttp.FormData({"to": "help@parley.example", "text": "look"}, quote_fields=False)
    form.add_field("file", b"\x00\xff rice", filename="បញ្ជី.bin", content_type="application/x-list")
    form.add_field("file", b"1", filename="second.txt", content_type="text/plain")
    async with sandbox.client.post(f"{sandbox.url}/mailbox/{ANN}/send", data=form) as answer:
        assert answer.status == 200
    shown = await sandbox.until("accepted")
    file, second = shown["attachments"]
    assert (second["name"], second["mime_type"]) == ("second.txt", "text/plain")
    assert (file["name"], file["mime_type"], file["size"]) == ("បញ្ជី.bin", "application/x-list", 7)
    async with sandbox.client.get(f"{sandbox.url}/mailbox/{ANN}/files/{file['id']}") as answer:
        assert await answer.read() == b"\x00\xff rice"
        assert answer.headers["Content-Security-Policy"] == "sandbox"
    part, _ = email.message_from_bytes(ours.mails[0], policy=SMTP).iter_attachments()
    assert part.get_content() == b"\x00\xff rice"


@pytest.mark.parametrize(
    "values",
    [
        {"text": "to nobody"},
        {"to": "help@parley.example"},
        {"to": "no address", "text": "x"},
        {"to": ", ".join(f"a{n}@b.example" for n in range(21)), "text": "x"},
        {"to": "help@parley.example", "text": "x", "subject": "a\nBcc: everyone@x"},
        {"to": "help@parley.example", "text": "x", "in_reply_to": "unknown"},
        {"to": "help@parley.example", "text": ["x"]},
    ],
)
async def test_what_no_mail_program_would_send_is_refused_in_a_sentence(
    sandbox: Sandbox, values: dict[str, Any]
) -> None:
    refused = await sandbox.write(status=404 if "in_reply_to" in values else 400, **values)
    assert len(refused["error"].split()) > 3
    assert not await sandbox.mails()


@pytest.mark.parametrize(("word", "times"), [("RCPT", 2), (END, 2), ("GREETING", 1)])
async def test_later_is_tried_again_until_it_is_taken(sandbox: Sandbox, ours: Exchange, word: str, times: int) -> None:
    ours.once[word] = ["451 4.3.0 it could not be kept; send it again"] * times
    await sandbox.write(to="help@parley.example", text="patience")
    queued = await sandbox.until("queued: 451")
    taken = await sandbox.until("accepted")
    assert queued["id"] == taken["id"]
    assert taken["n"] > queued["n"], "the page is told again"
    assert b"patience" in ours.mails[-1]


async def test_a_no_is_shown_where_it_was_sent_from(sandbox: Sandbox, ours: Exchange) -> None:
    ours.replies["RCPT"] = "550 5.1.1 there is nobody of that address here"
    await sandbox.write(to="help@parley.example", text="hello?")
    bounced = await sandbox.until("bounced")
    assert bounced["status"] == "bounced: 550 5.1.1 there is nobody of that address here"
    assert not ours.mails


async def test_one_unknown_recipient_does_not_keep_it_from_the_others(sandbox: Sandbox, ours: Exchange) -> None:
    ours.once["RCPT"] = ["550 5.1.1 nobody", "250 ok"]
    await sandbox.write(to="nobody@parley.example, help@parley.example", text="both")
    assert (await sandbox.until("bounced"))["status"] == "bounced: 550 5.1.1 nobody"
    assert len(ours.mails) == 1


async def test_what_waits_is_sent_by_the_next_process(tmp_path: Path, ours: Exchange) -> None:
    async with sandbox_at(f"127.0.0.1:{dead_port()}", tmp_path) as first:
        await first.write(to="help@parley.example", text="kept")
        await first.until("queued: 127.0.0.1")
    async with sandbox_at(f"127.0.0.1:{ours.port}", tmp_path) as second:
        shown = await second.until("accepted")
        assert shown["text"] == "kept\n"
    assert len(ours.mails) == 1
    async with sandbox_at(f"127.0.0.1:{ours.port}", tmp_path) as third:
        assert [mail["status"] for mail in await third.mails()] == ["accepted"]
    assert len(ours.mails) == 1, "what was taken is not sent again"


async def test_without_a_server_for_it_a_mail_comes_back(tmp_path: Path) -> None:
    async with sandbox_at("", tmp_path) as sandbox:
        await sandbox.write(to="help@parley.example", text="where to?")
        assert "PARLEY_SANDBOX_MX" in (await sandbox.until("bounced"))["status"]


# what people get ------------------------------------------------------------------------------------------------------


async def test_a_mail_lies_in_the_mailbox_and_in_the_log(sandbox: Sandbox) -> None:
    assert (await sandbox.give(to="Ann@Home.example"))[0] == 250
    (mail,) = await sandbox.mails()
    assert (mail["direction"], mail["text"], mail["from"]) == ("in", "hello\n", "help@parley.example")
    assert ["Message-ID", "<m1@parley.example>"] in mail["headers"]
    (send,) = (await sandbox.get("/control/log"))["sends"]
    assert (send["provider"], send["text"]) == ("mail", "hello\n")
    async with sandbox.client.get(f"{sandbox.url}/mailbox/{ANN}/raw/{mail['id']}") as answer:
        assert await answer.read() == GOOD
    assert await sandbox.get("/mailbox") == {"addresses": ["help@parley.example"], "people": [ANN]}


@pytest.mark.parametrize(
    ("content", "reply"),
    [
        (GOOD.replace(b"Date", b"X-Date"), "554 5.6.0 a mail has Date"),
        (GOOD.replace(b"From:", b"X-From:"), "554 5.6.0 a mail has From"),
        (GOOD.replace(b"Message-ID", b"X-ID"), "554 5.6.0 a mail has Message-ID"),
        (GOOD + b"x" * 999 + b"\r\n", "554 5.6.0 a line is longer"),
        (GOOD + b"x\ny\r\n", "550 5.5.2"),
        (GOOD + b"x\ry\r\n", "550 5.5.2"),
        (GOOD + "ស".encode() + b"\r\n", "554 5.6.3"),
    ],
)
async def test_what_strict_servers_refuse_is_refused(sandbox: Sandbox, content: bytes, reply: str) -> None:
    code, words = await sandbox.give(content)
    assert f"{code} {words}".startswith(reply)
    assert not await sandbox.mails()


async def test_bytes_above_127_are_taken_where_they_are_announced(sandbox: Sandbox) -> None:
    assert (await sandbox.give(GOOD + "ស".encode() + b"\r\n", options=["BODY=8BITMIME"]))[0] == 250


async def test_nobody_has_no_mailbox(sandbox: Sandbox) -> None:
    code, words = await sandbox.give(to="nobody.at.all@home.example")
    assert (code, words[:5]) == (550, "5.1.1")


async def test_a_mail_of_more_than_25_megabytes_is_too_large(sandbox: Sandbox) -> None:
    assert (await sandbox.give(options=["SIZE=26214401"]))[0] == 552
    assert (await sandbox.give(options=["SIZE=26214400"]))[0] == 250


@pytest.mark.parametrize(("method", "status"), [("rcpt", 451), ("data", 451), ("data", 421), ("mail", 550)])
async def test_it_goes_wrong_as_it_was_asked_to(sandbox: Sandbox, method: str, status: int) -> None:
    await sandbox.control(fail={"method": method, "status": status, "body": "4.7.1 greylisted", "count": 1})
    assert await sandbox.give() == (status, "4.7.1 greylisted")
    assert not await sandbox.mails()
    assert (await sandbox.give())[0] == 250


async def test_an_accepted_mail_may_go_unanswered(sandbox: Sandbox) -> None:
    await sandbox.control(drop=1)
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await sandbox.give()
    assert len(await sandbox.mails()) == 1


async def test_a_slow_server_is_slow(sandbox: Sandbox) -> None:
    await sandbox.control(silent=True)
    giving = asyncio.create_task(sandbox.give())
    done, _ = await asyncio.wait({giving}, timeout=0.3)
    assert not done
    await sandbox.control(silent=False)
    assert (await giving)[0] == 250


async def test_only_so_many_mails_are_kept(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boxes, "MAILS", 3)
    for number in range(5):
        assert (await sandbox.give(GOOD.replace(b"hello", b"mail %d" % number)))[0] == 250
    assert [mail["text"] for mail in await sandbox.mails()] == ["mail 2\n", "mail 3\n", "mail 4\n"]
    assert len(list((tmp_path / "mail").glob("*.eml"))) == 3


async def test_people_are_forgotten_beyond_their_number_with_their_mails(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boxes, "PEOPLE", 2)
    for name in ("a", "b", "c"):
        await sandbox.give(to=f"{name}@home.example")
    assert (await sandbox.get("/mailbox"))["people"] == ["b@home.example", "c@home.example"]
    assert len(list((tmp_path / "mail").glob("*.eml"))) == 2


@pytest.mark.parametrize("path", ["/mailbox/not-an-address", "/mailbox/a%20b@c.example", "/mailbox/a@b.example/raw/x"])
async def test_what_is_not_there_is_said(sandbox: Sandbox, path: str) -> None:
    async with sandbox.client.get(sandbox.url + path) as answer:
        assert answer.status in {400, 404}
