"""Socket Mode over a real socket: what is said is durable before it is acknowledged, for every workspace of the app."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import orjson
import pytest
from aiohttp import web

from services.chat_adapter.channels.slack import CHANNEL
from shared.bus.produce import Producer
from shared.contract.codes import Failure
from shared.contract.records import inbound_topic, ingress_dlq
from shared.inbound.accept import Intake
from shared.inbound.listen import Listener
from shared.provider.calls import Caller
from shared.provider.contexts import Contexts
from shared.runtime.accounts import Accounts
from shared.runtime.lasting import spawn
from shared.runtime.settings import Settings
from shared.storage import migrate
from shared.storage.blobs import Blobs
from shared.storage.database import open_pool
from shared.storage.leases import Leases
from tests.parts import make_parts
from tests.patience import until
from tests.shared.broker import make_topics, records_of

INBOUND, DLQ = inbound_topic("chat"), ingress_dlq("chat")


@dataclass
class Slack:
    """apps.connections.open and the sockets behind it."""

    settings: Settings
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    noticed: list[Failure | None] = field(default_factory=list)
    address: str = ""

    async def open(self, request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "Bearer xapp-1":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        return web.json_response({"ok": True, "url": f"ws://{self.address}/link?ticket=1"})

    async def link(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1})
        self.sockets.append(socket)
        async for message in socket:
            self.acknowledged.append(json.loads(message.data)["envelope_id"])
        return socket

    async def says(self, words: str, *, team: str, name: str, connection: int = -1) -> None:
        seen = {"team_id": team, "user_id": "UBOT", "is_bot": True, "is_enterprise_install": False}
        event = {
            "type": "message",
            "channel": "D1",
            "channel_type": "im",
            "user": "U1",
            "ts": f"{name}.0",
            "text": words,
        }
        body = {"type": "event_callback", "team_id": team, "api_app_id": "A1", "authorizations": [seen], "event": event}
        envelope = {"type": "events_api", "envelope_id": name, "payload": body}
        await self.sockets[connection].send_json(envelope)

    async def heard(self) -> set[tuple[str, str]]:
        """What stands on the bus, by account; what came again has the id that it had."""
        values = [orjson.loads(record.value) for record in await records_of(self.settings, INBOUND)]
        told = {one["id"]: (one["account"], one["parts"][0]["text"]) for one in values}
        assert len(told) == len(set(told.values()))
        return set(told.values())


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[Slack]:
    await asyncio.to_thread(migrate.upgrade, settings, "chat_adapter")
    await make_topics(settings, names=[INBOUND, DLQ])
    slack, application = Slack(settings), web.Application()
    application.add_routes([web.post("/apps.connections.open", slack.open), web.get("/link", slack.link)])
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.address = f"127.0.0.1:{runner.addresses[0][1]}"
    about = {"app": "shop", "token": "xoxb-1", "api": f"http://{slack.address}"}
    first = CHANNEL.account(name="first", team="T100", app_token="xapp-1", **about)
    second = CHANNEL.account(name="second", team="T200", **about)
    accounts = SimpleNamespace(current=Accounts(keys={("slack", "shop", one.key): one for one in (first, second)}))
    producer, blobs = Producer(settings), Blobs.open(settings.blobs)
    await producer.start()
    async with Caller(blobs) as caller, open_pool(settings, "chat_adapter") as pool:
        listener = Listener(
            make_parts(accounts=accounts, pool=pool, caller=caller, contexts=Contexts(settings)),
            Intake(settings, "chat", producer, blobs),
            CHANNEL,
            first,
            shard=0,
            noticed=lambda _channel, _account, failure: slack.noticed.append(failure),
            rest=lambda _seconds: asyncio.sleep(0.01),
        )
        running = spawn(listener.run(await Leases(pool).take(listener.name) or 0), "listener")
        await until(lambda: slack.sockets)
        yield slack
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await producer.stop()
    await runner.cleanup()


async def test_each_workspace_of_the_app_is_heard_and_acknowledged(slack: Slack) -> None:
    await slack.says("one", team="T100", name="1")
    await slack.says("two", team="T200", name="2")
    await until(lambda: slack.acknowledged == ["1", "2"])
    assert await slack.heard() == {("first", "one"), ("second", "two")}
    assert set(slack.noticed) == {None}


async def test_a_connection_that_slack_wants_back_is_followed_by_the_next_and_nothing_is_lost(slack: Slack) -> None:
    await slack.says("one", team="T100", name="1")
    await until(lambda: slack.acknowledged == ["1"])
    await slack.sockets[0].send_json({"type": "disconnect", "reason": "refresh_requested"})
    await until(lambda: len(slack.sockets) == 2)
    await slack.says("one", team="T100", name="1")  # as if it had not heard of it
    await slack.says("two", team="T100", name="3")
    await until(lambda: slack.acknowledged == ["1", "1", "3"])
    assert await slack.heard() == {("first", "one"), ("first", "two")}


async def test_socket_mode_that_was_switched_off_is_told_of_the_account(slack: Slack) -> None:
    await slack.sockets[0].send_json({"type": "disconnect", "reason": "link_disabled"})
    await until(lambda: any(one and one.code == "auth" for one in slack.noticed))
