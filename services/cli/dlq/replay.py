"""A dead letter given another chance: a record to the topic it came from, a provider's request translated again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from services.cli.channels import CHANNELS
from services.cli.dlq.deadletters import Letter
from shared.bus.cloudevents import Out
from shared.bus.produce import Producer
from shared.contract.channel import Account, Channel, Context, Mail, Request
from shared.contract.codes import FAMILIES, Family
from shared.contract.errors import Malformed, ParleyError, UnknownAccount
from shared.contract.records import TOPICS, ingress_dlq
from shared.inbound.accept import Intake
from shared.inbound.deadletters import BLOB, POLLED, RECIPIENTS, SENDER, TRANSACTION, read_body
from shared.inbound.translate import read_mail, read_page_each
from shared.runtime.accounts import Accounts, load
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs, NotFound

Take = Callable[[Intake, Letter, bytes, Context], Awaitable[tuple[Out, ...]]]

DECLARED: Final = frozenset(topic.name for topic in TOPICS)


@dataclass(frozen=True)
class Done:
    """What a replay came to: where the records went, or why it still fails."""

    letter: Letter
    sent_to: tuple[str, ...] = ()
    error: str = ""

    def told(self) -> dict[str, Any]:
        return {
            "topic": self.letter.record.topic,
            "partition": self.letter.record.partition,
            "offset": self.letter.record.offset,
            "sent_to": list(self.sent_to),
            "error": self.error or None,
        }


class Replay:
    """Replays letters one by one. It remembers nothing: whoever reads a record twice knows it by its id."""

    def __init__(self, settings: Settings, producer: Producer) -> None:
        self._settings, self._producer = settings, producer
        self._accounts: Accounts | None = None

    async def __call__(self, letter: Letter) -> Done:
        """What it came to; raises BusUnavailable, StoreUnavailable, and Misconfigured for the accounts file."""
        family = self._ingress_family(letter.record.topic)
        try:
            sent = await (self._translate(letter, family) if family else self._put_back(letter))
        except ParleyError as error:
            if error.retry:
                raise
            return Done(letter, error=str(error))
        return Done(letter, sent_to=sent)

    def _ingress_family(self, topic: str) -> Family | None:
        return next((family for family in FAMILIES if topic == self._settings.topic(ingress_dlq(family))), None)

    async def _put_back(self, letter: Letter) -> tuple[str, ...]:
        """Key, value and original headers as they were, to the topic they were read from."""
        topic = letter.headers.get("dlq-original-topic", "")
        if omitted := letter.headers.get("dlq-omitted-bytes"):
            raise Malformed(f"its {omitted} bytes were too many to keep here; they stand at its original place")
        if topic.removeprefix(self._settings.prefix) not in DECLARED or not topic.startswith(self._settings.prefix):
            raise Malformed(f"it came from {topic or 'nowhere'}, which is no topic of this system")
        record = letter.record
        await self._producer.send(Out(topic, record.key, record.value, letter.original))
        return (topic,)

    async def _translate(self, letter: Letter, family: Family) -> tuple[str, ...]:
        """The provider's request, verified when it came, or the mail, read by today's code; received when it was received."""
        blobs = Blobs.open(self._settings.blobs)
        intake = Intake(self._settings, family, self._producer, blobs)
        context = Context(now=letter.at, secret=self._settings.secret)
        try:
            body = await read_body(letter.record.value or b"", letter.headers.get(BLOB), blobs)
        except NotFound:
            raise Malformed("its body is no longer in the blob store") from None
        records = await self._way_of(letter)(intake, letter, body, context)
        return tuple(record.topic for record in records)

    def _way_of(self, letter: Letter) -> Take:
        """By how it came in."""
        if RECIPIENTS in letter.headers:
            return self._take_mail
        return self._take_page if POLLED in letter.headers else self._take_request

    async def _take_request(self, intake: Intake, letter: Letter, body: bytes, context: Context) -> tuple[Out, ...]:
        channel, name = _place(letter)
        app = self._read_accounts().app(channel.name, name)
        if app is None:
            raise UnknownAccount(f"[apps.{channel.name}.{name}]")
        return await intake.take(channel, app, self._read_accounts(), request_of(letter, body), context)

    async def _take_page(self, intake: Intake, letter: Letter, body: bytes, context: Context) -> tuple[Out, ...]:
        channel, account = self._account(letter)
        found = read_page_each(channel, account, body, context)
        if channel.socket:
            return await intake.take_frame(channel, account, self._read_accounts(), found, body, context)
        return await intake.take_page(channel, account, found, body, context)

    async def _take_mail(self, intake: Intake, letter: Letter, body: bytes, context: Context) -> tuple[Out, ...]:
        channel, account = self._account(letter)
        mail = mail_of(letter, body)
        return await intake.take_mail(channel, account, mail, read_mail(channel.mail, account, mail, context), context)

    def _account(self, letter: Letter) -> tuple[Channel, Account]:
        channel, name = _place(letter)
        account = self._read_accounts().account(channel.name, name)
        if account is None:
            raise UnknownAccount(f"[accounts.{channel.name}.{name}]")
        return channel, account

    def _read_accounts(self) -> Accounts:
        if self._accounts is None:
            self._accounts = load(Path(self._settings.accounts), CHANNELS)
        return self._accounts


def _place(letter: Letter) -> tuple[Channel, str]:
    """The channel, and the app or account that it came to."""
    parts = [unquote(part) for part in (letter.record.key or b"").decode(errors="replace").split("|")]
    if len(parts) != 3 or parts[1] not in CHANNELS:
        raise Malformed("its key names no channel and app")
    return CHANNELS[parts[1]], parts[2]


def mail_of(letter: Letter, raw: bytes) -> Mail:
    """The mail as it was delivered."""
    try:
        recipients = tuple(map(str, orjson.loads(letter.headers[RECIPIENTS])))
    except (orjson.JSONDecodeError, TypeError):
        raise Malformed(f"its {RECIPIENTS} cannot be read") from None
    return Mail(raw, letter.headers.get(SENDER, ""), recipients, letter.headers.get(TRANSACTION, ""))


def request_of(letter: Letter, body: bytes) -> Request:
    """The provider's request as it came in, without the headers that were secret."""
    headers = letter.headers
    url = headers.get("http-url", "")
    try:
        kept = cast("dict[str, str]", orjson.loads(headers.get("http-headers", "{}")))
    except orjson.JSONDecodeError:
        raise Malformed("its http-headers cannot be read") from None
    return Request(
        method=headers.get("http-method", "POST"),
        url=url,
        headers=kept,
        query=dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)),
        body=body,
    )


async def replay_all(settings: Settings, letters: list[Letter]) -> list[Done]:
    """Replay in order. Raises ParleyError where Kafka, the blob store or the accounts file cannot be used."""
    producer = Producer(settings)
    try:
        await producer.start()
        replay = Replay(settings, producer)
        return [await replay(letter) for letter in letters]
    finally:
        await producer.stop()
