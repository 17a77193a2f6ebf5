"""Mail on a whole stack, from a person's mailbox to an agent and back, also when something breaks in between."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from functools import partial
from typing import Any

import aiohttp
import aiosmtplib
import pytest

from deploy.local.home import read_roll
from tests.mailer import Desk, Mailbox, mailbox, town
from tests.patience import SECONDS, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the local stack is for Linux and macOS")

INBOX = "support@parley.example"
SHOP = "Parley Shop <support@parley.example>"
KHMER = "សួស្តី ខ្ញុំចង់ទិញអង្ករផ្ការំដួលដប់គីឡូក្រាមហើយសូមដឹកជញ្ជូនទៅផ្ទះខ្ញុំនៅភ្នំពេញ 👨‍👩‍👧‍👦 שלום مرحبا"


@pytest.fixture
async def client(stack: Any) -> AsyncIterator[aiohttp.ClientSession]:
    async with town(stack) as (client, _):
        yield client


@pytest.fixture
def desk(stack: Any, client: aiohttp.ClientSession) -> Desk:
    return Desk(client, f"{stack.http('router')}/api")


@pytest.fixture
def person(stack: Any, client: aiohttp.ClientSession) -> Mailbox:
    return mailbox(client, stack, f"dara.{uuid.uuid4().hex[:10]}@home.example")


def text(words: str) -> dict[str, Any]:
    return {"kind": "text", "text": words}


def header(mail: dict[str, Any], name: str) -> str:
    return next((value for each, value in mail["headers"] if each == name), "")


async def test_a_mail_is_answered_and_the_answer_to_that_is_the_same_conversation(desk: Desk, person: Mailbox) -> None:
    first = await person.writes("Do you have rice?", to=INBOX, subject="Rice", name="Dara")
    assert (await person.became(first, "accepted"))["status"] == "accepted"
    conversation, (received,) = await desk.conversation(person.address)
    assert received["sender"]["name"] == "Dara"
    assert received["parts"][0]["text"].strip() == "Do you have rice?"
    asked = header((await person.mails())[0], "Message-ID").strip("<>")

    await desk.answers(conversation, text("Yes, 10 kg."))
    answer = await person.gets("Yes, 10 kg.")
    assert answer["from"] == SHOP
    assert answer["subject"] == "Re: Rice"
    assert answer["in_reply_to"] == asked
    assert answer["references"][0] == asked
    reply_to = header(answer, "Reply-To")
    assert reply_to.startswith("inbox+")
    assert reply_to.endswith("@reply.parley.example")

    await person.writes("Send it, please.", in_reply_to=answer["id"])
    again, messages = await desk.conversation(person.address, messages=2)
    assert again == conversation
    assert messages[1]["parts"][0]["text"].startswith("Send it, please.")
    assert messages[1]["recipients"][0]["address"] == reply_to

    await desk.answers(conversation, text("It is on its way."))
    second = await person.gets("It is on its way.")
    ours, theirs = (
        header(answer, "Message-ID").strip("<>"),
        header((await person.mails())[-2], "Message-ID").strip("<>"),
    )
    assert second["in_reply_to"] == theirs
    assert second["references"][0] == asked
    assert ours in second["references"]


async def test_the_reply_address_alone_finds_the_conversation(desk: Desk, person: Mailbox) -> None:
    await person.writes("One", to=INBOX, subject="Rice")
    conversation, _ = await desk.conversation(person.address)
    await desk.answers(conversation, text("Two"))
    reply_to = header(await person.gets("Two"), "Reply-To")
    await person.writes("Three, from a program that tells no ids", to=reply_to, subject="something else")
    again, _ = await desk.conversation(person.address, messages=2)
    assert again == conversation


@pytest.mark.parametrize("forger", ["mallory", "support"])
async def test_a_mail_of_ours_sent_back_with_other_words_is_its_senders(
    desk: Desk, person: Mailbox, stack: Any, forger: str
) -> None:
    await person.writes("One", to=INBOX, subject="Rice")
    conversation, _ = await desk.conversation(person.address)
    await desk.answers(conversation, text("Two"))
    ours = header(await person.gets("Two"), "Message-ID")
    await desk.told(conversation, "sent")
    sender = INBOX if forger == "support" else f"mallory.{uuid.uuid4().hex[:10]}@home.example"
    forged = f"From: {sender}\r\nTo: {person.address}\r\nMessage-ID: {ours}\r\n\r\nPay Mallory {ours}.\r\n"
    await brings(stack, forged)
    received = await desk.received_with(sender, f"Pay Mallory {ours}")
    assert (received["direction"], received["sender"]["address"]) == ("inbound", sender)
    assert "our own message-id" in received["assessment"]["reasons"]
    assert all("Mallory" not in str(event) for event in await desk.events(conversation))


async def test_a_mail_of_ours_that_comes_back_is_no_message_and_with_a_footer_it_is_one(
    desk: Desk, person: Mailbox, stack: Any
) -> None:
    """As a list or a mailbox that has a copy sends it on: with its seal, with our token, from our own address."""
    await person.writes("One", to=INBOX, subject="Rice")
    conversation, _ = await desk.conversation(person.address)
    await desk.answers(conversation, text("Two"))
    answer = await person.gets("Two")
    await desk.told(conversation, "sent")
    whole = "".join(f"{name}: {value}\r\n" for name, value in answer["headers"]) + f"\r\n{answer['text']}"
    await brings(stack, whole)
    await brings(stack, f"{whole}\r\n-- \r\nA list of Mallory's\r\n")
    _, messages = await desk.conversation(person.address, messages=2)
    assert [one["sender"]["address"] for one in messages] == [person.address, INBOX]
    assert messages[1]["direction"] == "inbound"
    assert "Mallory" in messages[1]["parts"][0]["signature"]
    flags = [one.get("flagged") for one in await desk.events(conversation) if one["type"] == "message.received"]
    assert flags == [None, "stranger"]


async def brings(stack: Any, mail: str, *, sender: str = "someone@home.example") -> None:
    """Whoever reaches our port hands it over. `sender`: of the envelope; empty as a server's report has it."""
    host, port = at(stack)
    async with aiosmtplib.SMTP(hostname=host, port=port, start_tls=False) as smtp:
        await smtp.sendmail(sender, [INBOX], mail.encode())


