"""The port on which mail is taken, on a real Kafka and a blob folder, and someone who types SMTP into it."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any, Self

from pydantic import SecretStr

from services.email_adapter.mail.refusals import Refused
from services.email_adapter.proof.checking import Checking
from services.email_adapter.reading import Reading
from services.email_adapter.recipients import Recipients
from services.email_adapter.smtp.handler import Handler
from services.email_adapter.smtp.limits import LIMITS, Limits
from services.email_adapter.smtp.listener import Listener
from services.email_adapter.taking import Taking
from shared.bus.produce import Producer
from shared.contract.channel import Account, App, Capabilities, Channel, Context, Mail, MailRead, Message, Response
from shared.contract.envelope import Media, Part, Party, Text
from shared.contract.errors import Malformed
from shared.contract.records import inbound_topic, ingress_dlq
from shared.inbound.accept import Intake
from shared.provider.contexts import Contexts
from shared.runtime.accounts import Accounts, AccountsFile
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs
from tests.patience import SECONDS
from tests.shared.broker import make_topics

INBOUND, DLQ = inbound_topic("email"), ingress_dlq("email")
SECRET = "the key of these tests"


class Box(Account):
    """A mailbox of ours."""

    address: str
    reply_domain: str = ""

    @property
    def key(self) -> str:
        return self.address


def read(account: Box, mail: Mail, context: Context) -> MailRead:
    """A reader of the simplest mails, so that these tests are about the transport; some words in Subject make it behave badly.

    To it the head of a mail that could not be read is nobody's.
    """
    if mail.unread:
        raise Malformed(mail.unread)
    head, _, body = mail.raw.partition(b"\r\n\r\n")
    headers = BytesHeaderParser().parsebytes(head)
    _misbehave(headers["Subject"] or "")
    parts: tuple[Part, ...] = (Text(text=body.decode(errors="replace")[:1000]),)
    files = {"1": body} if headers["X-File"] else {}
    if files:
        parts += (Media(media="file", handle="1", name=headers["X-File"], mime_type="text/plain"),)
    message = Message(
        account_key=account.key,
        event_key=headers["Message-ID"] or mail.transaction,
        peer=headers["From"],
        sender=Party(address=headers["From"]),
        recipients=tuple(Party(address=one) for one in mail.recipients),
        parts=parts,
        occurred_at=datetime.now(UTC),
    )
    return MailRead((message,), files)


def _misbehave(subject: str) -> None:
    if subject == "nonsense":
        raise ValueError("a parser's own error")
    if subject == "refuse":
        raise Refused("554 5.4.6 too many hops")
    if subject == "memory":
        bytearray(8 * 1024**3)
    while subject == "for ever":
        pass


def where(_account: Account, _mail: Mail, _context: Context) -> MailRead:
    """A reader that tells in which process it runs."""
    return MailRead(records=(), files={"pid": str(os.getpid()).encode()})


def judge(response: Response) -> None:
    raise NotImplementedError("nothing is sent in these tests")


CHANNEL = Channel(
    name="email", docs="", app=App, account=Box, capabilities=Capabilities(text=1000), outcome=judge, mail=read
)


class Given(AccountsFile):
    """Accounts that a test gives, where the real one reads a file."""

    def __init__(self, *boxes: Account) -> None:
        self.current = Accounts(accounts={("email", box.name): box for box in boxes})


BOXES = (
    Box(name="help", address="help@parley.example", reply_domain="reply.parley.example"),
    Box(name="sales", address="sales@parley.example", tenant="acme"),
)


@dataclass
class Port:
    """A running listener."""

    settings: Settings
    listener: Listener
    producer: Producer
    blobs: Blobs
    clients: list[Client] = field(default_factory=list)

    async def client(self, address: str = "127.0.0.1", *, hello: bool = True) -> Client:
        """A new connection from this address, greeted."""
        client = await Client.connect(self.listener.port, address)
        self.clients.append(client)
        if hello:
            assert (await client.reply()).startswith("220 ")
            assert (await client("EHLO client.example")).startswith("250")
        return client


@dataclass
class Client:
    """Types SMTP, byte for byte as told."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def connect(cls, port: int, address: str = "127.0.0.1") -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0)))

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def reply(self) -> str:
        """The next reply, all of its lines; empty at the end of the connection."""
        lines = []
        async with asyncio.timeout(SECONDS):
            while line := await self.reader.readline():
                lines.append(line.decode().rstrip("\r\n"))
                if line[3:4] != b"-":
                    break
        return "\n".join(lines)

    async def __call__(self, command: str) -> str:
        self.write(command.encode() + b"\r\n")
        return await self.reply()

    async def begin(self, *recipients: str, sender: str = "ann@home.example") -> None:
        """As far as the 354."""
        assert (await self(f"MAIL FROM:<{sender}>")).startswith("250")
        for recipient in recipients or ("help@parley.example",):
            assert (await self(f"RCPT TO:<{recipient}>")).startswith("250")
        assert (await self("DATA")).startswith("354")

    async def send(self, content: bytes, *recipients: str) -> str:
        """A whole mail; `content` goes as it is, the final dot after it."""
        await self.begin(*recipients)
        self.write(content + b"\r\n.\r\n")
        return await self.reply()

    async def starttls(self, context: ssl.SSLContext) -> None:
        await self.writer.start_tls(context, server_hostname="mx.parley.example")

    def break_off(self) -> None:
        """Go without a word (RST): what was answered last may not have been read."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def ended(self) -> bool:
        """Whether the other side has closed."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self.reader.read() == b""
        except ConnectionResetError:
            return True


def mail(name: str = "m1", *, body: str = "hello", subject: str = "Hi", **more: str) -> bytes:
    """A mail from ann; `more` names headers."""
    headers = {"From": "ann@home.example", "Subject": subject, "Message-ID": f"<{name}@home.example>"}
    headers |= {each.replace("_", "-"): value for each, value in more.items()}
    return "".join(f"{each}: {value}\r\n" for each, value in headers.items()).encode() + f"\r\n{body}".encode()


@asynccontextmanager
async def port(
    settings: Settings,
    folder: Path,
    *,
    limits: Limits = LIMITS,
    reading: Reading | None = None,
    channel: Channel = CHANNEL,
    boxes: Sequence[Account] = BOXES,
    checking: Checking | None = None,
    **more: Any,
) -> AsyncIterator[Port]:
    """A listener with topics and blobs of its own."""
    await make_topics(settings, names=[INBOUND, DLQ])
    blobs = (folder / "blobs").as_uri()
    own = {"blobs": blobs, "secret": SecretStr(SECRET), "smtp_host": "127.0.0.1", "smtp_name": "mx.parley.example"}
    settings = settings.model_copy(update=own | more)
    producer, store = Producer(settings), Blobs.open(blobs)
    await producer.start()
    reading = reading or Reading()
    channels = {"email": channel}
    taking = Taking(Contexts(settings), Intake(settings, "email", producer, store), reading)
    handler = Handler(
        Recipients(settings, channels, Given(*boxes)), taking, limits, checking=checking, rejects=settings.smtp_reject
    )
    listener = Listener(settings, handler, limits=limits)
    await listener.start()
    running = Port(settings, listener, producer, store)
    yield running
    for client in running.clients:
        client.writer.close()
    async with asyncio.timeout(SECONDS):
        await listener.drain()
    await reading.close()
    await producer.stop()
