"""What is older than its tenant keeps goes, nothing else does, and nobody who writes waits for it (docs/operations.md, Retention)."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.router import retention
from services.router.retention import Retention
from shared.contract.envelope import Media, Reaction, Text
from shared.runtime.settings import Kept, Settings
from shared.storage.blobs import Blobs, NotFound
from shared.storage.walks import Walks
from tests.living import living
from tests.patience import SECONDS, until
from tests.promises.house import Customer, House
from tests.promises.test_locks_and_facts import LOCK_CONVERSATION, elsewhere, until_waiting

Step = Callable[[Sequence[str]], Awaitable[Sequence[str]]]
DAYS = 60
LONG_AGO = timedelta(days=100)


async def to_the_end(step: Step) -> None:
    place = await step([])
    while place:
        place = await step(place)


def removing(house: House, customer: Customer, blobs: Blobs | None = None, **kept: int) -> Retention:
    """Of this customer's tenant; all others keep everything."""
    settings = house.settings.model_copy(update={"retention": {customer.tenant: Kept(**(kept or {"messages": DAYS}))}})
    return Retention(settings, house.pool, blobs or Blobs.open("memory:///"))


async def published(house: House, conversation: uuid.UUID) -> None:
    await house.pool.execute("DELETE FROM outbox WHERE conversation_id = $1", conversation)


async def age(house: House, conversation: uuid.UUID) -> None:
    """All that this conversation has had until now is long ago, and published."""
    for table, column in (("message", "at"), ("event", "at")):
        await house.pool.execute(
            f"UPDATE {table} SET {column} = {column} - $2::interval WHERE conversation_id = $1", conversation, LONG_AGO
        )
    await house.pool.execute(
        "UPDATE conversation SET opened_at = now() - $2::interval, last_at = now() - $2::interval WHERE id = $1",
        conversation,
        LONG_AGO,
    )
    await house.pool.execute(
        "UPDATE external_ref SET mentioned_at = now() - $2::interval WHERE tenant ="
        " (SELECT tenant FROM conversation WHERE id = $1)",
        conversation,
        LONG_AGO,
    )
    await published(house, conversation)


def now(customer: Customer, text: str = "now", **more: Any) -> Any:
    """A message of this very moment; the others of the house are long ago by the provider's clock."""
    moment = datetime.now(UTC)
    return customer.says(text, occurred_at=moment, received_at=moment, **more)


async def stand(house: House, conversation: uuid.UUID) -> Any:
    return await house.pool.fetchrow("SELECT * FROM conversation WHERE id = $1", conversation)


async def sequences(house: House, conversation: uuid.UUID) -> list[int]:
    return [event["sequence"] for event in await house.story(conversation)]


# messages and events --------------------------------------------------------------------------------------------------


async def test_what_is_older_goes_what_is_younger_stays_and_has_no_gap(house: House) -> None:
    customer, other = Customer(), Customer()
    house.allows(customer)
    conversation, theirs = await house.opened(customer), await house.opened(other)
    reply = await house.queued(customer, conversation)
    await house.take(customer.report(reply, "sent", "r1"))
    for one in (conversation, theirs):
        await age(house, one)
    await house.take(now(customer, "young"), now(other, "young"))
    for one in (conversation, theirs):
        await published(house, one)
    before = await sequences(house, theirs)
    await to_the_end(removing(house, customer).conversations)
    assert await house.types(conversation) == ["message.received"]
    (left,) = await sequences(house, conversation)
    found = await stand(house, conversation)
    assert (found["removed_to"], found["last_sequence"], found["preview"]) == (left - 1, left, "young")
    assert await house.pool.fetchval("SELECT count(*) FROM sending WHERE message_id = $1", reply) == 0
    assert await sequences(house, theirs) == before
    assert (await stand(house, theirs))["removed_to"] == 0


async def test_what_is_old_behind_something_that_is_kept_waits_for_it(house: House) -> None:
    """Two routers' clocks differ: what a consumer is shown goes up to a place in the sequence, whatever the clocks say."""
    customer = Customer()
    conversation = await house.opened(customer)
    await age(house, conversation)
    for text in ("young", "older by its clock"):
        await house.take(now(customer, text))
    await published(house, conversation)
    last = (await stand(house, conversation))["last_sequence"]
    await house.pool.execute(
        "UPDATE message SET at = at - $3::interval WHERE conversation_id = $1 AND sequence = $2",
        conversation,
        last,
        LONG_AGO,
    )
    await to_the_end(removing(house, customer).conversations)
    assert await sequences(house, conversation) == [last - 1, last]


