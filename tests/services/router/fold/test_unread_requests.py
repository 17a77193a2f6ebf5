"""Whoever asked is answered: a request that cannot be read is a dead letter, and `request.refused` by its id."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from shared.bus import cloudevents
from shared.contract.records import EVENTS, INBOUND_LIMIT, REQUESTS, ROUTER_GROUP
from shared.contract.requests import Send
from tests.patience import SECONDS
from tests.promises.house import NOON, Customer, House, records_of
from tests.services.router.batch.test_batch import routing

DLQ = f"{REQUESTS}.{ROUTER_GROUP}.dlq"


@dataclass
class Desk:
    """A system that asks for things, and looks for the answers."""

    house: House
    customer: Customer = field(default_factory=Customer)

    async def asks(self, id_: str, value: bytes, *, type_: str = "parley.request.reply.v1") -> None:
        made = dict(
            cloudevents.headers(
                "request.reply", source="/t", id=id_, time=NOON, tenant=self.customer.tenant, subject="t"
            )
        )
        made["ce_type"] = type_.encode()
        await self.house.producer.send(
            cloudevents.Out(self.house.settings.topic(REQUESTS), b"key", value, list(made.items()))
        )

    async def answers(self, id_: str, *, count: int = 1) -> list[dict[str, Any]]:
        """So many events with this request's id, told apart by their `ce_id` as readers do; each its value with `type`."""
        async with asyncio.timeout(SECONDS):
            while True:
                found = {
                    dict(one.headers)["ce_id"]: orjson.loads(one.value)
                    | {"type": dict(one.headers)["ce_type"].decode()[len("parley.") : -len(".v1")]}
                    for one in await records_of(self.house.settings, EVENTS)
                    if id_.encode() in one.value
                }
                if len(found) >= count:
                    return list(found.values())
                await asyncio.sleep(0.2)

    async def letters(self) -> list[Any]:
        tenant = self.customer.tenant.encode()
        found = await records_of(self.house.settings, DLQ)
        return [one for one in found if dict(one.headers).get("ce_tenant") == tenant]


@pytest.fixture
def desk(house: House) -> Desk:
    desk = Desk(house)
    house.allows(desk.customer)
    return desk


def good(customer: Customer, conversation: uuid.UUID, text: str = "hello") -> dict[str, Any]:
    return orjson.loads(cloudevents.encode(customer.reply(conversation, text)))  # type: ignore[no-any-return]


KINDS: dict[str, tuple[str, Any, str]] = {
    "too large": ("parley.request.reply.v1", {"parts": [{"kind": "text", "text": "x" * INBOUND_LIMIT}]}, "too_long"),
    "too deep": ("parley.request.reply.v1", b'{"parts":' + b"[" * 5000, "malformed"),
    "not JSON": ("parley.request.reply.v1", b"hello", "malformed"),
    "not UTF-8": ("parley.request.reply.v1", b'{"conversation":"\xff"}', "malformed"),
    "too many parts": ("parley.request.reply.v1", {"parts": [{"kind": "text", "text": "x"}] * 21}, "malformed"),
    "a part that is none": ("parley.request.reply.v1", {"parts": [{"kind": "dance"}]}, "malformed"),
    "nothing": ("parley.request.reply.v1", b"", "malformed"),
    "a type that is not known": ("parley.request.dance.v1", {}, "unsupported"),
    "of a customer who is none": (
        "parley.request.erase.v1",
        {"customer": str(uuid.uuid4()), "reason": "asked"},
        "unknown_customer",
    ),
}


async def test_each_kind_is_answered_once_by_its_code_and_what_follows_is_carried_out(desk: Desk) -> None:
    conversation = await desk.house.opened(desk.customer)
    mark = uuid.uuid4().hex
    for name, (type_, changed, _) in KINDS.items():
        value = changed if isinstance(changed, bytes) else orjson.dumps(good(desk.customer, conversation) | changed)
        await desk.asks(f"{name} {mark}", value, type_=type_)
    await desk.asks(f"good {mark}", orjson.dumps(good(desk.customer, conversation)))
    async with routing(desk.house, REQUESTS):
        found = await desk.answers(mark, count=len(KINDS) + 1)
    refused = {one["request_id"]: one["failure"] for one in found if one["type"] == "request.refused"}
    assert {id_: why["code"] for id_, why in refused.items()} == {f"{n} {mark}": KINDS[n][2] for n in KINDS}
    assert all(why["detail"] for why in refused.values())
    assert len(found) == len(KINDS) + 1
    assert [one["request_id"] for one in found if one["type"] == "message.queued"] == [f"good {mark}"]
    assert len(await desk.letters()) == len(KINDS) - 1, "and is kept, but for what was read"


async def test_an_address_that_cannot_be_stored_is_refused_too(desk: Desk) -> None:
    """998 letters of three bytes: no index of PostgreSQL takes them."""
    address = "".join(chr(0x4E00 + (n * 7919) % 0x5000) for n in range(998))
    asked = Send(
        tenant=desk.customer.tenant,
        channel="webhook",
        account="main",
        address=address,
        parts=desk.customer.says().parts,
    )
    id_ = uuid.uuid4().hex
    await desk.asks(id_, cloudevents.encode(asked), type_="parley.request.send.v1")
    async with routing(desk.house, REQUESTS):
        (refused,) = await desk.answers(id_)
    assert (refused["type"], refused["failure"]["code"]) == ("request.refused", "malformed")
    assert "cannot be stored" in refused["failure"]["detail"]


async def test_what_is_asked_again_is_answered_again_and_under_its_id_it_may_be_asked_rightly(desk: Desk) -> None:
    conversation = await desk.house.opened(desk.customer)
    id_ = uuid.uuid4().hex
    for value in (b"{", b"{", b"[" * 5000, orjson.dumps(good(desk.customer, conversation))):
        await desk.asks(id_, value)
    async with routing(desk.house, REQUESTS):
        found = await desk.answers(id_, count=3)
    assert sorted(one["type"] for one in found) == ["message.queued", "request.refused", "request.refused"]
    assert len({one["failure"]["detail"] for one in found if "failure" in one}) == 2, "one answer for each reason"
