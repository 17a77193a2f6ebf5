"""A person who is erased stays erased: nothing of theirs is found anywhere, nothing old brings them back, and who comes later is somebody new."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.router.batch import service, write
from services.router.erasing import Erasures
from services.router.fold.facts import IdentityKey
from services.router.fold.identity import new_customer
from services.router.retention import Retention
from services.router.search.index import Index
from shared.bus import cloudevents
from shared.contract.deliveries import Forget
from shared.contract.envelope import Envelope, Media, Party, Proof, Text
from shared.contract.records import RECORDS
from shared.contract.requests import Erase, Merge, Send, SetConsent
from shared.storage.blobs import Blobs, NotFound
from tests.patience import until
from tests.promises.house import Customer, House, as_read, at

WORDS = "the quick brown heron"
PHONE = "+85512345678"


def now() -> datetime:
    return datetime.now(UTC)


def someone(tenant: str = "") -> Customer:
    return Customer(tenant or Customer().tenant, peer=f"ann-of-the-rivers-{uuid.uuid4().hex[:6]}")


def says(customer: Customer, text: str = WORDS, **more: Any) -> Envelope:
    """Received just now, or when `more` says."""
    return customer.says(text, **({"received_at": now(), "occurred_at": now()} | more))


async def home(house: House, customer: Customer) -> uuid.UUID | None:
    found: uuid.UUID | None = await house.pool.fetchval(
        "SELECT customer_id FROM identity WHERE tenant = $1 AND value = $2", customer.tenant, customer.peer
    )
    return found


def asked(customer: Customer, one: uuid.UUID | None, id_: str = "") -> cloudevents.In:
    assert one is not None
    return as_read(Erase(tenant=customer.tenant, customer=one, reason="they asked", by="bopha"), id_=id_ or None)


async def erase(house: House, customer: Customer, id_: str = "") -> uuid.UUID:
    one = await home(house, customer)
    await house.take(asked(customer, one, id_))
    assert one is not None
    return one


def behind(house: House, blobs: Blobs | None = None) -> Erasures:
    retention = Retention(house.settings, house.pool, blobs or Blobs.open("memory:///"))
    return Erasures(house.pool, Index(house.settings, house.pool), retention)


async def finish(house: House, blobs: Blobs | None = None) -> None:
    """All that is behind, while whatever it waits for happens: rows are published, what is due is refused."""
    work = behind(house, blobs)
    while await house.pool.fetchval("SELECT EXISTS (SELECT FROM erasure WHERE done_at IS NULL)"):
        await house.pool.execute("DELETE FROM outbox")
        if due := await house.pool.fetch("SELECT entity, kind FROM alarm WHERE due <= now() AND kind = 'request'"):
            await house.router.fire([service.Fired(row["entity"], row["kind"], now()) for row in due])
        await work.step()
    while await work.step():
        pass


async def found(house: House, *words: str) -> dict[str, list[str]]:
    """Every column of every table of the router in which these stand."""
    columns = await house.pool.fetch(
        """SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema()
        AND data_type NOT IN ('uuid', 'bigint', 'integer', 'smallint', 'boolean', 'timestamp with time zone')"""
    )
    said: dict[str, list[str]] = {}
    for table, column, kind in map(tuple, columns):
        plain = f"encode({column}, 'escape')" if kind == "bytea" else f'"{column}"::text'
        for word in words:
            if await house.pool.fetchval(
                f"SELECT EXISTS (SELECT FROM {table} WHERE position($1 IN {plain}) > 0)", word
            ):
                said.setdefault(f"{table}.{column}", []).append(word)
    return said


async def refusal(house: House, record: cloudevents.In) -> str:
    facts = await house.take(record)
    code: str = orjson.loads(facts.emissions[-1].value)["failure"]["code"]
    return code


async def test_all_customers_of_the_person_are_told_with_their_own_count_and_are_nobody_any_more(house: House) -> None:
    ann = someone()
    bob = someone(ann.tenant)
    await house.take(says(ann), says(bob))
    a, b = await home(house, ann), await home(house, bob)
    assert a
    assert b
    await house.take(Merge(tenant=ann.tenant, customers=(a, b), reason="x"))
    counts = dict(await house.pool.fetch("SELECT id, last_sequence FROM customer WHERE id = ANY($1)", [a, b]))
    facts = await house.take(asked(ann, b, "once"))
    told = [one for one in facts.emissions if one.name == "customer.erased"]
    assert {one.conversation_id: one.sequence for one in told} == {one: count + 1 for one, count in counts.items()}
    for one in told:
        value = RECORDS["customer.erased"].model.model_validate_json(one.value)
        assert value.model_dump(include={"reason", "by", "request_id", "customers"}) == {
            "reason": "they asked",
            "by": "bopha",
            "request_id": "once",
            "customers": tuple(sorted((a, b))),
        }
    assert await home(house, ann) is await home(house, bob) is None
    for table in ("bond", "suggestion", "veto"):
        assert not await house.pool.fetchval(f"SELECT count(*) FROM {table} WHERE a = ANY($1) OR b = ANY($1)", [a, b])
    assert await refusal(house, asked(ann, a)) == "unknown_customer"


async def test_what_came_before_names_nobody_and_what_comes_later_is_somebody_new(house: House) -> None:
    ann = someone()
    address = IdentityKey(ann.tenant, "webhook:main", ann.peer)
    await house.take(says(ann))
    one = await erase(house, ann)
    facts = await house.take(says(ann, received_at=now() - timedelta(minutes=1)))
    assert not facts.emissions
    assert await home(house, ann) is None
    await house.take(says(ann, "a new day"))
    other = await home(house, ann)
    assert other == new_customer(b"test-secret", address, 1) != one
    facts = await house.take(says(ann, received_at=now() - timedelta(minutes=1)))
    assert not facts.emissions, "what is put back from before their erasure is not whoever they are now"
    await erase(house, ann)
    await house.take(says(ann, "once more"))
    assert await home(house, ann) == new_customer(b"test-secret", address, 2)


async def test_a_replay_of_all_that_kafka_holds_brings_nobody_back(house: House) -> None:
    ann = someone()
    house.allows(ann)
    phone = Proof(kind="phone", value=PHONE, by="provider")
    place = {"channel": "webhook", "account": "main", "address": ann.peer}
    records = [
        as_read(says(ann, sender=Party(address=ann.peer, proofs=(phone,)), name=f"{ann.peer}/1")),
        as_read(Send(tenant=ann.tenant, parts=(Text(text=WORDS),), **place), id_="s"),
        as_read(ann.echo(f"{ann.peer}/2", received_at=now())),
    ]
    for record in records:
        await house.take(record)
    last = asked(ann, await home(house, ann), "the end")
    await house.take(last)
    await finish(house)
    before = await house.pool.fetch("SELECT * FROM customer WHERE tenant = $1 ORDER BY id", ann.tenant)
    for record in [*records, last]:
        assert not (await house.take(record)).emissions
    assert await house.pool.fetch("SELECT * FROM customer WHERE tenant = $1 ORDER BY id", ann.tenant) == before
    assert not await house.pool.fetchval("SELECT count(*) FROM identity WHERE tenant = $1", ann.tenant)


async def test_a_marks_time_never_goes_back(house: House) -> None:
    """Two requests that come out of order: the later one's time stands."""
    ann = someone()
    await house.take(says(ann, received_at=at(0)))
    record = asked(ann, await home(house, ann))
    await house.take(record)
    await house.take(says(ann, "again", received_at=record.at + timedelta(seconds=1)))
    old = asked(ann, await home(house, ann))
    old.at = record.at - timedelta(days=1)
    await house.take(old)
    between = says(ann, received_at=record.at - timedelta(hours=1))
    assert not (await house.take(between)).emissions
    assert await home(house, ann) is None


