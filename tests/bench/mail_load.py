"""The load generator of the mail bench, a process of its own: ordinary mails over N connections for so many seconds."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from email.message import EmailMessage
from email.policy import SMTP

from tests.bench.record import TEXT

PORT, CONNECTIONS, SECONDS = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
NAME, SENDER = "0" * 32, "customer-0000@home.example"


def template() -> bytes:
    """An answer as mail programs write them: plain and HTML, with what was said before under it."""
    mail = EmailMessage(policy=SMTP.clone(max_line_length=998))
    mail["Received"] = (
        "from out.home.example (192.0.2.7) by mx.parley.example with ESMTPS; Sun, 22 Nov 2026 08:00:02 +0000"
    )
    mail["DKIM-Signature"] = (
        "v=1; a=rsa-sha256; d=home.example; s=one; h=from:to:subject:date; bh=" + "x" * 44 + "; b=" + "y" * 340
    )
    mail["From"] = f"សុខ ដារ៉ា <{SENDER}>"
    mail["To"] = "Help <help@parley.example>"
    mail["Subject"] = "Re: ការបញ្ជាទិញ 48213"
    mail["Date"] = "Sun, 22 Nov 2026 08:00:00 +0000"
    mail["Message-ID"] = f"<{NAME}@home.example>"
    mail["In-Reply-To"] = "<first@parley.example>"
    mail["References"] = "<first@home.example> <first@parley.example>"
    quoted = "\n".join(f"> {line}" for line in (TEXT, "", "Dear Dara,", "what is its number?") * 2)
    mail.set_content(f"{TEXT}\n\nOn Sat, Help wrote:\n{quoted}\n")
    mail.add_alternative(
        f"<html><body><p>{TEXT}</p><blockquote>{quoted.replace('> ', '<br>')}</blockquote></body></html>",
        subtype="html",
    )
    return mail.as_bytes()


async def main() -> None:
    plain, took, wrong = template(), list[float](), 0
    end = time.perf_counter() + SECONDS

    async def work(number: int) -> None:
        nonlocal wrong
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)

        async def ask(data: bytes) -> bytes:
            writer.write(data)
            while (line := await reader.readline())[3:4] == b"-":
                pass
            return line

        await reader.readline()
        await ask(b"EHLO bench.example\r\n")
        while time.perf_counter() < end:
            number += CONNECTIONS
            sender = f"customer-{number % 5000:04}@home.example".encode()
            mail = plain.replace(NAME.encode(), uuid.uuid4().hex.encode()).replace(SENDER.encode(), sender)
            await ask(b"MAIL FROM:<" + sender + b">\r\n")
            await ask(b"RCPT TO:<help@parley.example>\r\n")
            await ask(b"DATA\r\n")
            started = time.perf_counter()
            wrong += not (await ask(mail + b"\r\n.\r\n")).startswith(b"250")
            took.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(work(number) for number in range(CONNECTIONS)))
    took.sort()
    told = {"mails": len(took), "wrong": wrong, "p50": took[len(took) // 2], "p99": took[len(took) * 99 // 100]}
    print(json.dumps(told | {"bytes": len(plain)}))


asyncio.run(main())
