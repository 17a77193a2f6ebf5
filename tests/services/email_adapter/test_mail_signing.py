"""What goes out is signed, judged by another hand (dkimpy), and what DNS must say of the keys is printed and looked at."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import dkim as referee
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr, ValidationError

from services.cli.doctor.mail import dkim
from services.cli.running import System
from services.email_adapter.mail.names import Account
from services.email_adapter.mail.outbound import outbound
from services.email_adapter.mail.signing import record
from services.email_adapter.proof.checking import Brought, Checking, Trust
from services.email_adapter.proof.names import Resolver
from shared.contract.channel import Piece, Smtp
from shared.contract.envelope import Media, Text
from shared.provider.smtp import Mailer
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs
from tests.patience import SECONDS
from tests.services.email_adapter.letters import CONTEXT
from tests.services.email_adapter.zones import BROKEN, serving
from tests.shared.exchange import Exchange, exchange


def pem(key: Any) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


RSA, OTHER, SHORT, ED = (
    pem(key)
    for key in (*(generate_private_key(65537, bits) for bits in (2048, 2048, 1024)), Ed25519PrivateKey.generate())
)
ZONE: Any = {
    "r1._domainkey.shop.example": {"TXT": (record(RSA),)},
    "e1._domainkey.shop.example": {"TXT": (record(ED),)},
    "_dmarc.shop.example": {"TXT": ("v=DMARC1; p=reject; adkim=s",)},
}


def inbox(**more: Any) -> Account:
    keys = {"dkim_selector": "r1", "dkim_key": RSA, "dkim_other_selector": "e1", "dkim_other_key": ED}
    told = {"name": "help", "address": "help@shop.example", "display_name": "ហាង Shop", "host": "127.0.0.1"}
    return Account(**told | {"security": "none", "reply_domain": "reply.shop.example"} | keys | more)


@pytest.fixture
async def server() -> AsyncIterator[Exchange]:
    async with exchange() as server:
        server.replies["EHLO"] = "250-mx.example\r\n250 SIZE 90000000"
        yield server


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs.open((tmp_path / "blobs").as_uri())


async def sent(server: Exchange, blobs: Blobs, piece: Piece, account: Account) -> bytes:
    """What the server was given, dots single again."""
    request = next(outbound(account, piece, CONTEXT))
    assert isinstance(request, Smtp)
    mailer = Mailer(blobs, name="mail.shop.example")
    request = replace(request, port=server.port, timeout=timedelta(seconds=SECONDS))
    assert (await mailer.ask(request, nothing)).status == 250
    await mailer.close()
    return server.mails[-1].replace(b"\r\n..", b"\r\n.")


async def nothing(_request: Smtp) -> None:
    return


def published(name: bytes, timeout: int = 5) -> bytes | None:
    found = ZONE.get(name.decode().rstrip("."))
    return found["TXT"][0].encode() if found else None


def write(text: str, **more: Any) -> Piece:
    return Piece(id="p/0", to="ann@home.example", part=Text(text=text, html=more.pop("html", None)), **more)


PIECES = {
    "words": write("Hello"),
    "nothing": write(""),
    "spaces and dots": write(" a \t b  \n.\n..\n\n  end \n\n\n"),
    "khmer": write("សួស្តី ខ្ញុំចង់ទិញអង្ករ " * 60, subject="អង្ករ " * 30),
    "html": write("Hello", html="<p>Hello &amp; <b>all</b></p>" * 90),
    "an answer": write("Yes", reply_to="a@home.example", references=tuple(f"{n}.{'x' * 60}@home.example" for n in range(30))),
    "a program's": write("Yes", automatic=True, thread_token="a234567b" * 5 + "zz"),
}  # fmt: skip


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES.keys())
async def test_a_signed_mail_is_believed_by_others(server: Exchange, blobs: Blobs, piece: Piece) -> None:
    raw = await sent(server, blobs, piece, inbox())
    assert raw.count(b"DKIM-Signature: ") == 2
    assert max(map(len, raw.partition(b"\r\nFrom:")[0].split(b"\r\n"))) < 80
    for number in (0, 1):
        assert referee.DKIM(raw).verify(number, dnsfunc=published), number


async def test_a_file_is_signed_with_the_mail_it_goes_in(server: Exchange, blobs: Blobs) -> None:
    stored = await blobs.put_bytes("default", os.urandom(700_001))
    file = Media(media="file", state="stored", blob=stored.ref, mime_type="application/pdf", name="ដំរី.pdf")
    raw = await sent(server, blobs, write("See", attachments=(file,)), inbox())
    assert all(referee.DKIM(raw).verify(number, dnsfunc=published) for number in (0, 1))
    changed = raw[:-400] + bytes([raw[-400] ^ 1]) + raw[-399:]
    with pytest.raises(referee.ValidationError):
        referee.DKIM(changed).verify(0, dnsfunc=published)


async def test_what_we_sign_we_would_believe_and_no_second_from_is_added(server: Exchange, blobs: Blobs) -> None:
    raw = await sent(server, blobs, write("Hello"), inbox())
    async with serving(ZONE) as zone:
        check = partial(
            Checking(Trust(by_dns=True), Resolver(f"127.0.0.1:{zone.port}")).check,
            brought=Brought("192.0.2.1", "mx", "<>"),
            now=CONTEXT.now,
        )
        found = await check(raw)
        assert found is not None
        assert (found.dkim, found.dmarc, found.reasons) == ("pass", "pass", ())
        for added in (b"Subject: Your money\r\n", b"Reply-To: eve@evil.example\r\n"):
            changed = await check(added + raw)
            assert changed is not None
            assert (changed.dkim, changed.dmarc) == ("fail", "fail"), added


async def test_without_a_key_nothing_is_signed(server: Exchange, blobs: Blobs) -> None:
    bare = {"dkim_selector": "", "dkim_key": "", "dkim_other_selector": "", "dkim_other_key": ""}
    raw = await sent(server, blobs, write("Hello"), inbox(**bare))
    assert b"DKIM-Signature" not in raw


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dkim_key": "secret words"}, "no private key"),
        ({"dkim_key": SHORT}, "neither RSA"),
        ({"dkim_key": ""}, "together"),
        ({"dkim_other_selector": ""}, "together"),
        ({"dkim_selector": "a b"}, "no selector"),
    ],
)
def test_a_key_that_cannot_sign_is_told_when_the_accounts_are_read(given: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as found:
        inbox(**given)
    assert "PRIVATE KEY" not in "".join(one["msg"] for one in found.value.errors())


def test_no_key_is_shown_by_what_is_logged() -> None:
    request = next(outbound(inbox(), write("Hello"), CONTEXT))
    shown = repr(request) + repr(inbox()) + repr(inbox().signers)
    assert "PRIVATE KEY" not in shown
    assert isinstance(inbox().dkim_key, SecretStr)


# what DNS must say ----------------------------------------------------------------------------------------------------


@pytest.fixture
def accounts(tmp_path: Path) -> Path:
    (tmp_path / "rsa.pem").write_text(RSA)
    (tmp_path / "ed.pem").write_text(ED)
    file = tmp_path / "accounts.toml"
    file.write_text(
        '[accounts.email.help]\naddress = "help@shop.example"\ndkim_selector = "r1"\ndkim_key = { file = "rsa.pem" }\n'
        'dkim_other_selector = "e1"\ndkim_other_key = { file = "ed.pem" }\n'
        '[accounts.email.sales]\naddress = "sales@shop.example"\ndkim_selector = "r1"\ndkim_key = { file = "rsa.pem" }\n'
    )
    return file


def test_the_records_to_publish_are_printed_once_each(accounts: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "dkim", str(accounts)], capture_output=True, text=True, check=True
    )
    first, second = done.stdout.splitlines()
    assert first.startswith('r1._domainkey.shop.example. TXT "v=DKIM1; k=rsa; p=')
    assert first.partition(" TXT ")[2].replace('" "', "").strip('"') == record(RSA)
    assert second == f'e1._domainkey.shop.example. TXT "{record(ED)}"'
    assert "PRIVATE" not in done.stdout + done.stderr


STANDING: tuple[tuple[Any, str, str], ...] = (
    ({"TXT": (record(RSA),)}, "ok", "has the key"),
    ({"TXT": (record(RSA).replace("v=DKIM1; ", ""),)}, "ok", "has the key"),
    ({"TXT": (record(OTHER),)}, "fail", "another key"),
    ({"TXT": (record(ED),)}, "fail", "another key"),
    ({"TXT": ("v=DKIM1; p=",)}, "fail", "revoked"),
    ({"TXT": (record(RSA), record(OTHER))}, "fail", "several"),
    ({"TXT": ()}, "fail", "nothing is published"),
    (BROKEN, "warn", "do not tell"),
)


@pytest.mark.parametrize(
    ("standing", "level", "words"), STANDING, ids=[f"{one[2]} {at}" for at, one in enumerate(STANDING)]
)
async def test_the_doctor_looks_whether_the_key_is_published(
    accounts: Path, standing: Any, level: str, words: str
) -> None:
    async with serving(ZONE | {"r1._domainkey.shop.example": standing}) as zone:
        system = System(Settings(accounts=str(accounts), dns=f"127.0.0.1:{zone.port}"))
        first, second = [one async for one in dkim(system)]
    assert (first.level, words in first.said, bool(first.remedy)) == (level, True, level != "ok")
    assert second.level == "ok"


async def test_where_no_inbox_signs_the_doctor_says_nothing_of_it(tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text('[accounts.email.help]\naddress = "help@shop.example"\n')
    assert [one async for one in dkim(System(Settings(accounts=str(file))))] == []
