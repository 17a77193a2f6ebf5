"""No mail takes longer than its size: four times as large is about four times as long, for everything that attacks."""

import time
from collections.abc import Callable

import pytest

from services.email_adapter.mail.limits import scan
from tests.services.email_adapter.letters import mail, read

KB = 1024
LITTLE = 0.1


def header(name: str, letters: bytes) -> Callable[[int], bytes]:
    """A header of so many bytes of the letters, over and over."""
    return lambda size: mail("hi", name.encode() + b": " + (letters * size)[:size])


def body(letters: bytes, *headers: str) -> Callable[[int], bytes]:
    return lambda size: mail((letters * size)[:size], *headers)


HTML = "Content-Type: text/html; charset=utf-8"
PLAIN = "Content-Type: text/plain"
MIXED = "Content-Type: multipart/mixed; boundary=b"

HEADERS = {
    "quotes in From": header("From", b'"'),
    "quoted pairs in From": header("From", b'"\\'),
    "open comments": header("From", b"("),
    "nested comments": header("From", b"(a)"),
    "brackets": header("From", b"<"),
    "at signs": header("From", b"a@"),
    "commas": header("From", b",a"),
    "mailboxes": header("To", b"a@b.example,"),
    "groups": header("To", b"a:;"),
    "encoded words": header("Subject", b"=?utf-8?q?a?= "),
    "half encoded words": header("Subject", b"=?utf-8?q?"),
    "encoded words of many charsets": header("Subject", b"=?x?q?=E9?= =?y?q?=E9?= "),
    "8-bit": header("Subject", b"\xe9\x80"),
    "parameters": header("Content-Type", b"text/plain; a=b"),
    "semicolons": header("Content-Type", b";"),
    "quotes in parameters": header("Content-Type", b';a="\\"'),
    "spaces in parameters": header("Content-Type", b"; a   "),
    "comments in parameters": header("Content-Type", b"text/plain; a=(("),
    "percent signs": header("Content-Disposition", b"attachment; a*0*=%E1%"),
    "ids": header("References", b"<a@b> "),
    "half ids": header("References", b"<a@b "),
    "bare ids": header("In-Reply-To", b"a@b "),
    "a date": header("Date", b"Tue, 3 Feb "),
    "numbers in a date": header("Date", b"9"),
    "folds": header("Subject", b"a\r\n b" + b"c" * 60),
}
BODIES = {
    "line ends": body(b"\r\n", PLAIN),
    "dashes": body(b"\r\n--", MIXED),
    "almost boundaries": body(b"\r\n--b-", MIXED),
    "closed boundaries": body(b"\r\n--b--", MIXED),
    "bare CR": body(b"\r--a", MIXED),
    "spaces behind boundaries": body(b"\r\n--b" + b" " * 50 + b"x", MIXED),
    "flowed": body(b"> a \n", f"{PLAIN}; format=flowed"),
    "quote marks": body(b">", f"{PLAIN}; format=flowed"),
    "announcements": body(b"On 1/2/2026 at 10:15 a <a@b.example> wrote:\r\n", PLAIN),
    "half announcements": body(b"On 1/2/2026\r\na\r\na:\r\n", PLAIN),
    "heads of mails": body(b"From: a@b.example\r\na\r\n", PLAIN),
    "dividers": body(b"--- Original Message ---\r\n", PLAIN),
    "answers between": body(b"> " + b"a" * 70 + b"\r\nb\r\n", PLAIN),
    "signatures": body(b"--\r\na\r\n", PLAIN),
    "telephones": body(b"Sent from my a\r\n\r\n", PLAIN),
    "letters and a colon": body(b"a" * 298 + b":\r\n", PLAIN),
    "spaces and a colon": body(b" " * 297 + b"a:\r\n", PLAIN),
    "brackets and a colon": body(b"<a@" * 99 + b":\r\n", PLAIN),
    "links and a colon": body(b"<http:" * 49 + b":\r\n", PLAIN),
    "dashes and a letter": body(b"-" * 298 + b"a\r\n", PLAIN),
    "base64": body(b"QUJD", PLAIN, "Content-Transfer-Encoding: base64"),
    "padding": body(b"QQ==", PLAIN, "Content-Transfer-Encoding: base64"),
    "quoted-printable": body(b"=E9=", PLAIN, "Content-Transfer-Encoding: quoted-printable"),
    "uuencode": body(b"begin 644 a\n", PLAIN, "Content-Transfer-Encoding: x-uuencode"),
    "unknown charset": body(b"\xe9\x80\xa0 ", f"{PLAIN}; charset=x-unknown"),
    "utf-7": body(b"+AAA-", f"{PLAIN}; charset=utf-7"),
    "hz": body(b"~{AA~}", f"{PLAIN}; charset=hz"),
    "iso-2022-jp": body(b"\x1b$B$3\x1b(B", f"{PLAIN}; charset=iso-2022-jp"),
    "divs": body(b"<div>", HTML),
    "divs closed by others": body(b"<div></p>", HTML),
    "lists": body(b"<ul><li>", HTML),
    "fonts": body(b"<font size=1>a<p>", HTML),
    "tables": body(b"<table>a", HTML),
    "links": body(b"<a href=https://x.example>a</a>", HTML),
    "quotes of quotes": body(b"<blockquote>a", HTML),
    "quotes of programs": body(b"<div class=gmail_quote>a<blockquote type=cite>b", HTML),
    "comments of HTML": body(b"<!--", HTML),
    "scripts": body(b"<script>", HTML),
    "attributes": lambda size: mail(b"<a " + b" ".join(b"a%d" % n for n in range(size // 8)) + b">", HTML),
    "one attribute": body(b"<a href='" + b"x" * 200, HTML),
    "styles": lambda size: mail(b"<p style='" + (b"color:red;" * size)[:size] + b"'>a", HTML),
    "ampersands": body(b"&", HTML),
    "entities": body(b"&nbsp;", HTML),
    "numbers": lambda size: mail(b"<" * 20_000 + b"&#" + b"9" * size, HTML),
    "less-than signs": body(b"<", HTML),
    "spaces of HTML": body(b" \n", HTML),
}


def seconds(raw: bytes) -> float:
    """The best of three: what others do on this machine only ever adds. Once is enough where it is little."""
    best = 1e9
    for _ in range(3):
        began = time.process_time()
        scan(raw)
        read(raw)
        best = min(best, time.process_time() - began)
        if best < LITTLE:
            break
    return best


def check(attack: Callable[[int], bytes], size: int) -> None:
    """In the square of the size it would be sixteen times as long, each time. What takes little is not worth an attack."""
    assert any(keeps_pace(attack, size) for _ in range(4))


def keeps_pace(attack: Callable[[int], bytes], size: int) -> bool:
    large = seconds(attack(4 * size))
    return large < LITTLE or large < 8 * seconds(attack(size))


@pytest.mark.parametrize("attack", HEADERS.values(), ids=HEADERS)
def test_no_header_takes_longer_than_its_size(attack):
    check(attack, 7 * KB)


@pytest.mark.parametrize("attack", BODIES.values(), ids=BODIES)
def test_no_body_takes_longer_than_its_size(attack):
    check(attack, 120 * KB)


def test_fifty_kilobytes_of_quotes_take_milliseconds():
    raw = mail("hi", *[f"From: {chr(34) * 25_000}", f"Subject: {chr(34) * 25_000}"])
    assert seconds(raw) < 0.05
