"""What the desk lists: each filter finds what it names, in its order, page by page, on an index."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from services.router.api.threads import listing
from tests.services.router.served import START, add_conversation, get, open_house

FAILURE = {"message": str(uuid.uuid4()), "status": "failed", "at": START.isoformat()}
FOUND = {
    "waiting": {"waiting_since": START},
    "unread": {"unread_from": 2},
    "failed": {"failure": FAILURE},
    "assignee": {"assignee": "Sophea"},
    "tag": {"tags": ["vip", "ការបញ្ជាទិញ"]},
    "status": {"status": "closed"},
    "channel": {"channel": "telegram"},
    "account": {"channel": "telegram", "account": "shop"},
}
ASKED = {
    "waiting": {"waiting": "1"},
    "unread": {"unread": "1"},
    "failed": {"failed": "true"},
    "assignee": {"assignee": "Sophea"},
    "tag": {"tag": "ការបញ្ជាទិញ"},
    "status": {"status": "closed"},
    "channel": {"channel": "telegram"},
    "account": {"channel": "telegram", "account": "shop"},
}
INDEXES = {
    "waiting": "conversation_waiting",
    "unread": "conversation_unread",
    "failed": "conversation_failed",
    "assignee": "conversation_assignee",
    "tag": "conversation_tags",
    "status": "conversation_closed",
    "channel": "conversation_channel",
    "account": "conversation_account",
}


@pytest.fixture(scope="module")
async def house(servers, tmp_path_factory):
    async with open_house(servers, tmp_path_factory.mktemp("blobs")) as opened:
        yield opened


@pytest.mark.parametrize("name", FOUND)
async def test_a_filter_finds_what_it_names_and_nothing_else(house, name):
    tenant_mark = uuid.uuid4().hex
    for beside in FOUND.keys() - {name}:
        if not (name == "channel" and beside == "account"):
            await add_conversation(house.pool, peer=tenant_mark, **FOUND[beside])
    mine = await add_conversation(house.pool, peer=tenant_mark, **FOUND[name])
    found = await get(house, "/api/conversations", params={"q": tenant_mark, **ASKED[name]})
    assert [row["id"] for row in found["conversations"]] == [str(mine)]


async def test_who_has_waited_longest_comes_first_on_every_page(house):
    mark = uuid.uuid4().hex
    made = [
        await add_conversation(house.pool, peer=mark, waiting_since=START + timedelta(seconds=number // 2))
        for number in range(7)
    ]
    seen, before = [], ""
    while before is not None:
        asked = {"limit": 3, "q": mark, "waiting": "1", "before": before}
        page = await get(house, "/api/conversations", params=asked)
        seen += [(row["waiting_since"], row["id"]) for row in page["conversations"]]
        before = page["next"]
    assert seen == sorted(seen)
    assert {one for _, one in seen} == set(map(str, made))


async def test_a_row_says_what_the_desk_works_with(house):
    responses = {"first": 2.5, "last": 1.0, "total": 3.5, "count": 2}
    mine = await add_conversation(house.pool, priority="high", responses=responses, **FOUND["tag"], **FOUND["failed"])
    row = await get(house, f"/api/conversations/{mine}")
    assert (row["tags"], row["priority"], row["responses"]) == (["vip", "ការបញ្ជាទិញ"], "high", responses)
    assert row["failure"] == FAILURE
    plain = await get(house, f"/api/conversations/{await add_conversation(house.pool)}")
    assert (plain["tags"], plain["assignee"], plain["waiting_since"], plain["unread_from"]) == ([], None, None, None)


@pytest.mark.parametrize(
    "asked", ["waiting=maybe", "status=merged", "account=shop", "tag=%00", "assignee=" + "a" * 256]
)
async def test_what_is_no_filter_is_refused(house, asked):
    assert (await get(house, f"/api/conversations?{asked}", status=400))["error"]["code"] == "malformed"


@pytest.mark.parametrize("name", ["", *FOUND])
async def test_every_list_is_read_from_an_index_and_sorts_nothing_but_labels(house, name):
    query, given, _ = listing(ASKED.get(name, {}), None)
    async with house.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        await connection.execute(f"SET LOCAL {'enable_indexscan' if name == 'tag' else 'enable_sort'} = off")
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {query}", 51, *given))
    assert INDEXES.get(name, "conversation_listed") in plan
    assert "Seq Scan on conversation" not in plan
    assert ("Sort" in plan) == (name == "tag")
