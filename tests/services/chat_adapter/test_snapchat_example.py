"""The bridge of examples/snapchat.py, between a Snap that answers as its page says and our webhook channel's own code."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from deploy.local.home import choose_port
from services.chat_adapter.channels.webhook import CHANNEL, Account, App
from shared.contract.channel import Message, Piece, Request
from shared.contract.envelope import Location, Text
from shared.contract.errors import SendFailed, Unverified
from shared.inbound import translate
from shared.provider.calls import Caller, Principal
from shared.provider.contexts import Contexts
from shared.provider.exchange import Driver
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs
from tests.patience import until

BRIDGE: Final = Path(__file__).resolve().parents[3] / "examples/snapchat.py"
BRAND, CREATOR, TOKEN = "brand-1", "creator-1", "SnapProfileId/brand-1"


@dataclass
class Meeting:
    """`said`: the conversation of brand and creator at Snap. `heard`: what Parley was told, a repeat too."""

    app: App
    contexts: Contexts
    said: list[dict[str, str]] = field(default_factory=list)
    heard: list[Message] = field(default_factory=list)
    refused: int = 0

    def routes(self) -> list[web.RouteDef]:
        home = f"/v1/public_profiles/{BRAND}"
        return [
            web.get(f"{home}/group_conversation", self.conversation),
            web.get(f"{home}/group_conversation_messages", self.messages),
            web.post(f"{home}/group_conversation_messages", self.sent),
            web.post("/hooks/webhook/snapchat", self.told),
        ]

    def says(self, text: str) -> None:
        self.said.append({"message_id": str(uuid.uuid4()), "text_message": text})

    def texts(self) -> list[str]:
        return [one["text_message"] for one in self.said]

    async def conversation(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer snap-token":
            return web.json_response({"request_status": "ERROR"})
        told = {"conversation_id": f"with-{request.query['creator_profile_id']}", "token": TOKEN}
        return web.json_response({"request_status": "SUCCESS", "conversation": told})

    async def messages(self, request: web.Request) -> web.Response:
        assert (request.query["conversation_id"], request.query["token"]) == (f"with-{CREATOR}", TOKEN)
        told = [{"group_conversation_message": one} for one in self.said]
        return web.json_response({"request_status": "SUCCESS", "group_conversation_messages": told})

    async def sent(self, request: web.Request) -> web.Response:
        body = await request.json()
        assert (body["conversation_id"], body["token"]) == (f"with-{CREATOR}", TOKEN)
        known = {one["message_id"] for one in self.said}
        self.said += [one for one in body["group_conversation_messages"] if one["message_id"] not in known]
        return web.json_response({"request_status": "SUCCESS"})

    async def told(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        got = Request(url=str(request.url), headers=headers, body=await request.read())
        context = await self.contexts.of(CHANNEL, self.app)
        try:
            translate.verify(CHANNEL, self.app, got, context)
        except Unverified:
            self.refused += 1
            return web.Response(status=401)
        self.heard += [one for one in translate.read(CHANNEL, self.app, got, context) if isinstance(one, Message)]
        return web.Response()


@asynccontextmanager
async def served(meeting: Meeting) -> AsyncIterator[str]:
    app = web.Application()
    app.add_routes(meeting.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@asynccontextmanager
async def bridge(address: str, secret: str, **more: str) -> AsyncIterator[str]:
    """As a process that finds nothing of Parley on its path; where it listens."""
    port = str(choose_port(set()))
    settings = {"SNAP_API": address, "SNAP_TOKEN": "snap-token", "SNAP_PROFILE": BRAND, "SNAP_CREATORS": CREATOR}
    settings |= {"PARLEY_HOOK": f"{address}/hooks/webhook/snapchat", "PARLEY_SECRET": secret, "PORT": port}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", str(BRIDGE), env=os.environ | settings | {"PAUSE": "0.1"} | more
    )
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def new_secret() -> str:
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


async def test_what_a_creator_writes_comes_to_parley_and_the_answer_to_them_once(tmp_path: Path) -> None:
    secret, settings = new_secret(), Settings(blobs=tmp_path.as_uri())
    contexts = Contexts(settings)
    meeting = Meeting(App(name="snapchat", secret=secret), contexts)
    async with served(meeting) as address, bridge(address, secret) as url, Caller(Blobs.open(settings.blobs)) as caller:
        meeting.says("សួស្តី brand")
        await until(lambda: len(meeting.heard) > 1)
        assert len({one.event_key for one in meeting.heard}) == 1, "what it finds again is the same event"
        first = meeting.heard[0]
        assert (first.sender.address, first.parts) == (CREATOR, (Text(text="សួស្តី brand"),))
        account, driver = Account(name="snapchat", url=url, secret=secret), Driver(caller, contexts)

        async def send(part: Any, by: Account = account) -> tuple[str, ...]:
            piece = Piece(id="p/0", to=first.peer, part=part)
            principal = Principal(channel=CHANNEL, account=by)
            return (await driver(partial(CHANNEL.outbound, by, piece), principal)).external_ids

        names = [await send(Text(text="hello")) for _ in range(2)]
        assert names[0] == names[1]
        assert meeting.texts() == ["សួស្តី brand", "hello"]
        for part, by, reason in (
            (Text(text="x"), Account(name="snapchat", url=url, secret=new_secret()), "auth"),
            (Location(latitude=1, longitude=2), account, "unsupported"),
        ):
            with pytest.raises(SendFailed) as failed:
                await send(part, by)
            assert failed.value.reason == reason
        count = len(meeting.heard)
        await until(lambda: len(meeting.heard) > count + 1)
        assert len({one.event_key for one in meeting.heard}) == 1, "what Parley said is nobody's message"
        assert meeting.refused == 0


async def test_a_no_of_snap_and_of_parley_ends_nothing(tmp_path: Path) -> None:
    """It looks again: a bridge with another secret is refused, and goes on."""
    meeting = Meeting(App(name="snapchat", secret=new_secret()), Contexts(Settings(blobs=tmp_path.as_uri())))
    meeting.says("hello?")
    async with served(meeting) as address, bridge(address, new_secret()):
        await until(lambda: meeting.refused > 1)
        assert meeting.heard == []