async def test_who_took_part_is_told_as_long_as_the_conversation_stands(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    await house.pool.execute(
        """INSERT INTO event (conversation_id, sequence, id, type, tenant, at, body)
        VALUES ($1, 50, gen_random_uuid(), 'conversation.participant', $2, now(), '{}')""",
        conversation,
        customer.tenant,
    )
    await house.pool.execute("UPDATE conversation SET last_sequence = 50 WHERE id = $1", conversation)
    await age(house, conversation)
    await house.take(now(customer))
    await published(house, conversation)
    keeper = removing(house, customer)
    await to_the_end(keeper.conversations)
    assert await house.types(conversation) == ["conversation.participant", "message.received"]
    assert (await stand(house, conversation))["removed_to"] == 50
    await age(house, conversation)
    await house.pool.execute("UPDATE conversation SET oldest_at = NULL WHERE id = $1", conversation)
    await to_the_end(keeper.conversations)
    assert await stand(house, conversation) is None
    assert await house.story(conversation) == []


async def test_a_group_that_has_said_nothing_for_long_begins_anew_under_another_id(house: House) -> None:
    """Under its own it would give sequences again that consumers have seen, and would drop."""
    customer = Customer(container="a post")
    conversation = await house.opened(customer)
    await age(house, conversation)
    await to_the_end(removing(house, customer).conversations)
    assert await stand(house, conversation) is None
    assert await house.opened(customer, now(customer)) != conversation


async def test_a_customer_who_comes_back_is_who_they_were(house: House) -> None:
    customer = Customer()
    old = await house.opened(customer)
    who = (await stand(house, old))["customer_id"]
    await age(house, old)
    await to_the_end(removing(house, customer).conversations)
    new = await house.opened(customer, now(customer))
    assert new != old
    assert (await stand(house, new))["customer_id"] == who
    assert await house.take(customer.says(name="again")) and await house.conversations(customer) == [new]


async def test_ids_seen_are_kept(house: House) -> None:
    customer = Customer()
    said = customer.says(name="once")
    conversation = await house.opened(customer, said)
    await age(house, conversation)
    await to_the_end(removing(house, customer).conversations)
    await house.take(said)
    assert await house.conversations(customer) == []


async def test_what_is_not_published_yet_stays(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    row = await house.pool.fetchrow("SELECT * FROM outbox WHERE conversation_id = $1 LIMIT 1", conversation)
    await age(house, conversation)
    await house.pool.execute(
        "INSERT INTO outbox (conversation_id, sequence, topic) VALUES ($1, $2, $3)",
        conversation,
        row["sequence"],
        row["topic"],
    )
    keeper = removing(house, customer)
    before = await sequences(house, conversation)
    await to_the_end(keeper.conversations)
    assert await sequences(house, conversation) == before
    await published(house, conversation)
    await to_the_end(keeper.conversations)
    assert await house.conversations(customer) == []


async def test_no_transaction_removes_more_than_a_step(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Customer()
    people = [Customer(tenant=one.tenant, peer=f"person {n}") for n in range(3)]
    for person in people:
        conversation = await house.opened(person)
        await house.take(*(person.says(f"{n}") for n in range(8)))
        await age(house, conversation)
    monkeypatch.setattr(retention, "STEP", 3)
    await house.pool.execute(COUNTING)
    try:
        await to_the_end(removing(house, one).conversations)
        steps = await house.pool.fetch("SELECT count(*) FROM removal GROUP BY tx")
    finally:
        await house.pool.execute("DROP TABLE removal; DROP FUNCTION note_removal CASCADE")
    assert await house.conversations(one) == []
    assert sum(row[0] for row in steps) == 3 * (2 + 8)
    assert max(row[0] for row in steps) == 3


COUNTING = """
CREATE TABLE removal (id uuid, tx xid8);
CREATE FUNCTION note_removal() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO removal VALUES (OLD.conversation_id, pg_current_xact_id()); RETURN OLD; END $$;
CREATE TRIGGER note_removal BEFORE DELETE ON message FOR EACH ROW EXECUTE FUNCTION note_removal();
CREATE TRIGGER note_removal BEFORE DELETE ON event FOR EACH ROW EXECUTE FUNCTION note_removal();"""


# beside the live ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lock",
    [LOCK_CONVERSATION, "SELECT FROM external_ref WHERE conversation_id = $1 FOR UPDATE"],
    ids=["the conversation", "the name that leads to it"],
)
async def test_what_a_batch_holds_is_left_without_waiting(house: House, lock: str) -> None:
    customer = Customer(container="a group")
    conversation = await house.opened(customer)
    await age(house, conversation)
    keeper = removing(house, customer)
    async with elsewhere(house) as batch:
        await batch.execute(lock, conversation)
        async with asyncio.timeout(SECONDS):
            await to_the_end(keeper.conversations)
            await to_the_end(keeper.references)
    assert await stand(house, conversation) is not None
    await to_the_end(keeper.conversations)
    assert await stand(house, conversation) is None


async def test_a_batch_that_waited_for_it_sees_the_conversation_gone_and_opens_another(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, customer.says(name="first"))
    await age(house, conversation)
    late = customer.says("about the first", name="late", thread={"reply_to": "first"})
    async with elsewhere(house) as keeper:
        await keeper.execute(LOCK_CONVERSATION, conversation)
        waiting = asyncio.create_task(house.take(late))
        await until_waiting(house, keeper)
        for table in ("message", "event"):
            await keeper.execute(f"DELETE FROM {table} WHERE conversation_id = $1", conversation)
        await keeper.execute("DELETE FROM conversation WHERE id = $1", conversation)
    facts = await waiting
    assert [one.id for one in facts.opened] == await house.conversations(customer) != [conversation]


async def test_while_everybody_writes_nobody_is_turned_away_and_nothing_said_is_lost(house: House) -> None:
    """All that is there goes at once, again and again, while many batches write into the same conversations."""
    one = Customer()
    people = [Customer(tenant=one.tenant, container=f"group {n}") for n in range(6)]
    for person in people:
        await age(house, await house.opened(person))
    keeper = removing(house, one)
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = await house.pool.fetchval(deadlocks)
    said: set[str] = set()
    over = asyncio.Event()

    async def remove() -> None:
        while not over.is_set():
            await to_the_end(keeper.conversations)
            await to_the_end(keeper.references)
            await asyncio.sleep(0.01)

    async def write(batch: int) -> None:
        for turn in range(8):
            texts = [f"{batch} {turn} {n}" for n in range(len(people))]
            said.update(texts)
            order = people if batch % 2 else people[::-1]
            await house.handle(*(now(person, text) for person, text in zip(order, texts, strict=True)))

    removing_all = asyncio.create_task(remove())
    async with asyncio.timeout(2 * SECONDS):
        await asyncio.gather(*map(write, range(3)))
    over.set()
    await removing_all
    stories = [await house.story(conversation) for conversation in await house.conversations(one)]
    heard = {event["message"]["parts"][0]["text"] for story in stories for event in story if "message" in event}
    assert said <= heard
    assert all([e["sequence"] for e in s] == list(range(s[0]["sequence"], s[-1]["sequence"] + 1)) for s in stories)
    await house.pool.execute("SELECT pg_stat_force_next_flush()")
    assert await house.pool.fetchval(deadlocks) == before


# names that providers gave -------------------------------------------------------------------------------------------


async def names(house: House, customer: Customer) -> set[str]:
    rows = await house.pool.fetch("SELECT external_id FROM external_ref WHERE tenant = $1", customer.tenant)
    return {row[0] for row in rows}


async def test_a_name_goes_once_it_is_old_and_leads_nowhere(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, customer.says(name="old"))
    await house.take(customer.edits("never came", minutes=1))
    await age(house, conversation)
    await house.take(now(customer, name="young"), customer.edits("came late", minutes=2))
    await published(house, conversation)
    keeper = removing(house, customer)
    await to_the_end(keeper.references)
    assert await names(house, customer) == {"old", "young", "came late"}
    await to_the_end(keeper.conversations)
    await to_the_end(keeper.references)
    assert await names(house, customer) == {"young", "came late"}


async def test_what_was_sent_counts_for_a_cap_no_longer_than_the_longest(house: House) -> None:
    customer, cause = uuid.uuid4(), uuid.uuid4()
    for ago, one in ((timedelta(days=8), uuid.uuid4()), (timedelta(days=6), cause)):
        row = "INSERT INTO proactive VALUES ($1, $2, now() - $3::interval, 'marketing')"
        await house.pool.execute(row, customer, one, ago)
    await to_the_end(removing(house, Customer()).counted)
    left = await house.pool.fetch("SELECT cause FROM proactive WHERE customer_id = $1", customer)
    assert [row["cause"] for row in left] == [cause]


async def test_a_name_that_is_said_again_is_not_old(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    await house.take(customer.edits("never came", minutes=1))
    await age(house, conversation)
    reaction = customer.says(name="r", parts=(Reaction(target="never came", emoji="👍"),), external_id=None)
    await house.take(reaction)
    await to_the_end(removing(house, customer).references)
    assert "never came" in await names(house, customer)


# files ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


async def stored(blobs: Blobs, folder: Path, tenant: str, content: bytes, *, old: bool = True) -> str:
    """A file that was put there long ago, or now."""
    ref = (await blobs.put_bytes(tenant, content)).ref
    if old:
        moment = (datetime.now(UTC) - LONG_AGO).timestamp()
        os.utime(folder / ref, (moment, moment))
    return ref


async def is_there(blobs: Blobs, ref: str) -> bool:
    try:
        return await blobs.size(ref) > 0
    except NotFound:
        return False


def with_file(customer: Customer, ref: str, *, name: str) -> Any:
    return now(customer, name=name, parts=(Text(text="see"), Media(media="file", state="stored", blob=ref)))


async def test_a_file_goes_after_the_last_message_that_uses_it(house: House, folder: Path) -> None:
    customer = Customer()
    blobs = Blobs.open(folder.as_uri())
    shared, whole = [await stored(blobs, folder, customer.tenant, content) for content in (b"shared", b"raw")]
    conversation = await house.opened(customer, with_file(customer, shared, name="1").model_copy(update={"raw": whole}))
    await age(house, conversation)
    await house.take(with_file(customer, shared, name="2"))
    await published(house, conversation)
    keeper = removing(house, customer, blobs)
    await keeper.files([])
    assert [await is_there(blobs, ref) for ref in (shared, whole)] == [True, True]
    await to_the_end(keeper.conversations)
    await keeper.files([])
    assert [await is_there(blobs, ref) for ref in (shared, whole)] == [True, False]
    await age(house, conversation)
    await house.pool.execute("UPDATE conversation SET oldest_at = NULL WHERE id = $1", conversation)
    await to_the_end(keeper.conversations)
    await keeper.files([])
    assert not await is_there(blobs, shared)


async def test_nobody_keeps_or_removes_a_file_by_writing_its_name(house: House, folder: Path) -> None:
    customer = Customer()
    blobs = Blobs.open(folder.as_uri())
    ref = await stored(blobs, folder, customer.tenant, b"named only")
    await house.opened(customer, now(customer, f'{{"blob":"{ref}"}}'))
    await house.take(with_file(customer, "x" * 5000, name="a name as long as somebody likes"))
    await removing(house, customer, blobs).files([])
    assert not await is_there(blobs, ref)


async def test_only_old_files_of_whoever_does_not_keep_them_go(house: House, folder: Path) -> None:
    customer, other = Customer(tenant=f"a.b/ü {uuid.uuid4().hex[:8]}"), Customer()
    blobs = Blobs.open(folder.as_uri())
    theirs = await stored(blobs, folder, other.tenant, b"of another tenant")
    young = await stored(blobs, folder, customer.tenant, b"not sent yet", old=False)
    never = await stored(blobs, folder, customer.tenant, b"never sent")
    await removing(house, customer, blobs).files([])
    assert [await is_there(blobs, ref) for ref in (theirs, young, never)] == [True, True, False]


async def test_what_a_stream_that_was_cut_off_left_behind_goes_and_one_under_way_stays(
    house: House, folder: Path
) -> None:
    blobs = Blobs.open(folder.as_uri())
    tenant = await stored(blobs, folder, "incoming", b"of a tenant that is called so")
    cut, under_way = [folder / "incoming" / uuid.uuid4().hex for _ in range(2)]
    for file in (cut, under_way):
        file.write_bytes(b"half")
    moment = (datetime.now(UTC) - LONG_AGO).timestamp()
    os.utime(cut, (moment, moment))
    await removing(house, Customer(), blobs).files([])
    assert (cut.exists(), under_way.exists(), await is_there(blobs, tenant)) == (False, True, True)


async def test_files_may_be_kept_for_a_shorter_time_than_the_messages(house: House, folder: Path) -> None:
    customer = Customer()
    blobs = Blobs.open(folder.as_uri())
    old, young = [await stored(blobs, folder, customer.tenant, content) for content in (b"old", b"young")]
    conversation = await house.opened(customer, with_file(customer, old, name="1"))
    await age(house, conversation)
    await house.take(with_file(customer, young, name="2"))
    before = await sequences(house, conversation)
    keeper = removing(house, customer, blobs, media=DAYS)
    await to_the_end(keeper.conversations)
    await keeper.files([])
    assert [await is_there(blobs, ref) for ref in (old, young)] == [False, True]
    assert await sequences(house, conversation) == before


async def test_a_file_that_somebody_sends_in_that_very_moment_comes_back(
    house: House, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = Customer()
    blobs = Blobs.open(folder.as_uri())
    ref, unused = [await stored(blobs, folder, customer.tenant, content) for content in (b"sent again", b"not")]
    keeper = removing(house, customer, blobs)
    await keeper.files([])
    assert not await is_there(blobs, ref)
    await house.opened(customer, with_file(customer, ref, name="1"))
    await keeper.files([])
    assert not await is_there(blobs, ref), "a batch may take a while: it lies aside for a day"
    monkeypatch.setattr(retention, "ASIDE", timedelta(seconds=-1))
    await keeper.files([])
    assert [await is_there(blobs, one) for one in (ref, unused)] == [True, False]
    assert [found async for found in blobs.aside()] in ([], [[]])


async def test_who_puts_a_file_there_again_keeps_it(folder: Path) -> None:
    blobs = Blobs.open(folder.as_uri())
    ref = await stored(blobs, folder, "t", b"asked for in between")
    before = datetime.now(UTC) - timedelta(days=DAYS)
    await blobs.put_bytes("t", b"asked for in between")
    assert not await blobs.put_aside(ref, before)
    assert await is_there(blobs, ref)


# off, and on its way --------------------------------------------------------------------------------------------------


async def test_without_a_setting_everything_stays(house: House, folder: Path) -> None:
    customer = Customer()
    blobs = Blobs.open(folder.as_uri())
    ref = await stored(blobs, folder, customer.tenant, b"kept")
    conversation = await house.opened(customer)
    await age(house, conversation)
    before = await sequences(house, conversation), await names(house, customer)
    keeper = Retention(house.settings, house.pool, blobs)
    for step in (keeper.conversations, keeper.references, keeper.files):
        await to_the_end(step)
    assert (await sequences(house, conversation), await names(house, customer)) == before
    assert await is_there(blobs, ref)


async def test_a_walk_goes_on_where_it_stood_and_rests_for_a_day_after_its_end(house: House) -> None:
    places: list[Sequence[str]] = []
    fails = [False, True, False, False, False]

    async def step(place: Sequence[str]) -> Sequence[str]:
        places.append(place)
        if fails.pop(0):
            raise RuntimeError
        return ["half", "way"] if not place else []

    name = uuid.uuid4().hex
    with pytest.raises(RuntimeError):
        await Walks(house.pool, "test", {}).walk(name, step)
    await Walks(house.pool, "test", {}).walk(name, step)
    assert places == [[], ["half", "way"], ["half", "way"]]
    await Walks(house.pool, "test", {}).walk(name, step)
    assert len(places) == 3
    await house.pool.execute("UPDATE walk SET ended_at = now() - interval '25 hours' WHERE name = $1", name)
    await Walks(house.pool, "test", {}).walk(name, step)
    assert places[3] == []


AGE = """
UPDATE router.message SET at = at - interval '100 days';
UPDATE router.event SET at = at - interval '100 days';
UPDATE router.conversation SET (opened_at, last_at) = (opened_at - interval '100 days', last_at - interval '100 days');
DELETE FROM router.outbox;
DELETE FROM router.walk;
DELETE FROM chat_adapter.walk;
INSERT INTO chat_adapter.webchat_visitor VALUES ('shop', 'visitor:v', 1);
INSERT INTO chat_adapter.webchat_message VALUES ('shop', 'visitor:v', 1, 'x', 'inbound', '{}', now() - interval '100 days');"""
LEFT = """
SELECT (SELECT count(*) FROM router.conversation) + (SELECT count(*) FROM router.message)
    + (SELECT count(*) FROM router.event) + (SELECT count(*) FROM chat_adapter.webchat_message)"""


async def test_services_that_are_told_so_remove_what_is_old_and_go_on(world: Settings) -> None:
    kept = world.model_copy(update={"retention": {"*": Kept(messages=90)}})
    connection = await asyncpg.connect(world.database.get_secret_value())
    async with living(kept) as system:
        with Path(world.accounts).open("a") as accounts:
            accounts.write(f'[apps.webchat.shop]\nsecret = "{"s" * 40}"\n[accounts.webchat.shop]\n')
        await system.start()
        await system.say("long ago")
        await until(system.said)
        await system.stop()
        await connection.execute(AGE)
        await system.start()

        async def is_gone() -> bool:
            return await connection.fetchval(LEFT) == 0

        await until(is_gone)
        await system.say("today")

        async def is_heard() -> bool:
            return "today" in await system.said()

        await until(is_heard)
        assert await connection.fetchval("SELECT count(*) FROM router.conversation") == 1
        await system.stop()
    await connection.close()