BOUNCE = """\
From: Mail Delivery System <{daemon}>
To: {inbox}
Subject: Your mail to {person}
Date: {date}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=report

--report
Content-Type: text/plain

Your mail could not be handed over.
--report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.home.example

Final-Recipient: rfc822; {person}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 there is no such person here
--report
Content-Type: text/rfc822-headers

Message-ID: {name}
To: {person}
--report--
"""


async def test_a_bounce_fails_the_mail_that_it_names_and_that_address_is_written_to_no_more(
    desk: Desk, person: Mailbox, stack: Any
) -> None:
    await person.writes("Do you have rice?", to=INBOX)
    conversation, _ = await desk.conversation(person.address)
    await desk.answers(conversation, text("Yes"))
    name = header(await person.gets("Yes"), "Message-ID")
    await desk.told(conversation, "sent")

    daemon = f"mailer-daemon.{uuid.uuid4().hex[:10]}@mx.home.example"
    written = BOUNCE.format(daemon=daemon, inbox=INBOX, person=person.address, name=name, date=formatdate())
    await brings(stack, written.replace("\n", "\r\n"), sender="")
    failed = await desk.told(conversation, "failed")
    assert failed["failure"]["code"] == "bad_address"
    assert "there is no such person here" in failed["failure"]["detail"]
    told = await desk.event(conversation, "conversation.notice")
    assert told["assessment"]["bounce"] == {
        "recipient": person.address,
        "status": "5.1.1",
        "type": "hard",
        "original_id": name.strip("<>"),
        "diagnostic": "550 5.1.1 there is no such person here",
    }
    await desk.event(conversation, "conversation.participant")
    again, messages = await desk.conversation(person.address)
    assert (again, len(messages)) == (conversation, 1)
    assert await desk.conversations(daemon) == []

    await desk.answers(conversation, text("Are you there?"))
    assert (await desk.event(conversation, "request.refused"))["failure"]["code"] == "bad_address"
    assert [one["text"].strip() for one in await person.mails() if one["direction"] == "in"] == ["Yes"]


async def test_who_is_out_of_office_is_shown_so_and_waits_for_nothing(desk: Desk, person: Mailbox, stack: Any) -> None:
    await person.writes("Do you have rice?", to=INBOX)
    conversation, _ = await desk.conversation(person.address)
    await desk.answers(conversation, text("Yes"))
    name = header(await person.gets("Yes"), "Message-ID")
    await desk.told(conversation, "sent")
    back = datetime.now(UTC) + timedelta(days=20)
    away = (
        f"From: {person.address}\r\nTo: {INBOX}\r\nSubject: Automatic reply: Rice\r\nIn-Reply-To: {name}\r\n"
        f"Message-ID: <{uuid.uuid4().hex}@home.example>\r\nDate: {formatdate()}\r\n"
        f"Auto-Submitted: auto-replied\r\n\r\nI am out of the office until {back.day} {back:%B %Y}.\r\n"
    )
    await brings(stack, away, sender="")
    again, messages = await desk.conversation(person.address, messages=2)
    judged = messages[1]["assessment"]
    assert (again, judged["kind"], judged["may_auto_answer"]) == (conversation, "out_of_office", False)
    assert judged["until"].startswith(f"{back:%Y-%m-%d}")
    (row,) = await desk.conversations(person.address)
    assert row["waiting_since"] is None
    await person.writes("I am back. Is it there?", to=INBOX, in_reply_to=name)
    await desk.conversation(person.address, messages=3)
    (row,) = await desk.conversations(person.address)
    assert row["waiting_since"] is not None


