"""One person over HTTP: who is one with whom and why, their conversations, and a merged id that leads to who they are now."""

import uuid
from datetime import timedelta

import pytest

from shared.bus import cloudevents
from shared.contract.records import REQUESTS
from tests.promises.house import records_of
from tests.services.router.served import BEARER, START, add_conversation, get, insert, open_house, post


@pytest.fixture(scope="module")
async def house(servers, tmp_path_factory):
    async with open_house(servers, tmp_path_factory.mktemp("blobs")) as opened:
        yield opened


async def add_customer(house, name, *, into=None, minutes=0, **columns):
    """Someone with one address, who is one person with `into`."""
    born = START + timedelta(minutes=minutes)
    own = {"id": uuid.uuid4(), "tenant": "default", "merged_into": into, "born": born, "shape": 1, **columns}
    await insert(house.pool, "customer", own)
    address = {"tenant": "default", "kind": "telegram", "value": f"{name}-{own['id']}", "name": name}
    await insert(house.pool, "identity", address | {"customer_id": own["id"]})
    return own["id"]


async def add_pair(house, table, a, b, **columns):
    a, b = sorted((a, b))
    await insert(house.pool, table, {"a": a, "b": b, "reason": "because", "at": START, **columns})


async def add_bond(house, a, b):
    await add_pair(house, "bond", a, b, source="asked", n=1, live=True, cause="r-1")


async def test_a_person_is_all_of_their_addresses_with_why_and_who_else_they_may_be(house):
    ann = await add_customer(house, "Ann")
    bob = await add_customer(house, "Bob", into=ann, minutes=1)
    cho, dea = [await add_customer(house, name) for name in ("Cho", "Dea")]
    await add_bond(house, ann, bob)
    await add_pair(house, "suggestion", bob, cho, is_open=True)
    await add_pair(house, "suggestion", ann, dea, is_open=False)
    await add_pair(house, "veto", ann, dea)
    person = await get(house, f"/api/customers/{ann}")
    assert [(one["id"], one["identities"][0]["name"]) for one in person["members"]] == [
        (str(ann), "Ann"),
        (str(bob), "Bob"),
    ]
    assert [(one["source"], one["reason"], one["live"]) for one in person["bonds"]] == [("asked", "because", True)]
    assert [(one["other"], one["name"]) for one in person["suggestions"]] == [(str(cho), "Cho")]
    assert [(one["other"], one["name"]) for one in person["apart"]] == [(str(dea), "Dea")]


async def test_conversations_of_all_members_come_newest_first_page_by_page(house):
    ann = await add_customer(house, "Ann")
    bob = await add_customer(house, "Bob", into=ann)
    made = [
        await add_conversation(house.pool, customer_id=(ann, bob)[n % 2], last_at=START + timedelta(minutes=n))
        for n in range(7)
    ]
    seen, before = [], ""
    while True:
        page = await get(house, f"/api/customers/{ann}?limit=3&before={before}")
        seen += [one["id"] for one in page["conversations"]]
        assert {one["customer"] for one in page["conversations"]} == {str(ann)}
        if not (before := page["next"]):
            break
    assert seen == [str(one) for one in reversed(made)]


async def test_a_merged_id_leads_to_who_they_are_now(house):
    ann = await add_customer(house, "Ann")
    bob = await add_customer(house, "Bob", into=ann)
    assert (await get(house, f"/api/customers/{bob}?limit=1"))["id"] == str(ann)
    async with house.client.get(f"/api/customers/{bob}", headers=BEARER, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (307, f"/api/customers/{ann}")
    async with house.client.get(f"/api/customers/{uuid.uuid4()}", headers=BEARER) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (404, "unknown_customer")


async def test_whoever_is_erased_is_gone_for_every_reader_at_once(house):
    ann = await add_customer(house, "Ann")
    conversation = await add_conversation(house.pool, customer_id=ann, last_at=START)
    await house.pool.execute("UPDATE customer SET erased_at = $2 WHERE id = $1", ann, START)
    for path in ("", "/export", "/consent"):
        async with house.client.get(f"/api/customers/{ann}{path}", headers=BEARER) as answer:
            error = (await answer.json())["error"]
            assert (answer.status, error["code"]) == (410, "erased"), path
            assert START.isoformat() in error["detail"]
    async with house.client.get(f"/api/conversations/{conversation}", headers=BEARER) as answer:
        assert answer.status == 404
    listed = await get(house, "/api/conversations?limit=200")
    assert str(conversation) not in {one["id"] for one in listed["conversations"]}


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("merge", {"customers": [1, 2], "reason": "x"}, "request.merge"),
        ("apart", {"customers": [1, 2], "reason": "x"}, "request.apart"),
        ("{id}/split", {"reason": "x"}, "request.split"),
        ("{id}/erase", {"reason": "x", "by": "bopha"}, "request.erase"),
        ("{id}/link", {"kind": "email", "address": "a@b.example"}, "request.link"),
        ("{id}/unlink", {"kind": "email", "address": "a@b.example"}, "request.unlink"),
    ],
)
async def test_what_is_asked_is_the_record_that_any_system_could_write(house, path, body, name):
    one, two = uuid.uuid4(), uuid.uuid4()
    if "customers" in body:
        body = body | {"customers": [str(one), str(two)]}
    told = await post(house, f"/api/customers/{path.replace('{id}', str(one))}", body, status=202)
    (record,) = [
        made
        for each in await records_of(house.settings, REQUESTS)
        if (made := cloudevents.decode(each)).id == told["request_id"]
    ]
    assert (record.name, record.key.decode()) == (name, str(one))
    assert getattr(record.model, "customer", one) == one
