"""Words of messages, names and addresses are found in every script, page by page, by whoever may see them."""

import hashlib
import uuid
from datetime import timedelta

import orjson
import pytest

from services.router.api import search
from services.router.api.tail import open_tail
from services.router.search import index, words
from services.router.search.index import Index
from shared.bus import cloudevents
from shared.contract.records import EVENTS
from tests.services.router.served import START, add_conversation, add_event, get, open_house


@pytest.fixture(scope="module")
async def house(servers, tmp_path_factory):
    file = tmp_path_factory.mktemp("tokens") / "tokens.toml"
    digest = hashlib.sha256(b"cafe").hexdigest()
    file.write_text(f'[cafe]\nsha256 = "{digest}"\ntenants = ["cafe"]\nscope = "read"\n')
    async with open_house(servers, tmp_path_factory.mktemp("blobs"), tokens=str(file)) as opened:
        yield opened


async def said(house, text, *, at=START, conversation=None, tenant="default", sequence=1, look=True, **message):
    """A message as the router stores it; `look`: indexed by the daily walk."""
    conversation = conversation or await add_conversation(house.pool, tenant=tenant)
    id_ = uuid.uuid4()
    data = {"message": {"id": str(id_), "parts": [{"kind": "text", "text": text}], **message}}
    await add_event(house.pool, conversation, sequence, "message.received", data, message=id_, at=at, tenant=tenant)
    if look:
        await walk(house)
    return id_


async def walk(house):
    filling, place = Index(house.settings, house.pool), ()
    while place := await filling.missed(place):
        pass


async def found(house, q, **query):
    page = await get(house, "/api/search", params={"q": q, **query})
    return [one["id"] for one in page["messages"]]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Where is my Parcel?", "parcel"),
        ("តើការដឹកជញ្ជូនមកដល់ថ្ងៃណា?", "ដឹកជញ្ជូន"),
        ("พรุ่งนี้ร้านเปิดกี่โมงครับ", "ร้าน"),
        ("我想退货这双鞋子", "退货"),
        ("Il café è già chiuso", "CAFE gia"),
        ("ask dara.sok@example.com please", "sok@example.com"),
        ("It costs ៛20,000 (order №A-7731)", "a-7731"),
        ("un\u00adbreakable", "unbreakable"),
        ("a word of " + "z" * 500, "z" * 100),
    ],
)
async def test_words_are_found_in_every_script(house, text, asked):
    message = await said(house, text)
    assert str(message) in await found(house, asked)


@pytest.mark.parametrize(
    ("text", "asked"),
    [("pay the invoice", "invoices"), ("red blue", "red green"), ("example.org com", "example.com"), ("a' b\\", "c'")],
)
async def test_other_words_are_not(house, text, asked):
    message = await said(house, text)
    assert str(message) not in await found(house, asked)


@pytest.mark.parametrize("asked", ["'", "\\", "a & | ! ( ) : * <-> b", "a':b", "'=t'", "=d20260102 | x", "!!!", "🙏"])
async def test_whatever_is_asked_is_words_and_nothing_else(house, asked):
    await found(house, asked)


async def test_who_wrote_the_subject_and_names_of_files_are_words_too(house):
    mark = f"w{uuid.uuid4().hex[:10]}"
    sender = {"name": f"Sokha {mark}1", "address": f"{mark}2@example.org"}
    parts = [{"kind": "media", "name": f"{mark}3.pdf", "caption": f"{mark}4"}]
    message = await said(house, "", sender=sender, thread={"subject": f"Re: {mark}5"}, parts=parts)
    for number in range(1, 6):
        assert await found(house, f"{mark}{number}") == [str(message)]


async def test_pages_join_newest_first_across_days_months_and_years(house):
    mark = f"p{uuid.uuid4().hex[:10]}"
    days = [0, 0, 0, 1, 2, 29, 30, 31, 45, 200, 400]
    made = [
        await said(house, f"{mark} no {number}", at=START - timedelta(days=day, seconds=number), look=False)
        for number, day in enumerate(days)
    ]
    await walk(house)
    seen, before = [], ""
    while True:
        page = await get(house, "/api/search", params={"q": mark, "limit": 2, "before": before})
        seen += [one["id"] for one in page["messages"]]
        before = page["next"]
        if not before:
            break
    assert seen == list(map(str, made))


async def test_a_message_tells_where_it_stands_and_what_was_found_in_it(house):
    conversation = await add_conversation(house.pool, name="Dara", subject="Order 7", channel="telegram", account="bot")
    before = "so many words before it that they do not all fit into an excerpt of this length "
    message = await said(house, f"{before}the Parcel, my parcel is late", conversation=conversation, sequence=3)
    page = await get(house, "/api/search", params={"q": "PARCEL late"})
    [one] = [one for one in page["messages"] if one["id"] == str(message)]
    assert (one["conversation"], one["sequence"], one["channel"], one["name"], one["subject"]) == (
        str(conversation), 3, "telegram", "Dara", "Order 7")  # fmt: skip
    assert [piece["text"] for piece in one["excerpt"] if piece["found"]] == ["Parcel", "parcel", "late"]
    assert (before + "the Parcel, my parcel is late").endswith("".join(piece["text"] for piece in one["excerpt"]))
    assert str(message) in await found(house, "parcel", channel="telegram")
    assert str(message) not in await found(house, "parcel", channel="email")


