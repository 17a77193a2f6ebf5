"""`parley search`, `parley export` and `parley trace` on the API as it is."""

import asyncio
import json
import uuid
import zipfile

import pytest
from typer.testing import CliRunner

from services.cli.__main__ import app
from services.router.search.index import Index
from tests.services.router.served import START, TOKEN, add_conversation, insert, open_house
from tests.services.router.test_search import said


@pytest.fixture(scope="module")
async def house(servers, tmp_path_factory):
    async with open_house(servers, tmp_path_factory.mktemp("blobs")) as opened:
        yield opened


async def parley(house, *words):
    address = str(house.client.make_url("/")).rstrip("/")
    environment = {"PARLEY_KAFKA": "127.0.0.1:9", "PARLEY_TOKEN": TOKEN, "PARLEY_ROUTER": address}
    return await asyncio.to_thread(CliRunner().invoke, app, list(words), env=environment)


async def test_a_search_goes_on_page_by_page_up_to_its_most(house):
    conversation = await add_conversation(house.pool, name="Sokha bicycle")
    for number in range(60):
        await said(
            house, f"a bicycle {number}\u202e\n\x1b[31m", conversation=conversation, sequence=number + 1, look=False
        )
    filling = Index(house.settings, house.pool)
    await filling.missed(())
    await filling.look_at([], [conversation])
    told = await parley(house, "search", "bicycle", "--most", "55")
    assert (told.exit_code, told.output.count("\n")) == (0, 56), told.output
    assert not {"\x1b", "\u202e"} & set(told.output)
    assert (await parley(house, "search", "nobodysaidthis")).exit_code == 3
    assert (await parley(house, "search", "x", "--channel", "smoke")).exit_code == 2


async def test_a_person_is_written_whole_or_not_at_all(house, tmp_path):
    conversation = await add_conversation(house.pool)
    customer = await house.pool.fetchval("SELECT customer_id FROM conversation WHERE id = $1", conversation)
    await insert(house.pool, "customer", {"id": customer, "tenant": "default"})
    await said(house, "hello", conversation=conversation)
    file = tmp_path / "person.zip"
    assert (await parley(house, "export", str(customer), str(file))).exit_code == 0
    assert b"hello" in zipfile.ZipFile(file).read("events.jsonl")
    assert (await parley(house, "export", str(customer), str(file))).exit_code == 2
    assert (await parley(house, "export", str(conversation), str(tmp_path / "no.zip"))).exit_code == 3
    assert list(tmp_path.iterdir()) == [file]


async def test_a_trace_says_whose_a_message_is_and_what_joins_them_to_the_person(house):
    """The conversation began with the phone, which is joined to the shop's login, which is joined to the oldest, the mail."""
    mail, login, phone = ids = [uuid.uuid4() for _ in range(3)]
    for one, kind, name in zip(ids, ("email", "shop", "phone"), ("Ann", None, "Ann\x1b[31m\nAnn"), strict=True):
        await insert(
            house.pool, "customer", {"id": one, "tenant": "default", "merged_into": None if one == mail else mail}
        )
        address = {"tenant": "default", "kind": kind, "value": f"{one}", "name": name, "customer_id": one}
        await insert(house.pool, "identity", address)
    for a, b, live in ((phone, login, True), (login, mail, True), (phone, mail, False)):
        a, b = sorted((a, b))
        about = {
            "source": "proved",
            "n": 1,
            "live": live,
            "cause": "r-1",
            "reason": "shop: the provider says so",
            "at": START,
        }
        await insert(house.pool, "bond", {"a": a, "b": b, **about})
    conversation = await add_conversation(house.pool, customer_id=phone)
    message = await said(house, "hello", conversation=conversation, look=False)
    for name in (message, conversation):
        (traced,) = json.loads((await parley(house, "trace", str(name), "--json")).output)
        whose = traced["whose"]
        assert (whose["home"], whose["person"], whose["identities"][0]["kind"]) == (str(phone), str(mail), "phone")
        assert [{bond["a"], bond["b"]} for bond in whose["bonds"]] == [
            {str(phone), str(login)},
            {str(login), str(mail)},
        ]
    for told in (await parley(house, "trace", str(message)), await parley(house, "customer", "show", str(mail))):
        assert told.exit_code == 0
        assert "proved, shop: the provider says so (r-1" in told.output
        assert not {"\x1b"} & set(told.output)
        assert "\nAnn" not in told.output
    alone = await said(house, "hello", look=False)
    assert "no longer knows with whom" in (await parley(house, "trace", str(alone))).output