async def test_what_they_did_not_want_they_do_not_want_when_they_are_written_to_again(house: House) -> None:
    ann = someone()
    house.allows(ann)
    await house.take(says(ann))
    one = await home(house, ann)
    assert one
    word = {"purposes": ("marketing",), "given": False, "evidence": f"she wrote STOP {ann.peer}"}
    await house.take(SetConsent(tenant=ann.tenant, customer=one, **word))
    await erase(house, ann)
    await finish(house)
    assert await found(house, ann.peer) == {}
    place = {"channel": "webhook", "account": "main", "address": ann.peer}
    first = Send(tenant=ann.tenant, parts=(Text(text="buy"),), purpose="marketing", **place)
    assert await refusal(house, as_read(first)) == "opted_out"
    assert await home(house, ann) not in {None, one}


async def test_nothing_of_theirs_is_left_in_any_column_but_what_others_said(house: House) -> None:
    ann = someone()
    house.allows(ann)
    bob = Customer(ann.tenant, peer=f"bob-{uuid.uuid4().hex[:6]}", container="the group")
    in_group = Customer(ann.tenant, peer=ann.peer, container="the group")
    blobs = Blobs.open("memory:///")
    stored = await blobs.put_bytes(ann.tenant, b"a photograph")
    shared = await blobs.put_bytes(ann.tenant, b"a leaflet that everybody has")
    photo, leaflet = (Media(media="image", state="stored", blob=one.ref) for one in (stored, shared))
    mine = (
        says(ann, name=f"{ann.peer}/1", sender=Party(address=ann.peer, name="Ann of the Heron")),
        says(ann, parts=(photo,)),
        says(ann, parts=(leaflet,)),
    )
    conversation = (await house.take(*mine)).opened[0].id
    await house.take(
        says(bob, parts=(leaflet, Text(text="hello everybody"))), says(in_group, f"{WORDS}, said in a group")
    )
    group = next(one for one in await house.conversations(ann) if one != conversation)
    reply = await house.queued(ann, conversation)
    await house.take(ann.report(reply, "sent", f"{ann.peer}/2"), ann.receipt("read", f"{ann.peer}/2"))
    later = ann.reply(conversation, f"{WORDS} tomorrow", not_before=now() + timedelta(days=1))
    await house.take(as_read(later))
    await Index(house.settings, house.pool).look_at([one.id for one in mine], [conversation, group])
    bad = "INSERT INTO bad_address VALUES ($1, 'webhook:main', $2, now(), $3)"
    await house.pool.execute(bad, ann.tenant, ann.peer, f"no such user: {ann.peer}")
    customer = await house.pool.fetchval("SELECT customer_id FROM conversation WHERE id = $1", conversation)
    counted = "INSERT INTO proactive VALUES ($1, gen_random_uuid(), now(), 'marketing')"
    await house.pool.execute(counted, customer)
    heard = await house.types(group)
    everywhere = {"identity.value", "message.body", "conversation.peer", "plan.request", "external_ref.external_id"}
    assert everywhere <= (await found(house, ann.peer, WORDS)).keys()
    one = await erase(house, ann)
    await finish(house, blobs)
    assert await found(house, ann.peer, WORDS, "Ann of the Heron", stored.ref) == {}
    assert not await house.pool.fetch("SELECT FROM proactive WHERE customer_id = $1", customer)
    assert await house.conversations(ann) == [group]
    assert await house.types(group) == heard, "what is left keeps its number"
    story = await house.story(group)
    assert [one["message"]["parts"][-1].get("text") for one in story if "message" in one] == ["hello everybody", None]
    for event in story:
        RECORDS[event["type"]].model.model_validate(event)
    assert b"".join([chunk async for chunk in await blobs.get(shared.ref)]) == b"a leaflet that everybody has"
    with pytest.raises(NotFound):
        await blobs.get(stored.ref)
    marked = await house.pool.fetch("SELECT entity FROM untold WHERE entity = ANY($1)", [one, conversation, group])
    assert {row[0] for row in marked} == {one, conversation, group}