async def test_conversations_are_found_by_a_part_of_name_address_or_subject(house):
    mark = uuid.uuid4().hex[:12]
    conversation = await add_conversation(
        house.pool, name="សុខា ចាន់ Éloïse", peer=f"{mark}@example.org", subject="On 退货 x"
    )
    await said(house, "hello", conversation=conversation)
    for asked in ("ខា ច", "elois", mark[2:9], "退货", f"{mark}@EXAMPLE"):
        page = await get(house, "/api/search", params={"q": asked})
        assert str(conversation) in [one["id"] for one in page["conversations"]], asked
    for asked, channel in (("eloisa", "webchat"), (mark, "email")):
        page = await get(house, "/api/search", params={"q": asked, "channel": channel})
        assert str(conversation) not in [one["id"] for one in page["conversations"]]


async def test_nobody_finds_what_is_another_tenants(house):
    mark = f"t{uuid.uuid4().hex[:10]}"
    for tenant in ("cafe", "default"):
        conversation = await add_conversation(house.pool, name=f"{mark} {tenant}", tenant=tenant)
        await said(house, f"{mark} {tenant}", conversation=conversation, tenant=tenant)
    async with house.client.get("/api/search", params={"q": mark}, headers={"Authorization": "Bearer cafe"}) as answer:
        page = await answer.json()
    for kind in ("messages", "conversations"):
        assert [one["tenant"] for one in page[kind]] == ["cafe"]
    assert len((await get(house, "/api/search", params={"q": mark}))["messages"]) == 2


@pytest.mark.parametrize(
    "query", ["", "q=", "q=+", "q=%00", f"q={'a' * 201}", "q=a&channel=smoke", "q=a&before=x", "q=a&limit=x"]
)
async def test_what_is_no_question_is_refused(house, query):
    assert (await get(house, f"/api/search?{query}", status=400))["error"]["code"] == "malformed"


async def test_a_page_that_ends_at_the_end_of_all_times_is_found_in_a_moment(house):
    await said(house, "far away")
    row = {"place": START.replace(year=9999), "id": uuid.uuid4()}
    assert await found(house, "faraway", before=search.write_cursor(row)) == []


async def test_what_happens_is_followed_and_goes_on_where_it_stood(house):
    filling, mark = Index(house.settings, house.pool), f"f{uuid.uuid4().hex[:10]}"
    message = await said(house, f"{mark} one", look=False)
    for id_, name, value in (
        (message, "message.received", {}),
        (uuid.uuid4(), "message.status", {"message_id": str(message)}),
        (uuid.uuid4(), "message.edited", {"message_id": None}),
        ("no id", "message.received", {}),
        (uuid.uuid4(), "message.edited", {"message_id": "no id"}),
        (uuid.uuid4(), "message.deleted", []),
        (uuid.uuid4(), "conversation.opened", {}),
    ):
        headers = cloudevents.headers(name, source="/t", id=str(id_), time=START, tenant="default", subject="x")
        out = cloudevents.Out(house.settings.topic(EVENTS), b"c", orjson.dumps(value), headers)
        await house.producer.send(out)
    async with open_tail(house.settings, "beginning") as tail:
        await filling.follow(tail, until_quiet=True)
        stands = dict(tail.positions)
    assert await found(house, mark) == [str(message)]
    assert await filling._place() == stands


async def test_a_walk_forgets_what_is_gone_and_looks_again_at_nothing(house):
    mark = f"g{uuid.uuid4().hex[:10]}"
    message = await said(house, mark)
    await house.pool.execute("DELETE FROM message WHERE id = $1", message)
    assert await found(house, mark) == []  # at once
    await walk(house)
    assert not await house.pool.fetchval("SELECT count(*) FROM indexed_message WHERE message_id = $1", message)


async def plan(house, query, *given):
    """How PostgreSQL answers, as a router's own connection asks."""
    async with house.pool.acquire() as connection:
        lines = await connection.fetch(f"EXPLAIN {query}", *given)
    return "\n".join(line[0] for line in lines)


async def test_every_query_stands_on_an_index(house):
    ids = [uuid.uuid4()]
    plans = {
        name: await plan(house, query, *given)
        for name, query, given in (
            ("find", search.FIND, ("'a'", None, None, 3)),
            ("oldest", search.OLDEST, ()),
            ("show", search.SHOW, (ids, None)),
            ("called", search.CALLED, (["ab"], "ab", None, None, 3)),
            ("standing", index.STANDING, (ids,)),
            ("names", index.NAMES, (ids,)),
            ("next", index.NEXT, (ids[0], 3)),
            ("forget", index.FORGET, (ids[0], ids[0])),
        )
    }
    assert [name for name, lines in plans.items() if "Seq Scan" in lines] == []
    assert "indexed_message_words" in plans["find"]
    assert "indexed_conversation_grams" in plans["called"]


def test_a_long_text_is_looked_at_as_far_as_its_bound():
    assert words.document(["word " * 100_000], []).count(":") == words.MOST // 5
    assert words.document(["x " * 9_000, "y " * 9_000], []).count(":") <= words.MOST_WORDS
