"""Persons are found by what they are called, and handed out whole: of every customer of theirs, without what is about others."""

import io
import uuid
import zipfile
from contextlib import aclosing
from datetime import timedelta

import orjson
import pytest

from services.router.api import people
from services.router.search.index import Index
from tests.services.router.served import BEARER, PNG, START, add_conversation, add_event, get, insert, open_house
from tests.services.router.test_search import plan


@pytest.fixture(scope="module")
async def house(servers, tmp_path_factory):
    async with open_house(servers, tmp_path_factory.mktemp("blobs")) as opened:
        yield opened


async def person(house, *customers, tenant="default"):
    """Customers with an address each, who are one."""
    for number, one in enumerate(customers):
        into = customers[0] if number else None
        at = START + timedelta(seconds=number)
        await insert(house.pool, "customer", {"id": one, "tenant": tenant, "merged_into": into, "created_at": at})
        address = {"tenant": tenant, "kind": "webchat", "value": f"{one}", "customer_id": one, "name": f"name {number}"}
        await insert(house.pool, "identity", address)


async def said(house, conversation, sequence, text, *, home=None, **part):
    message = uuid.uuid4()
    data = {"message": {"id": str(message), "parts": [{"kind": "text", "text": text, **part}]}}
    await add_event(house.pool, conversation, sequence, "message.received", data, message=message)
    if home:
        await house.pool.execute("UPDATE message SET home = $2 WHERE id = $1", message, home)
    return message


async def stored(house, content, tenant="default"):
    async def chunks():
        yield content

    return (await house.deps.blobs.put(tenant, chunks(), limit=10_000)).ref


async def exported(house, customer):
    async with house.client.get(f"/api/customers/{customer}/export", headers=BEARER) as answer:
        assert (answer.status, answer.content_type) == (200, "application/zip")
        archive = zipfile.ZipFile(io.BytesIO(await answer.read()))
    assert archive.testzip() is None
    return archive


def lines(archive, name):
    return [orjson.loads(line) for line in archive.read(name).splitlines()]


async def test_all_members_of_a_person_are_handed_out_by_whichever_id(house):
    old, young, other = (uuid.uuid4() for _ in range(3))
    await person(house, old, young)
    await person(house, other)
    picture, gone, foreign = await stored(house, PNG), f"default/{'0' * 64}", await stored(house, b"x", "cafe")
    first = await add_conversation(house.pool, customer_id=old)
    second = await add_conversation(house.pool, customer_id=young)
    theirs = await add_conversation(house.pool, customer_id=other)
    for number in range(people.PAGE + 2):
        await said(house, first, number + 1, f"of the first {number}")
    await said(house, second, 1, "of the second", blob=picture, name="a.png", mime_type="image/png", size=len(PNG))
    await said(house, second, 2, "what is gone", blob=gone)
    await said(house, second, 3, "what is another tenant's", blob=foreign)
    await add_event(house.pool, second, 4, "message.status", {"status": "sent"})
    await said(house, theirs, 1, "of somebody else")
    for id_ in (old, young):
        archive = await exported(house, id_)
        (about,) = lines(archive, "person.json")
        assert (about["customer"], [one["id"] for one in about["customers"]]) == (str(old), [str(old), str(young)])
        assert {one["value"] for one in about["identities"]} == {str(old), str(young)}
        assert {one["id"] for one in lines(archive, "conversations.jsonl")} == {str(first), str(second)}
        told = lines(archive, "events.jsonl")
        of = {name: [one["sequence"] for one in told if one["conversation"] == str(name)] for name in (first, second)}
        assert of == {first: list(range(1, people.PAGE + 3)), second: [1, 2, 3, 4]}
        assert b"somebody else" not in archive.read("events.jsonl")
        files = {one["blob"]: one for one in lines(archive, "files.jsonl")}
        assert archive.read(files[picture]["path"]) == PNG
        assert (files[picture]["name"], files[gone]["is_there"]) == ("a.png", False)
        assert foreign not in files