async def test_adapters_are_told_of_every_address_and_conversation(house: House) -> None:
    ann = someone()
    conversation = await house.opened(ann, says(ann))
    await erase(house, ann)
    await behind(house).step()
    query = "SELECT value FROM outbox WHERE type = 'outbound.forget' AND tenant = $1"
    told = [Forget.model_validate_json(row[0]) for row in await house.pool.fetch(query, ann.tenant)]
    assert {(one.account, one.address, one.conversation) for one in told} == {
        ("main", ann.peer, conversation),
        ("main", ann.peer, None),
    }
    await finish(house)


@pytest.mark.parametrize("other", ["message", "merge", "erase"])
async def test_whoever_comes_at_the_same_moment_waits_and_finds_them_gone(
    house: House, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erasure has all locks when the other begins."""
    ann = someone()
    bob = someone(ann.tenant)
    await house.take(says(ann), says(bob))
    a, b = await home(house, ann), await home(house, bob)
    assert a
    assert b
    locked, free = asyncio.Event(), asyncio.Event()
    whole = write.write_erased

    async def waits(connection: Any, facts: Any) -> None:
        if facts.erased:
            locked.set()
            await free.wait()
        await whole(connection, facts)

    monkeypatch.setattr(write, "write_erased", waits)
    record = asked(ann, a)
    erasing = asyncio.create_task(house.handle(record))
    await locked.wait()
    records = {
        "message": says(ann, "just now", received_at=record.at + timedelta(seconds=1)),
        "merge": as_read(Merge(tenant=ann.tenant, customers=(a, b), reason="x")),
        "erase": asked(ann, a),
    }
    racing = asyncio.create_task(house.handle(records[other], router=house.another_router()))
    await until(lambda: is_waiting(house))
    free.set()
    await asyncio.gather(erasing, racing)
    assert await home(house, bob) == b
    assert await house.pool.fetchval("SELECT merged_into FROM customer WHERE id = $1", b) is None
    query = "SELECT count(*) FROM event WHERE conversation_id = $1 AND type = 'customer.erased'"
    assert await house.pool.fetchval(query, a) == 1
    after = await home(house, ann)
    assert (after not in {None, a}) if other == "message" else after is None


async def is_waiting(house: House) -> bool:
    found: bool = await house.pool.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database())"
    )
    return found


async def test_an_erasure_shares_its_transaction_with_nobody(house: House) -> None:
    """In a batch with what they wrote before and after: each in its order."""
    ann = someone()
    await house.take(says(ann, received_at=at(0)))
    one = await home(house, ann)
    record = asked(ann, one)
    record.offset = 1
    after = as_read(says(ann, "after", received_at=record.at + timedelta(minutes=5)), offset=2)
    await house.handle(says(ann, "before"), record, after)
    other = await home(house, ann)
    assert other not in {None, one}
    rows = await house.pool.fetch(
        "SELECT customer_id, body FROM message JOIN conversation c ON c.id = conversation_id WHERE c.tenant = $1",
        ann.tenant,
    )
    assert {(row[0], orjson.loads(row[1])["message"]["parts"][0]["text"]) for row in rows} == {
        (one, WORDS),
        (one, "before"),
        (other, "after"),
    }
