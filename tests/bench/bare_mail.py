"""What taking mail is compared with: aiosmtpd, the standard library's parse, an idempotent produce, its acknowledgement."""

from __future__ import annotations

import asyncio
import sys
from email import message_from_bytes
from email.policy import default
from email.utils import parseaddr
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from aiosmtpd.smtp import SMTP

from shared.runtime.settings import Settings


class Handler:
    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self.producer, self.topic = producer, topic

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 the library's name
        mail = message_from_bytes(envelope.content, policy=default)
        sender = parseaddr(str(mail["From"]))
        body = mail.get_body(("plain",))
        value = {
            "id": str(mail["Message-ID"]),
            "from": sender,
            "to": [parseaddr(str(one)) for one in mail.get_all("To", [])],
            "subject": str(mail["Subject"]),
            "in_reply_to": str(mail["In-Reply-To"] or ""),
            "references": str(mail["References"] or "").split(),
            "text": body.get_content() if body else "",
            "html": html.get_content() if (html := mail.get_body(("html",))) else "",
        }
        headers = [("raw", envelope.content)]
        await self.producer.send_and_wait(self.topic, orjson.dumps(value), key=sender[1].encode(), headers=headers)
        return "250 taken"


async def main() -> None:
    settings = Settings()
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, enable_idempotence=True, acks="all", linger_ms=0)
    await producer.start()
    loop = asyncio.get_running_loop()
    handler = Handler(producer, settings.topic("bare.v1"))
    server = await loop.create_server(lambda: SMTP(handler, hostname="bare", loop=loop), "127.0.0.1", int(sys.argv[1]))
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