async def test_where_others_write_too_only_what_the_person_wrote_is_handed_out(house):
    one, other = uuid.uuid4(), uuid.uuid4()
    await person(house, one)
    await person(house, other)
    group = await add_conversation(house.pool, customer_id=one, container="c")
    elsewhere = await add_conversation(house.pool, customer_id=other, container="d")
    await said(house, group, 1, "mine")
    await said(house, group, 2, "another's", home=other)
    await said(house, elsewhere, 1, "another's")
    await said(house, elsewhere, 2, "mine elsewhere", home=one)
    told = lines(await exported(house, one), "events.jsonl")
    assert [event["data"]["message"]["parts"][0]["text"] for event in told] == ["mine", "mine elsewhere"]


async def test_who_is_not_known_is_not_handed_out(house):
    assert (await get(house, f"/api/customers/{uuid.uuid4()}/export", status=404))["error"]["code"] == "not_found"


async def test_half_of_a_person_does_not_look_like_all(house, monkeypatch):
    customer = uuid.uuid4()
    await person(house, customer)
    await said(house, await add_conversation(house.pool, customer_id=customer), 1, "x", blob=await stored(house, PNG))

    async def broken(*_):
        raise ConnectionError

    monkeypatch.setattr(house.deps.blobs, "get", broken)
    with pytest.raises(Exception, match=r"payload|closed|disconnected|reset"):
        await exported(house, customer)


async def test_so_many_are_handed_out_at_once_and_no_more(house):
    customer = uuid.uuid4()
    await person(house, customer)
    exports = people.Exports()
    with exports, exports, pytest.raises(people.Mistake, match="at the moment"), exports:
        pass
    with exports:
        pass


async def test_a_file_is_read_as_it_is_taken(house):
    """The first piece is there before the last row has been read."""
    customer = uuid.uuid4()
    await person(house, customer)
    whole = people.Person(house.pool, house.deps.blobs, customer, "default")
    async with aclosing(whole.zipped()) as chunks:
        first = await anext(chunks)
        await said(house, await add_conversation(house.pool, customer_id=customer), 1, "later")
        rest = [chunk async for chunk in chunks]
    archive = zipfile.ZipFile(io.BytesIO(b"".join([first, *rest])))
    assert b"later" in archive.read("events.jsonl")


async def test_persons_are_found_once_by_any_of_their_conversations_page_by_page(house):
    mark, made = uuid.uuid4().hex[:10], []
    for number in range(3):
        old, young = uuid.uuid4(), uuid.uuid4()
        await person(house, old, young)
        for one in (old, young):
            at = START + timedelta(minutes=number)
            row = await add_conversation(house.pool, name=f"សុខា {mark}", customer_id=one, last_at=at)
            await Index(house.settings, house.pool).look_at([], [row])
        made.append(str(old))
    first = await get(house, "/api/customers", params={"q": mark[2:9], "limit": 2})
    second = await get(house, "/api/customers", params={"q": mark[2:9], "limit": 2, "before": first["next"]})
    assert [one["id"] for one in first["customers"] + second["customers"]] == made[::-1]
    assert second["next"] is None
    assert len(first["customers"][0]["identities"]) == 2
    assert (await get(house, "/api/customers", params={"q": "x"}))["customers"] == []
    await get(house, "/api/customers", status=400)


async def test_every_query_stands_on_an_index(house):
    ids = [uuid.uuid4()]
    plans = {
        name: await plan(house, query, *given)
        for name, query, given in (
            ("find", people.FIND, (["ab"], None, "ab", None, None, 3)),
            ("person", people.PERSON, (ids[0], None)),
            ("members", people.MEMBERS, (ids[0],)),
            ("addresses", people.ADDRESSES, (ids,)),
            ("bonds", people.BONDS, (ids,)),
            ("consent", people.CONSENT, (ids,)),
            ("conversations", people.CONVERSATIONS, (ids, ids[0], 3)),
            ("own", people.OWN, (ids[0], 1, 3, ids)),
            ("elsewhere", people.ELSEWHERE, (ids, ids[0], 3)),
        )
    }
    assert [name for name, found in plans.items() if "Seq Scan" in found] == []