async def test_of_a_mail_the_new_text_is_shown_and_the_rest_stands_beside_it(desk: Desk, person: Mailbox) -> None:
    written = "Ten kilos, please.\n\n-- \nDara\n\nOn Mon, 23 Nov 2026 at 09:00, Parley Shop <support@parley.example> wrote:\n> How much?\n"
    await person.writes(written, to=INBOX, subject="Re: Rice")
    _, (received,) = await desk.conversation(person.address)
    (part,) = received["parts"]
    assert part["text"].strip() == "Ten kilos, please."
    assert "Dara" in part["signature"]
    assert "> How much?" in part["quoted"]


async def test_a_forged_reply_address_and_an_unknown_one_come_back(person: Mailbox) -> None:
    for address in (f"inbox+{'a' * 42}@reply.parley.example", "nobody@parley.example"):
        sent = await person.writes("Let me in", to=address)
        assert (await person.became(sent, "bounced"))["status"].startswith("bounced: 550 5.1.1")


async def test_khmer_arrives_whole_and_is_answered_whole(desk: Desk, person: Mailbox) -> None:
    long = KHMER * 40
    await person.writes(long, to=INBOX, subject=KHMER, name="សុខ ដារ៉ា")
    conversation, (received,) = await desk.conversation(person.address)
    assert received["parts"][0]["text"].strip() == long
    assert received["thread"]["subject"] == KHMER
    await desk.answers(conversation, text(long))
    answer = await person.gets(KHMER)
    assert answer["text"].strip() == long
    assert answer["subject"] == f"Re: {KHMER}"


async def test_files_travel_both_ways_byte_for_byte(desk: Desk, person: Mailbox) -> None:
    picture, larger = os.urandom(5000), os.urandom(2_500_000)
    await person.writes("Look", to=INBOX, files={"បញ្ជី.bin": picture, "large.bin": larger})
    conversation, (received,) = await desk.conversation(person.address)
    files = {part["name"]: part for part in received["parts"] if part["kind"] == "media"}
    assert {name: (part["state"], part["size"]) for name, part in files.items()} == {
        "បញ្ជី.bin": ("stored", len(picture)),
        "large.bin": ("stored", len(larger)),
    }
    assert await desk.blob(files["បញ្ជី.bin"]["blob"]) == picture
    assert await desk.blob(files["large.bin"]["blob"]) == larger

    await desk.answers(conversation, text("And you look"), await desk.keeps("វិក្កយបត្រ.bin", larger))
    answer = await person.gets("And you look")
    (file,) = answer["attachments"]
    assert file["name"] == "វិក្កយបត្រ.bin"
    assert await person.file(file["id"]) == larger


async def test_mails_of_programs_say_so_and_those_of_persons_do_not(desk: Desk, person: Mailbox) -> None:
    """RFC 3834. Where a request does not say who writes, a person is who has a name."""
    await person.writes("Hello", to=INBOX, subject="Rice")
    conversation, _ = await desk.conversation(person.address)
    told = []
    for number, who in enumerate(
        [{}, {"author": "Bot", "automatic": True}, {"author": "Sophea"}, {"automatic": False}]
    ):
        await desk.answers(conversation, text(f"Answer {number}"), **who)
        told.append(header(await person.gets(f"Answer {number}"), "Auto-Submitted"))
    assert told == ["auto-replied", "auto-replied", "", ""]


async def test_an_address_that_nobody_has_fails_with_the_servers_words(desk: Desk, stack: Any, client: Any) -> None:
    person = mailbox(client, stack, f"nobody.{uuid.uuid4().hex[:8]}@home.example")
    await person.writes("Answer me, if you can", to=INBOX)
    conversation, _ = await desk.conversation(person.address)
    await desk.answers(conversation, text("We cannot"))
    failed = await desk.told(conversation, "failed")
    assert failed["failure"]["code"] == "bad_address"
    assert "550 5.1.1" in failed["failure"]["detail"]


