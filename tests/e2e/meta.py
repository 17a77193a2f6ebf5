"""Meta's side of a running stack: people's phones, and webhooks as Meta signs them, with any content."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from shared.contract.codes import CHANNELS
from tests.customers import NAMED, Phone
from tests.e2e.accounts_file import add_tables
from tests.e2e.agent import Agent, Json
from tests.e2e.people import SECONDS
from tests.pictures import PIXEL

OBJECTS: Final = {"whatsapp": "whatsapp_business_account", "facebook": "page"}


@dataclass
class Meta(Agent):
    """One app and its account. `key`: Meta's name of the account, a number's or a page's id."""

    channel: str
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self.key = self.town.key(self.channel)

    @property
    def app(self) -> Json:
        return dict(self.town.accounts["apps"][self.channel]["sandbox"])

    @property
    def service(self) -> str:
        return f"{CHANNELS[self.channel]}_adapter"

    @property
    def hook(self) -> str:
        return self.town.hook(self.service, self.channel)

    def body(self, *entries: Json) -> bytes:
        return json.dumps({"object": OBJECTS[self.channel], "entry": list(entries)}).encode()

    def sign(self, body: bytes, secret: str = "") -> str:
        """https://developers.facebook.com/docs/graph-api/webhooks/getting-started#validate-payloads"""
        return "sha256=" + hmac.new((secret or self.app["secret"]).encode(), body, hashlib.sha256).hexdigest()

    async def post(self, body: bytes, signature: str | None = None) -> int:
        """The webhook's status."""
        tag = self.sign(body) if signature is None else signature
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": tag}
        async with self.town.client.post(self.hook, data=body, headers=headers) as answer:
            return answer.status

    async def control(self, **faults: Any) -> None:
        await self.town.post("/control", faults)

    def add(self, name: str, key: str) -> None:
        """Another account of the app, which the running adapter takes up by itself."""
        table = self.town.account(self.channel) | {NAMED[self.channel]: key, "app": "sandbox"}
        add_tables(self.stack.home, {f"accounts.{self.channel}.{name}": table})

    async def is_known(self, key: str) -> None:
        """Wait until the adapter has told the sandbox of this number or page."""
        async with asyncio.timeout(SECONDS):
            while key not in {one["id"] for one in (await self.town.get(f"/phone/{self.channel}"))["accounts"]}:
                await asyncio.sleep(0.1)

    async def sends_picture(self, person: Phone, caption: str) -> None:
        form = aiohttp.FormData({"caption": caption})
        form.add_field("file", PIXEL, filename="menu.png", content_type="image/png")
        address = f"{self.town.addresses.sandbox}{person.chat}/send"
        async with self.town.client.post(address, data=form, headers=self.town.bearer) as answer:
            assert answer.status == 200, await answer.text()
