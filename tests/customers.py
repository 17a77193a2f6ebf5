"""Customers of a whole stack, one kind for each transport: they write as their channel lets them, and read what they are shown.

Each asks again until it is taken, as providers, mail servers and the widget do, and always for the same message.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
import tomllib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import aiohttp
import aiosmtplib

from deploy.local.home import Addresses
from services.sandbox.twins import TWINS
from services.sandbox.twins.seats import Seats

TROUBLE: Final = (aiohttp.ClientError, aiosmtplib.SMTPException, TimeoutError, OSError)
PATIENCE: Final = (
    240.0  # seconds until what is asked again and again must have been taken; Kafka may be away, and slow to come back
)

NAMED: Final = {"whatsapp": "phone_number_id", "facebook": "page_id"}
APPS: Final = {twin.channel: twin for twin in TWINS}
WRITTEN: Final = [name for name, twin in APPS.items() if twin.writes]


class Shown(NamedTuple):
    """What the business wrote, as the customer has it: `id` is what the provider calls it."""

    id: str
    text: str


class Customer(Protocol):
    """`limit`: characters of one message that the channel's own app lets a person write."""

    channel: str
    limit: int

    async def writes(self, text: str) -> bool:
        """Whether it was taken; asked again with the same text, it is the same message. Raises what TROUBLE names."""

    async def reads(self) -> list[Shown]:
        """All that the business has written to this person, oldest first."""


@dataclass
class Town:
    """A running stack as its customers see it."""

    home: Path
    addresses: Addresses
    client: aiohttp.ClientSession
    accounts: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.accounts = tomllib.loads((self.home / "accounts.toml").read_text())

    def account(self, channel: str, name: str = "sandbox") -> dict[str, Any]:
        return dict(self.accounts["accounts"][channel][name])

    def key(self, channel: str) -> str:
        """What the provider calls the account: its number, its page, its bot."""
        if twin := APPS.get(channel):
            named = object.__new__(twin).id_of  # of a twin that is not begun: it only reads the settings
            return named(Seats(self.home / "accounts.toml", channel).all()[0])
        return str(self.account(channel)[NAMED[channel]])

    def hook(self, service: str, channel: str, app: str = "sandbox") -> str:
        return f"{self.addresses.services[service].http}/hooks/{channel}/{app}"

    async def get(self, path: str) -> Any:
        """JSON of the sandbox."""
        async with self.client.get(self.addresses.sandbox + path, headers=self.bearer) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def post(self, path: str, values: Mapping[str, Any]) -> Any:
        async with self.client.post(self.addresses.sandbox + path, json=dict(values), headers=self.bearer) as answer:
            answer.raise_for_status()
            return await answer.json()

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.addresses.token}"}


@dataclass
class Telegram:
    """A person with Telegram on the sandbox's phone. The phone is asked only once: the sandbox repeats its webhook itself."""

    town: Town
    user: str
    channel: str = "telegram"
    limit: int = 4096
    tried: str = ""

    async def writes(self, text: str) -> bool:
        again, self.tried = self.tried == text, text
        if again and any(view.get("text") == text for view in await self._messages()):
            return True
        await self.town.post(f"{self._chat}/send", {"text": text, "name": "សុខ ដារ៉ា"})
        return True

    async def reads(self) -> list[Shown]:
        return [
            Shown(f"{one['chat']['id']}:{one['message_id']}", one.get("text", ""))
            for one in await self._messages()
            if one["from"]["is_bot"]
        ]

    async def _messages(self) -> list[dict[str, Any]]:
        """Nothing of someone who has not written: the phone does not know them."""
        try:
            views = (await self.town.get(f"{self._chat}/messages"))["messages"]
        except aiohttp.ClientResponseError as refused:
            if refused.status != 404:
                raise
            return []
        return sorted((view["message"] for view in views), key=lambda one: int(one["message_id"]))

    @property
    def _chat(self) -> str:
        bot = self.town.account("telegram")["token"].partition(":")[0]
        return f"/phone/telegram/{bot}/{self.user}"