async def test_greylisting_delays_an_answer_and_no_more(desk: Desk, person: Mailbox, stack: Any) -> None:
    await person.writes("Hello", to=INBOX)
    conversation, _ = await desk.conversation(person.address)
    for method in ("rcpt", "data"):
        fault = {"fail": {"method": method, "status": 451, "body": "4.7.1 greylisted", "count": 1}}
        async with person.client.post(f"{stack.addresses.sandbox}/control", json=fault) as answer:
            assert answer.status == 200
        await desk.answers(conversation, text(f"Patience with {method}"))
        await person.gets(f"Patience with {method}")
    assert len([one for one in await person.mails() if one["direction"] == "in"]) == 2, "each arrived once"


async def test_an_answer_that_was_taken_but_not_acknowledged_is_unknown_and_not_sent_twice(
    desk: Desk, person: Mailbox, stack: Any
) -> None:
    await person.writes("Hello", to=INBOX)
    conversation, _ = await desk.conversation(person.address)
    async with person.client.post(f"{stack.addresses.sandbox}/control", json={"drop": 1}) as answer:
        assert answer.status == 200
    await desk.answers(conversation, text("Did you get this?"))
    await desk.answers(conversation, text("And this?"))
    await person.gets("And this?")
    async with asyncio.timeout(SECONDS):
        while "unknown" not in (told := [one.get("status") for one in await desk.events(conversation)]):
            await asyncio.sleep(0.1)
    assert "failed" not in told
    assert [one["text"].strip() for one in await person.mails() if one["direction"] == "in"] == [
        "Did you get this?",
        "And this?",
    ]


@contextmanager
def frozen(stack: Any, name: str) -> Any:
    """A process that is there and does nothing."""
    roll = read_roll(stack.home)
    assert roll
    number = roll.processes[name].pid
    os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(number, signal.SIGCONT)


async def test_without_kafka_a_mail_waits_at_its_sender(stack: Any, desk: Desk, person: Mailbox) -> None:
    with frozen(stack, "kafka"):
        sent = await person.writes("Is anybody there?", to=INBOX)
        assert (await person.became(sent, "queued: 451"))["status"].startswith("queued: 451 4.3.0")
    assert (await person.became(sent, "accepted"))["status"] == "accepted"
    await desk.conversation(person.address)


async def killed(stack: Any, name: str) -> int:
    """The process that was killed. One that could not begin, since who was killed before still held its port, is begun again first."""
    while True:
        number = pid_of(stack, name)
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            await asyncio.sleep(0.1)
        else:
            return number


async def test_killing_the_adapter_under_traffic_loses_and_doubles_nothing(stack: Any, desk: Desk) -> None:
    """Senders repeat what was not acknowledged, as mail servers do; three times the adapter is killed meanwhile."""
    senders = [f"chea.{uuid.uuid4().hex[:10]}@home.example" for _ in range(4)]
    stopping = asyncio.Event()
    sending = [asyncio.create_task(keep_sending(stack, address, stopping)) for address in senders]
    for _ in range(3):
        await asyncio.sleep(1.5)
        async with asyncio.timeout(SECONDS):
            former = await killed(stack, "email_adapter")
            while pid_of(stack, "email_adapter") == former or not await is_open(stack):
                await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    stopping.set()
    taken = await asyncio.gather(*sending)
    for address, texts in zip(senders, taken, strict=True):
        assert await desk.texts(address, count=len(texts)) == texts


async def keep_sending(stack: Any, address: str, stopping: asyncio.Event) -> list[str]:
    """Three mails at least, one after the other, each until it is taken; the texts in order."""
    taken: list[str] = []
    while not stopping.is_set() or len(taken) < 3:
        words = f"{len(taken)} {uuid.uuid4().hex}"
        await until(partial(handed_over, stack, address, words))
        taken.append(words)
        await asyncio.sleep(0.2)
    return taken


async def handed_over(stack: Any, address: str, words: str) -> bool:
    name = words.partition(" ")[2]
    mail = (
        f"From: {address}\r\nTo: {INBOX}\r\nSubject: Traffic\r\nMessage-ID: <{name}@home.example>\r\n"
        f"Date: Sun, 22 Nov 2026 08:00:00 +0000\r\n\r\n{words}\r\n"
    )
    host, port = at(stack)
    try:
        await aiosmtplib.send(
            mail.encode(), sender=address, recipients=[INBOX], hostname=host, port=port, start_tls=False, timeout=15
        )
    except (aiosmtplib.SMTPException, OSError):
        return False
    return True


async def is_open(stack: Any) -> bool:
    try:
        _, writer = await asyncio.open_connection(*at(stack))
    except OSError:
        return False
    writer.close()
    return True


def at(stack: Any) -> tuple[str, int]:
    host, _, port = str(stack.addresses.services["email_adapter"].smtp).rpartition(":")
    return host, int(port)


def pid_of(stack: Any, name: str) -> int:
    roll = read_roll(stack.home)
    assert roll
    return roll.processes[name].pid
