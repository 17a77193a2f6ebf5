"""What a provider lets a message be answered by is used once, while it is good, and is told to nobody; LINE's reply token shows it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from provider import hangs_up, waits_for
from station import File, Running, Station, open_station, outbound

from services.chat_adapter.channels import line
from services.cli.wire import parse_http
from services.router.fold.facts import Facts
from shared.contract.channel import Context
from shared.contract.deliveries import Outbound
from shared.contract.envelope import Envelope, Route, Text
from shared.contract.records import EVENTS
from shared.contract.requests import Send
from shared.inbound import translate
from tests.promises.house import Customer, House, as_read, at

SAMPLES = Path(__file__).parents[1] / "channels" / "line"
TOLD = orjson.loads((SAMPLES / "settings.json").read_bytes())
REPLY, PUSH = "/v2/bot/message/reply", "/v2/bot/message/push"


def route(value: str = "token-1", *, seconds: float = 50, once: bool = True) -> Route:
    return Route(value=value, expires_at=datetime.now(UTC) + timedelta(seconds=seconds), once=once)


def orders(facts: Facts) -> list[Outbound]:
    """What a batch gives to the adapter."""
    return [Outbound.model_validate_json(one.value) for one in facts.emissions if one.topic != EVENTS]


def routes(*facts: Facts) -> list[str | None]:
    """By what each of its orders may be sent."""
    return [order.route.value if order.route else None for one in facts for order in orders(one)]


async def answers(house: House, customer: Customer, *says: Envelope, times: int = 1) -> list[str | None]:
    """The customer writes, and that often they are answered."""
    conversation = await house.opened(customer, *says)
    return routes(*[await house.take(as_read(customer.reply(conversation))) for _ in range(times)])


# the router ---------------------------------------------------------------------------------------------------------------


async def test_an_answer_has_the_route_and_the_next_one_has_not(house: House) -> None:
    customer = Customer()
    assert await answers(house, customer, customer.says(route=route()), times=2) == ["token-1", None]


async def test_two_answers_of_one_batch_do_not_share_it(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, customer.says(route=route()))
    both = await house.take(*(as_read(customer.reply(conversation), offset=n) for n in range(2)))
    assert routes(both) == ["token-1", None]


async def test_one_that_is_good_for_more_than_one_send_stays(house: House) -> None:
    customer = Customer()
    says = customer.says(route=route("https://smba.example/kh", once=False))
    assert await answers(house, customer, says, times=2) == ["https://smba.example/kh"] * 2


async def test_the_newest_one_wins_and_what_comes_late_puts_no_older_one_back(house: House) -> None:
    customer = Customer()
    said = [customer.says(route=route(name, seconds=end)) for name, end in (("b", 40), ("c", 50), ("a", 30))]
    assert await answers(house, customer, *said, times=2) == ["c", None]


async def test_one_that_has_expired_is_neither_kept_nor_given(house: House) -> None:
    customer = Customer()
    old = customer.says(route=route(seconds=-1))
    assert await answers(house, customer, customer.says(route=route("good")), old) == ["good"]
    another = Customer()
    conversation = await house.opened(another, another.says(route=route()))
    await house.pool.execute(
        "UPDATE conversation SET route = jsonb_set(route, '{expires_at}', to_jsonb($2::text)) WHERE id = $1",
        conversation,
        datetime.now(UTC).isoformat(),
    )
    assert routes(await house.take(as_read(another.reply(conversation)))) == [None]


async def test_a_message_that_comes_again_does_not_bring_it_back(house: House) -> None:
    customer = Customer()
    says = customer.says(route=route())
    assert await answers(house, customer, says) == ["token-1"]
    await house.take(says)
    (conversation,) = await house.conversations(customer)
    assert routes(await house.take(as_read(customer.reply(conversation)))) == [None]


async def test_a_refused_answer_leaves_it_for_the_next(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, customer.says(route=route()))
    refused = await house.take(as_read(customer.reply(conversation, expires_at=at(0))))
    assert routes(refused, await house.take(as_read(customer.reply(conversation)))) == ["token-1"]


async def test_a_first_message_into_the_conversation_has_it_too(house: House) -> None:
    customer = Customer()
    house.allows(customer)
    await house.opened(customer, customer.says(route=route()))
    send = Send(tenant=customer.tenant, channel="webhook", account="main", address="ann", parts=(Text(text="hi"),))
    assert routes(await house.take(as_read(send))) == ["token-1"]


@pytest.mark.parametrize("responder", [None, "another channel"])
async def test_no_event_tells_it(house: House, responder: str | None) -> None:
    customer = Customer()
    says = customer.says(name="m1", route=route("a-secret"), responder=responder)
    conversation = await house.opened(customer, says)
    edit = customer.edits("m1", minutes=1).model_copy(update={"route": route("a-secret", seconds=40)})
    early = customer.edits("m9", minutes=1).model_copy(update={"route": route("a-secret", seconds=40)})
    asked = await house.take(edit, early, as_read(customer.reply(conversation)))
    assert routes(asked) == ["a-secret"]
    story = await house.story(conversation)
    assert {"message.received", "message.edited", "message.queued"} <= {event["type"] for event in story}
    assert "a-secret" not in orjson.dumps(story).decode()
    (waits,) = await house.pool.fetchrow("SELECT parked FROM external_ref WHERE (tenant, external_id) = ($1, 'm9')", customer.tenant)  # fmt: skip
    assert waits
    assert not any(b"a-secret" in base64.b64decode(one["envelope"]) for one in waits)
    assert not any(b"a-secret" in one.value for one in asked.emissions if one.topic == EVENTS)
    assert "a-secret" not in repr(orders(asked)) + repr(says)


# the adapter --------------------------------------------------------------------------------------------------------------


@dataclass
class Line:
    """LINE as it documents itself: a reply token is good once, a retry key is good for pushes and known for a day."""

    tokens: set[str] = field(default_factory=lambda: {"token-1"})
    accepted: dict[str, str] = field(default_factory=dict)
    shown: list[tuple[str, str]] = field(default_factory=list)

    async def reply(self, request: web.Request) -> web.Response:
        asked = orjson.loads(await request.read())
        if "X-Line-Retry-Key" in request.headers:
            return web.json_response({"message": "X-Line-Retry-Key is not supported"}, status=400)
        if asked["replyToken"] not in self.tokens:
            return web.json_response({"message": "Invalid reply token"}, status=400)
        self.tokens.remove(asked["replyToken"])
        return self._show("reply", asked)

    async def push(self, request: web.Request) -> web.Response:
        asked, key = orjson.loads(await request.read()), request.headers["X-Line-Retry-Key"]
        if name := self.accepted.get(key):
            said = {"message": "The retry key is already accepted", "sentMessages": [{"id": name}]}
            return web.json_response(said, status=409)
        answer = self._show("push", asked)
        self.accepted[key] = str(len(self.shown))
        return answer

    async def push_unanswered(self, request: web.Request) -> web.StreamResponse:
        """It is done, and the connection breaks."""
        await self.push(request)
        return await hangs_up()(request)

    def _show(self, way: str, asked: dict[str, Any]) -> web.Response:
        self.shown += [(way, message["text"]) for message in asked["messages"]]
        return web.json_response({"sentMessages": [{"id": str(len(self.shown)), "quoteToken": "q"}]})


@pytest.fixture
async def station(servers: Any, tmp_path: Path) -> AsyncIterator[Station]:
    async with open_station(servers, tmp_path / "blobs") as station:
        yield station


@pytest.fixture
def provider(station: Station) -> Line:
    found = Line()
    station.provider.by_path |= {REPLY: found.reply, PUSH: found.push}
    return found


async def start(station: Station) -> Running:
    account = line.Account(name="main", api=station.provider.address, **TOLD["account"])
    return await station.start(line.CHANNEL, accounts=File({("line", "main"): account}))


async def told(station: Station, *messages: Outbound) -> list[tuple[str, tuple[str, ...]]]:
    """The end of each, in order."""
    found = [(await station.told(message))[0] for message in messages]
    return [(one.status, one.external_ids) for one in found]


def paths(station: Station) -> list[str]:
    return [seen.path for seen in station.provider.seen]


async def test_from_the_webhook_to_both_answers(house: House, station: Station, provider: Line) -> None:
    """The first goes by the reply token, the second, which quotes the message, as a push under a key of its own."""
    now = datetime.now(UTC)
    app = line.App.model_validate({"name": "main", **TOLD["app"]})
    customer = Customer()
    account = line.Account(name="main", tenant=customer.tenant, api=station.provider.address, **TOLD["account"])
    request = parse_http((SAMPLES / "text.in.http").read_bytes())
    translate.verify(line.CHANNEL, app, request, Context(now=now))
    (read,) = translate.read(line.CHANNEL, app, request, Context(now=now))
    envelope = translate.stamp(read, channel=line.CHANNEL, account=account, received_at=now)
    assert isinstance(envelope, Envelope)
    assert envelope.route
    provider.tokens = {envelope.route.value}
    conversation = await house.opened(customer, envelope)
    replies = (customer.reply(conversation, "one"), customer.reply(conversation, "two", in_reply_to=envelope.id))
    asked = [orders(await house.take(as_read(reply))) for reply in replies]
    adapter = await station.start(line.CHANNEL, accounts=File({("line", "main"): account}))
    await adapter.give(*(order for (order,) in asked))
    assert await told(station, *(order for (order,) in asked)) == [("sent", ("1",)), ("sent", ("2",))]
    assert provider.shown == [("reply", "one"), ("push", "two")]
    assert paths(station) == [REPLY, PUSH]
    quotes = [orjson.loads(seen.body)["messages"][0].get("quoteToken") for seen in station.provider.seen]
    assert quotes == [None, envelope.external_id.partition(":")[2]]


async def test_only_the_first_piece_goes_by_it(station: Station, provider: Line) -> None:
    message = outbound("x" * 5001, route=route())
    await (await start(station)).give(message)
    assert len(await station.told(message, pieces=2)) == 2
    assert paths(station) == [REPLY, PUSH]


async def test_what_expires_on_the_way_is_not_tried(station: Station, provider: Line) -> None:
    message = outbound("late", route=route(seconds=-0.001))
    await (await start(station)).give(message)
    assert await told(station, message) == [("sent", ("1",))]
    assert paths(station) == [PUSH]


async def test_what_the_provider_does_not_take_goes_the_other_way_at_once(station: Station, provider: Line) -> None:
    provider.tokens.clear()
    message = outbound("hello", route=route())
    await (await start(station)).give(message)
    assert await told(station, message) == [("sent", ("1",))]
    assert (paths(station), provider.shown) == ([REPLY, PUSH], [("push", "hello")])


async def test_an_answer_by_it_that_nobody_answered_is_unknown_and_not_sent_again(
    station: Station, provider: Line
) -> None:
    station.provider.by_path[REPLY] = hangs_up()
    message = outbound("hello", route=route())
    await (await start(station)).give(message)
    assert await told(station, message) == [("unknown", ())]
    assert paths(station) == [REPLY]


async def test_a_crash_while_it_is_under_way_is_unknown_and_not_sent_again(station: Station, provider: Line) -> None:
    never = asyncio.Event()
    station.provider.by_path[REPLY] = waits_for(never)
    adapter = await start(station)
    message = outbound("hello", route=route())
    await adapter.give(message)
    await station.provider.wait(1)
    await adapter.crash()
    await station.expire_leases()
    await start(station)
    assert await told(station, message) == [("unknown", ())]
    assert paths(station) == [REPLY]
    never.set()


@pytest.mark.parametrize("route", [None, route(seconds=-120)], ids=["none", "too late for it"])
async def test_a_push_that_nobody_answered_is_asked_again_under_its_key(
    station: Station, provider: Line, route: Route | None
) -> None:
    station.provider.by_path[PUSH] = provider.push_unanswered
    adapter = await start(station)
    message = outbound("hello", route=route)
    await adapter.give(message)
    await station.provider.wait(1)
    station.provider.by_path[PUSH] = provider.push
    assert await told(station, message) == [("sent", ("1",))]
    assert provider.shown == [("push", "hello")]
    assert len({seen.headers["x-line-retry-key"] for seen in station.provider.seen}) == 1
