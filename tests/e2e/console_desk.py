"""The console in a real browser, and customers whose messages come as an adapter would put them on the bus."""

import hashlib
import os
import re
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from pydantic import SecretStr

from shared.bus import cloudevents
from shared.bus.produce import Producer
from shared.contract import envelope
from shared.contract.channel import Capabilities
from shared.contract.codes import CHANNELS
from shared.contract.events import AccountState
from shared.contract.records import ACCOUNTS, inbound_topic
from shared.runtime.settings import Settings
from tests.chromium import browser, visit
from tests.patience import until

SHOTS = os.environ.get("PARLEY_SCREENSHOTS")
FOLLOWED = re.compile("^(queued|unknown|sent|delivered|read|failed)$")
WIDE = {"locale": "en-US", "viewport": {"width": 1440, "height": 900}}
MEDIA = dict.fromkeys(("image", "audio", "video", "file", "sticker"), "full")


@asynccontextmanager
async def open_desk(stack):
    settings = Settings(kafka=stack.addresses.kafka, token=SecretStr(""))
    producer = Producer(settings)
    await producer.start()
    async with browser() as chromium:
        yield Desk(stack, chromium, settings, producer)
    await producer.stop()


class Desk:
    def __init__(self, stack, chromium, settings, producer):
        self.stack, self.chromium, self.settings, self.producer = stack, chromium, settings, producer

    def customer(self, channel="webhook", account="demo", **about):
        return Customer(self, channel, account, **about)

    async def account(self, channel, *, healthy=True, failure=None, **capabilities):
        """An account of its own, of which an adapter says this."""
        name = f"test-{uuid.uuid4().hex[:8]}"
        state = AccountState(
            tenant="default",
            channel=channel,
            account=name,
            healthy=healthy,
            failure=failure,
            occurred_at=datetime.now(UTC),
            capabilities=Capabilities(**({"text": 4000, "media": MEDIA} | capabilities)).model_dump(mode="json"),
        )
        await self.put("account", ACCOUNTS, state, key=envelope.key("default", channel, name))
        return name

    async def put(self, name, topic, model, *, key, id_=None):
        once = str(id_ or uuid.uuid4())
        headers = cloudevents.headers(
            name, source="/test", id=once, time=datetime.now(UTC), tenant="default", subject=key
        )
        await self.producer.send(
            cloudevents.Out(self.settings.topic(topic), key.encode(), cloudevents.encode(model), headers)
        )

    @asynccontextmanager
    async def pages(self):
        """Opens consoles with the token; at the end no script error and no breach of its policy was seen."""
        contexts, errors = [], []

        async def open_console(*, token=None, prepare=None, **options):
            context = await visit(self.chromium, **(WIDE | options))
            contexts.append(context)
            page = await context.new_page()
            watch(page, errors)
            if prepare:
                await prepare(page)
            token = self.stack.addresses.token if token is None else token
            await page.goto(self.stack.addresses.console.split("#")[0] + (f"#token={token}" if token else ""))
            return page

        yield open_console
        for context in contexts:
            await context.close()
        assert errors == []


def watch(page, errors):
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if is_breach(line) else None)
    page.on("dialog", lambda dialog: errors.append(f"dialog: {dialog.message}"))


def is_breach(line):
    """Of the page's own policy; that a mail's body breaks against its own is what that policy is for."""
    return "Content Security Policy" in line.text and "/mail/" not in line.location["url"]


class Customer:
    """Someone who writes. `about` stands on every envelope: surface, container, thread, window, recipients."""

    def __init__(self, desk, channel, account, *, peer=None, name=None, name_verified=False, **about):
        self.desk, self.channel, self.account, self.about = desk, channel, account, about
        self.peer = peer or f"visitor-{uuid.uuid4().hex[:8]}"
        self.name = name or f"សុខា {uuid.uuid4().hex[:10]}"
        self.name_verified = name_verified
        self.address = self.peer
        self.count = 0

    @property
    def key(self):
        return envelope.key("default", self.channel, self.account, self.peer)

    @property
    def party(self):
        return envelope.Party(address=self.address, name=self.name, name_verified=self.name_verified)

    async def says(self, *parts, **about):
        self.count += 1
        now = datetime.now(UTC)
        external = about.pop("external_id", f"{self.peer}-{uuid.uuid4().hex[:8]}-{self.count}")
        message = envelope.Envelope(
            id=envelope.message_id("default", self.channel, self.account, f"{self.peer}/{external}"),
            tenant="default",
            channel=self.channel,
            account=self.account,
            peer=self.peer,
            external_id=external,
            parts=tuple(envelope.Text(text=part) if isinstance(part, str) else part for part in parts),
            occurred_at=now,
            received_at=now,
            **({"window": envelope.Window(), "sender": self.party} | self.about | about),
        )
        await self.tell("inbound", message, id_=message.id)
        return message

    async def tell(self, name, model, *, id_=None):
        topic = inbound_topic(CHANNELS[self.channel])
        await self.desk.put(name, topic, model, key=self.key, id_=id_)


async def read_token(stack, scope="read"):
    """A token that may only this, once the router has taken it from its file, at which it looks once a second."""
    tokens = {one: f"only {one}s" for one in ("read", "write")}
    lines = [
        f'[{one}]\ntenants = ["default"]\nsha256 = "{hashlib.sha256(token.encode()).hexdigest()}"\nscope = "{one}"'
        for one, token in tokens.items()
    ]
    (stack.home / "tokens.toml").write_text("\n".join(lines))
    token = tokens[scope]
    async with aiohttp.ClientSession(
        stack.addresses.services["router"].http, headers={"Authorization": f"Bearer {token}"}
    ) as router:

        async def taken():
            async with router.get("/api/accounts") as answer:
                return answer.status == 200

        await until(taken)
    return token


async def live(page):
    await page.locator("#connection[data-state=live]").wait_for()


def row(page, customer):
    return page.locator(".row", has_text=customer.name)


def bubble(page, text):
    return page.locator(".message", has_text=text)


async def shot(page, name):
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"console-{name}.png")