@dataclass
class Phone:
    """A person with an app of the sandbox's phone that is no Telegram."""

    town: Town
    user: str
    channel: str
    limit: int
    tried: str = ""

    async def writes(self, text: str) -> bool:
        again, self.tried = self.tried == text, text
        if again and any(view.get("text") == text for view in await self._views()):
            return True
        await self.town.post(f"{self.chat}/send", {"text": text, "name": "សុខ ដារ៉ា"})
        return True

    async def reads(self) -> list[Shown]:
        return [Shown(view["id"], view.get("text", "")) for view in await self._views() if view["direction"] == "in"]

    async def _views(self) -> list[dict[str, Any]]:
        """In the order in which they were first shown; what changed later has a later `n`."""
        views = (await self.town.get(f"{self.chat}/messages"))["messages"]
        return sorted(views, key=lambda view: (view["at"], view["n"]))

    @property
    def chat(self) -> str:
        return f"/phone/{self.channel}/{self.town.key(self.channel)}/{self.user}"


@dataclass
class Commenter:
    """A person who comments under a post of the page, always in a thread of their own."""

    town: Town
    user: str
    channel: str = "facebook"
    limit: int = 8000
    post: str = ""
    thread: str = ""

    async def writes(self, text: str) -> bool:
        comments = await self._comments()
        if any(one["text"] == text and one["from"]["id"] == self.user for one in comments):
            return True
        said = {"post": self.post, "user": self.user, "name": "សុខ ដារ៉ា", "text": text}
        done = await self.town.post(
            f"{self._page}/act", {"comment": said | ({"parent": self.thread} if self.thread else {})}
        )
        self.thread = self.thread or done["id"]
        return True

    async def reads(self) -> list[Shown]:
        comments = await self._comments()
        ours = [one for one in comments if one["from"]["id"] == self.town.key("facebook")]
        return [Shown(one["id"], one["text"]) for one in ours if one["parent"] == self.thread]

    async def _comments(self) -> list[dict[str, Any]]:
        posts = (await self.town.get(self._page))["posts"]
        self.post = self.post or next((post["id"] for post in posts if not post["removed"]), "")
        if not self.post:
            self.post = (await self.town.post(f"{self._page}/act", {"write": {"text": "ម៉ោងបើកហាង"}}))["id"]
            return []
        found = next((post["comments"] for post in posts if post["id"] == self.post), [])
        mine = next((one["id"] for one in found if one["from"]["id"] == self.user and not one["parent"]), "")
        self.thread = self.thread or mine
        return list(found)

    @property
    def _page(self) -> str:
        return f"/post/facebook/{self.town.key('facebook')}"


@dataclass
class Visitor:
    """A visitor of the site, with the widget's own requests."""

    town: Town
    user: str
    channel: str = "webchat"
    limit: int = 4000
    session: dict[str, Any] = field(default_factory=dict)

    async def writes(self, text: str) -> bool:
        body = {"client_id": str(uuid.uuid5(uuid.NAMESPACE_OID, self.user + text)), "text": text}
        async with self.town.client.post(f"{self._chat}/messages", json=body, headers=await self._headers()) as answer:
            if answer.status == 429:
                await asyncio.sleep(float(answer.headers.get("Retry-After", 1)))
            return answer.status == 202

    async def reads(self) -> list[Shown]:
        found: list[Shown] = []
        more, after = True, 0
        while more:
            page = await self._page(after)
            more, after = page["more"], page["cursor"]
            ours = (one for one in page["messages"] if one["direction"] == "outbound")
            found += [Shown(one["id"], one["parts"][0].get("text", "")) for one in ours]
        return found

    async def _page(self, after: int) -> Any:
        address = f"{self._chat}/messages?limit=200&after={after}"
        async with self.town.client.get(address, headers=await self._headers()) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def _headers(self) -> dict[str, str]:
        origin = {"Origin": self.town.addresses.services["chat_adapter"].http}
        if not self.session:
            async with self.town.client.post(f"{self._chat}/session", json={}, headers=origin) as answer:
                answer.raise_for_status()
                self.session = await answer.json()
        return origin | {"Authorization": f"Bearer {self.session['token']}"}

    @property
    def _chat(self) -> str:
        return f"{self.town.addresses.services['chat_adapter'].http}/webchat/demo"


