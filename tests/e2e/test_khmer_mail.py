"""What only mail has in Khmer: subject, display names and the names of files, both ways, in headers that every server passes on."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator
from email.header import decode_header, make_header
from typing import Any, Final
from urllib.parse import quote

import aiosmtplib
import pytest

from tests.mailer import Desk, mailbox, town
from tests.patience import until

INBOX: Final = "khmer@parley.example"
SHOP: Final = "ហាងលក់គ្រឿងបន្លាស់ម៉ូតូភ្នំពេញ"
PERSON: Final = "សុខ ដារ៉ាអ្នកលក់អង្ករនៅផ្សារធំថ្មីរាជធានីភ្នំពេញ"
SUBJECT: Final = "សូមជួយពិនិត្យមើលការបញ្ជាទិញរបស់ខ្ញុំដែលមិនទាន់មកដល់ក្នុងខែវិច្ឆិកា 👨‍👩‍👧‍👦"
BILL: Final = "វិក្កយបត្រប្រចាំខែវិច្ឆិកាឆ្នាំ២០២៦.pdf"
PRICES: Final = "តារាងតម្លៃអង្ករផ្ការំដួល.ods"
WORD: Final = re.compile(rb"=\?([^?\s]+)\?([bBqQ])\?([^?\s]*)\?=")  # RFC 2047 §2
ACCOUNT: Final = f"""
[accounts.email.khmer]
address = "{INBOX}"
display_name = "{SHOP}"
security = "none"
"""


@pytest.fixture(scope="module")
async def inbox(stack: Any) -> AsyncIterator[str]:
    """An account whose name is Khmer, in the accounts file as long as it is needed."""
    accounts = stack.home / "accounts.toml"
    before = accounts.read_text()
    host, _, port = stack.addresses.services["sandbox"].smtp.rpartition(":")
    accounts.write_text(f'{before}{ACCOUNT}host = "{host}"\nport = {port}\n')
    await until(lambda: is_known(stack.addresses.services["email_adapter"].smtp, INBOX))
    yield INBOX
    accounts.write_text(before)


async def is_known(server: str, address: str) -> bool:
    host, _, port = server.rpartition(":")
    async with aiosmtplib.SMTP(hostname=host, port=int(port), start_tls=False) as smtp:
        await smtp.ehlo()
        await smtp.mail("someone@customer.example")
        try:
            return (await smtp.rcpt(address)).code == 250
        except aiosmtplib.SMTPRecipientRefused:
            return False


async def test_subject_and_names_in_khmer_come_and_go_whole(stack: Any, inbox: str) -> None:
    async with town(stack) as (client, _):
        person = mailbox(client, stack, f"dara.{uuid.uuid4().hex[:10]}@customer.example")
        agents = Desk(client, f"{stack.http('router')}/api")
        await person.writes("ជម្រាបសួរ", to=inbox, subject=SUBJECT, name=PERSON, files={BILL: b"%PDF-1.7"})
        conversation, (received,) = await agents.conversation(person.address)
        assert received["sender"]["name"] == PERSON
        assert received["thread"]["subject"] == SUBJECT
        assert [part["name"] for part in received["parts"] if part["kind"] == "media"] == [BILL]

        file = await agents.keeps(quote(PRICES), b"prices")
        await agents.answers(conversation, {"kind": "text", "text": "នេះជាតម្លៃ"}, file)
        answer = await person.gets("នេះជាតម្លៃ")
        assert answer["subject"] == f"Re: {SUBJECT}"
        assert [(one["name"], one["size"]) for one in answer["attachments"]] == [(PRICES, len(b"prices"))]
        async with client.get(f"{person.home}/raw/{answer['id']}") as told:
            head = (await told.read()).partition(b"\r\n\r\n")[0]
        check_head(head)
        assert read(head, b"From") == f"{SHOP} <{INBOX}>"


def read(head: bytes, name: bytes) -> str:
    """A field as RFC 2047 §6.2 has it read: what stands between two encoded words is none of the text."""
    folded = next(line for line in re.split(rb"\r\n(?![ \t])", head) if line.lower().startswith(name.lower() + b":"))
    return str(make_header(decode_header(folded.partition(b":")[2].decode().strip())))


def check_head(head: bytes) -> None:
    """Plain ASCII in short lines; each encoded word at most 75 characters, and whole characters by itself (RFC 2047 §2, §5)."""
    assert head.isascii()
    assert max(map(len, head.split(b"\r\n"))) <= 78
    words = [found.group() for found in WORD.finditer(head)]
    assert words
    for word in words:
        assert len(word) <= 75
        [(data, charset)] = decode_header(word.decode())
        assert isinstance(data, bytes)
        assert "\ufffd" not in data.decode(charset or "ascii")