@dataclass
class Partner:
    """A system that posts signed events, and takes the answers at the sandbox's webhook."""

    town: Town
    user: str
    channel: str = "webhook"
    limit: int = 100_000

    async def writes(self, text: str) -> bool:
        name = uuid.uuid5(uuid.NAMESPACE_OID, self.user + text).hex
        parts = [{"kind": "text", "text": text}]
        event = {"type": "message", "id": name, "from": {"address": self.user}, "parts": parts}
        body = json.dumps(event | {"occurred_at": "2026-11-22T08:00:00Z"}).encode()
        signed = sign(self.town.accounts["apps"]["webhook"]["demo"]["secret"], name, body)
        hook = self.town.hook("chat_adapter", "webhook", "demo")
        async with self.town.client.post(hook, data=body, headers=signed) as answer:
            return answer.status == 200

    async def reads(self) -> list[Shown]:
        sends = (await self.town.get("/control/log"))["sends"]
        events = [send["event"] for send in sends if send["provider"] == "webhook"]
        return [Shown(one["id"], one["part"].get("text", "")) for one in events if one["to"] == self.user]


def sign(secret: str, name: str, body: bytes) -> dict[str, str]:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    stamp = str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.digest(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256)
    return {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }


@dataclass
class ByMail:
    """Someone with an address of mail; answers come to the sandbox's mailbox of that address."""

    town: Town
    user: str
    channel: str = "email"
    limit: int = 100_000
    subject: str = "ការបញ្ជាទិញ"

    async def reads(self) -> list[Shown]:
        return await read_mails(self.town, self.user, self._inbox)

    @property
    def _inbox(self) -> str:
        return str(self.town.account("email", "support")["address"])


@dataclass
class Correspondent(ByMail):
    """Someone whose mail server delivers straight to ours."""

    async def writes(self, text: str) -> bool:
        """By SMTP (RFC 5321), under the same Message-ID however often: only a 250 to the final dot is a yes."""
        host, _, port = (self.town.addresses.services["email_adapter"].smtp or "").rpartition(":")
        async with aiosmtplib.SMTP(hostname=host, port=int(port), timeout=20, start_tls=False) as server:
            await server.sendmail(self.user, [self._inbox], self._mail(text))
        return True

    def _mail(self, text: str) -> bytes:
        mail = EmailMessage(policy=SMTP)
        mail["From"], mail["To"], mail["Subject"] = f"សុខ ដារ៉ា <{self.user}>", self._inbox, self.subject
        mail["Message-ID"] = f"<{uuid.uuid5(uuid.NAMESPACE_OID, self.user + text).hex}@customer.example>"
        mail["Date"] = "Sun, 22 Nov 2026 08:00:00 +0000"
        mail.set_content(text, cte="base64")
        return mail.as_bytes()


@dataclass
class Penpal(ByMail):
    """Someone who writes from the sandbox's mailbox, whose mail server queues and tries again by itself."""

    tried: str = ""

    async def writes(self, text: str) -> bool:
        again, self.tried = self.tried == text, text
        if again and text in [one["text"].strip() for one in (await self.town.get(f"/mailbox/{self.user}"))["mails"]]:
            return True
        await self.town.post(
            f"/mailbox/{self.user}/send", {"to": self._inbox, "subject": self.subject, "text": text, "name": "សុខ ដារ៉ា"}
        )
        return True


async def read_mails(town: Town, user: str, inbox: str) -> list[Shown]:
    """What the inbox wrote to this address, as it lies in the sandbox's mailbox."""
    mails = (await town.get(f"/mailbox/{user}"))["mails"]
    return [Shown(named(one), one["text"].strip()) for one in mails if inbox in str(one["from"])]


def named(mail: Mapping[str, Any]) -> str:
    """Its Message-ID (RFC 5322 §3.6.4), bare."""
    return next(str(value).strip("<> ") for name, value in mail["headers"] if name.lower() == "message-id")


def someone(town: Town, channel: str, number: int) -> Phone:
    """A person with the app of a twin."""
    prefix, width = APPS[channel].person
    return Phone(town, f"{prefix}{number:0{width}d}", channel, 1000)


async def until_taken(customer: Customer, text: str) -> None:
    """Ask until it is taken. AssertionError when that takes too long."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if await customer.writes(text):
                return
        except TROUBLE:
            pass
        await asyncio.sleep(0.3)
    raise AssertionError(f"a message by {customer.channel} was not taken within {PATIENCE:.0f} s")
