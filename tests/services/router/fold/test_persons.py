"""One person of several addresses: joined by proof or by word, parted again exactly, refused with a reason, and told in order."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from services.router.batch import load
from services.router.fold import bonds
from services.router.fold.facts import Facts, IdentityKey
from services.router.fold.identity import new_customer
from shared.contract.codes import Code
from shared.contract.deliveries import ProfileUpdate
from shared.contract.envelope import Envelope, Evidence, Model, Party, Proof
from shared.contract.identities import shared_beyond
from shared.contract.records import RECORDS
from shared.contract.requests import KeepApart, Link, Merge, Split, Unlink
from tests.promises.house import Customer, House, as_read, at

PHONE = "+85512345678"
MAIL = "ann@people.example"


def says(
    customer: Customer, *, kind: str = "email", value: str = "", by: Evidence = "signature", **more: Any
) -> Envelope:
    """A message whose sender is proved to have another address too, if one is given."""
    proofs = (Proof(kind=kind, value=value, by=by),) if value else ()
    sender = Party(address=customer.peer, proofs=proofs, **more)
    return customer.says(sender=sender, minutes=10, received_at=at(10))


async def home(house: House, tenant: str, value: str, kind: str = "webhook:main") -> uuid.UUID:
    found: uuid.UUID = await house.pool.fetchval(
        "SELECT customer_id FROM identity WHERE (tenant, kind, value) = ($1, $2, $3)", tenant, kind, value
    )
    return found


async def persons(house: House, tenant: str) -> dict[str, set[str]]:
    """The addresses of each person, by the oldest of them."""
    rows = await house.pool.fetch(
        """SELECT i.value, o.value AS oldest FROM identity i JOIN customer c ON c.id = i.customer_id
        JOIN identity o ON o.customer_id = coalesce(c.merged_into, c.id) WHERE i.tenant = $1""",
        tenant,
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["oldest"], set()).add(row["value"])
    return found


def told(facts: Facts) -> list[dict[str, Any]]:
    """Events of customers and refusals, each as its schema reads it."""
    events = [one for one in facts.emissions if one.name.startswith(("customer.", "request."))]
    for one in events:
        read = RECORDS[one.name].model.model_validate_json(one.value)
        assert (read.sequence or 0) == one.sequence  # type: ignore[attr-defined]
    return [orjson.loads(one.value) | {"type": one.name, "key": str(one.conversation_id)} for one in events]


async def ask(house: House, asked: Model, id_: str | None = None) -> list[dict[str, Any]]:
    return told(await house.take(as_read(asked, id_=id_)))


async def people(house: House, *names: str) -> tuple[Customer, ...]:
    """Strangers to each other who have written, the first first."""
    tenant = Customer().tenant
    found = tuple(Customer(tenant, peer=name) for name in names)
    for minute, one in enumerate(found):
        await house.take(one.says(minutes=minute, received_at=at(minute)))
    return found


async def merged(house: House, *names: str) -> tuple[str, list[uuid.UUID]]:
    """Their tenant and their customers, who were merged by request."""
    found = await people(house, *names)
    ids = [await home(house, one.tenant, one.peer) for one in found]
    await house.take(as_read(Merge(tenant=found[0].tenant, customers=tuple(ids), reason="they said so")))
    return found[0].tenant, ids


# who somebody is ------------------------------------------------------------------------------------------------------


async def test_the_same_number_at_two_accounts_of_a_webhook_is_two_people_and_on_telegram_one(house: House) -> None:
    customer = Customer(peer="42")
    for channel, kinds in (("webhook", 2), ("telegram", 1)):
        facts = await house.take(*(customer.says(channel=channel, account=name) for name in ("shop", "help")))
        assert len({conversation.customer_id for conversation in facts.opened}) == kinds


async def test_a_customers_id_follows_from_the_secret_and_the_address(house: House) -> None:
    customer = Customer()
    conversation = (await house.take(customer.says())).opened[0]
    address = IdentityKey(customer.tenant, "webhook:main", "ann")
    assert conversation.customer_id == new_customer(b"test-secret", address) != new_customer(b"guessed", address)
    assert (conversation.customer_id.version, conversation.customer_id.variant) == (8, uuid.RFC_4122)
    assert new_customer(b"test-secret", address, 1) != conversation.customer_id


async def test_whoever_was_known_before_kinds_had_an_account_is_no_stranger_at_the_one_that_meets_them_first(
    house: House,
) -> None:
    customer, old = Customer(), uuid.uuid4()
    await house.pool.execute("INSERT INTO customer (id, tenant) VALUES ($1, $2)", old, customer.tenant)
    await house.pool.execute(
        "INSERT INTO identity (tenant, kind, value, customer_id, name) VALUES ($1, 'webhook', 'ann', $2, 'Ann')",
        customer.tenant,
        old,
    )
    first, second = (customer.says(account=name) for name in ("main", "other"))
    (adopted,), (stranger,) = [(await house.take(one)).opened for one in (first, second)]
    assert (adopted.customer_id, adopted.name) == (old, "Ann")
    assert stranger.customer_id != old
    await house.take(first, second, customer.says("again"))
    kept = await house.pool.fetchval(
        "SELECT customer_id FROM identity WHERE tenant = $1 AND kind = 'webhook'", customer.tenant
    )
    assert kept == old, "the release before finds them still"


async def test_a_chain_that_the_release_before_left_is_one_step(house: House) -> None:
    ann, bob, cho = await people(house, "ann", "bob", "cho")
    a, b, c = [await home(house, one.tenant, one.peer) for one in (ann, bob, cho)]
    for one, into in ((a, b), (b, c)):
        await house.pool.execute("UPDATE customer SET merged_into = $2 WHERE id = $1", one, into)
    await house.handle(ann.says("again"))
    assert await persons(house, ann.tenant) == {"cho": {"ann", "bob", "cho"}}


# proof ----------------------------------------------------------------------------------------------------------------


async def test_proof_joins_and_everyone_who_is_another_now_is_told_in_their_own_count(house: House) -> None:
    ann, bob = await people(house, "ann", "bob")
    first = told(await house.take(says(ann, value=MAIL)))
    assert [one["type"] for one in first] == ["customer.merged"] * 2
    facts = await house.take(says(bob, value=MAIL))
    events = told(facts)
    a, b = [str(await home(house, ann.tenant, one.peer)) for one in (ann, bob)]
    assert {one["key"]: (one["into"], one["sequence"]) for one in events} == {b: (a, 1), a: (a, 2)}
    assert await persons(house, ann.tenant) == {"ann": {"ann", "bob", MAIL}}
    (message,) = [orjson.loads(one.value) for one in facts.emissions if one.name == "message.received"]
    assert (message["customer"], message["home"]) == (a, b), "and the conversation stays whose it was"


async def test_what_is_proved_again_is_told_nobody(house: House) -> None:
    ann = Customer()
    await house.take(says(ann, value=MAIL))
    assert told(await house.take(says(ann, value=MAIL))) == []


async def test_one_person_has_one_open_conversation_at_a_place_whichever_address_they_write_from(house: House) -> None:
    ann, bob = await people(house, "ann", "bob")
    cho = Customer(ann.tenant, peer="cho")
    await house.take(says(ann, value=MAIL))
    facts = await house.take(says(cho, value=MAIL))
    assert facts.opened == [], "of two names without a conversation of its own"
    await house.take(says(bob, value=MAIL))
    assert (await house.take(bob.says())).emissions[0].conversation_id != facts.emissions[-1].conversation_id


@pytest.mark.parametrize("value", ["info@shop.example", "team+x@shop.example"])
async def test_a_mailbox_of_several_people_proves_nothing(house: House, value: str) -> None:
    assert told(await house.take(says(Customer(), value=value))) == []


async def test_an_address_of_more_people_than_one_person_has_accounts_is_nobodys_and_all_that_it_proved_is_cut(
    house: House,
) -> None:
    tenant, most = Customer().tenant, shared_beyond("email")
    crowd = [Customer(tenant, peer=f"p{n:02}") for n in range(most + 2)]
    for one in crowd[:-1]:
        await house.take(says(one, value=MAIL))
    assert all(len(group) == 1 for group in (await persons(house, tenant)).values())
    assert told(await house.take(says(crowd[-1], value=MAIL))) == []
    assert told(await house.take(says(crowd[0], value=MAIL))) == []


def by_number(customer: Customer, *aliases: str) -> Envelope:
    """A message of somebody with an id of their own, whose number the provider tells beside it."""
    proof = Proof(kind="phone", value=PHONE, by="signature")
    return customer.says(
        sender=Party(address=customer.peer, aliases=aliases, verified="signature", proofs=(proof,)), minutes=1
    )


@pytest.mark.parametrize("aliases", [(), (PHONE[1:],)], ids=["the number is proved", "the number is a name there too"])
async def test_who_has_a_number_now_that_was_somebody_elses_has_nothing_of_theirs(
    house: House, aliases: tuple[str, ...]
) -> None:
    first = Customer(peer="KH.1")
    second = Customer(first.tenant, peer="KH.2")
    await house.take(by_number(first, *aliases))
    events = told(await house.take(by_number(second, *aliases)))
    assert {one["type"] for one in events} == {"customer.suggested"}
    assert all("somebody else's" in one["reason"] for one in events)
    groups = (await persons(house, first.tenant)).values()
    assert not any({first.peer, second.peer} <= group for group in groups)


async def test_who_was_written_to_by_number_is_who_answers_from_an_id(house: House) -> None:
    known = Customer(peer=PHONE[1:])
    await house.take(known.says())
    joined = told(await house.take(by_number(Customer(known.tenant, peer="KH.1"), PHONE[1:])))
    assert "customer.merged" in {one["type"] for one in joined}
    assert any({PHONE[1:], "KH.1"} <= group for group in (await persons(house, known.tenant)).values())


async def test_what_the_provider_vouches_for_afterwards_joins_whom_it_names_and_makes_nobody_known(
    house: House,
) -> None:
    ann = Customer()
    await house.take(ann.says())
    proof = Proof(kind="email", value=MAIL, by="provider")
    vouched = ProfileUpdate(
        tenant=ann.tenant, channel="webhook", account="main", peer=ann.peer,
        party=Party(address=ann.peer, proofs=(proof,)), occurred_at=at(1),
    )  # fmt: skip
    assert "customer.merged" not in {one["type"] for one in told(await house.take(vouched))}
    assert await home(house, ann.tenant, MAIL, "email") is None
    await house.take(says(Customer(ann.tenant, peer="bob"), value=MAIL))
    again = vouched.model_copy(update={"occurred_at": at(2)})
    assert "customer.merged" in {one["type"] for one in told(await house.take(again))}


async def test_what_somebody_only_says_is_suggested_once_to_both_and_joins_nobody(house: House) -> None:
    ann, bob = await people(house, "ann", "bob")
    await house.take(says(ann, value=MAIL))
    before = await persons(house, ann.tenant)
    events = told(await house.take(says(bob, email=MAIL.upper())))
    a, b = [str(await home(house, ann.tenant, one.peer)) for one in (ann, bob)]
    assert {(one["type"], one["key"], one["other"]) for one in events} == {
        ("customer.suggested", a, b),
        ("customer.suggested", b, a),
    }
    assert told(await house.take(says(bob, email=MAIL))) == []
    assert await persons(house, ann.tenant) == before
    assert told(await house.take(says(Customer(ann.tenant, peer="cho"), email="nobody@people.example"))) == []


async def test_a_stranger_who_names_an_address_again_and_again_fills_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bonds, "SUGGESTED", 2)
    ann = Customer()
    await house.take(says(ann, value=MAIL))
    crowd = [Customer(ann.tenant, peer=f"p{n}") for n in range(4)]
    assert [len(told(await house.take(says(one, email=MAIL)))) for one in crowd] == [2, 2, 0, 0]


# word -----------------------------------------------------------------------------------------------------------------


async def test_a_merge_is_by_age_whoever_is_named_first_and_both_are_told_with_its_request(house: House) -> None:
    ann, bob = await people(house, "ann", "bob")
    a, b = [await home(house, one.tenant, one.peer) for one in (ann, bob)]
    events = await ask(house, Merge(tenant=ann.tenant, customers=(b, a), reason="same card"), "merge-1")
    assert [(one["key"], one["into"], one["reason"], one["request_id"]) for one in events] == [
        (str(b), str(a), "same card", "merge-1"),
        (str(a), str(a), "same card", "merge-1"),
    ]
    assert await ask(house, Merge(tenant=ann.tenant, customers=(b, a), reason="same card"), "merge-1") == []


async def test_a_split_is_as_before_message_by_message(house: House) -> None:
    tenant, (a, b) = await merged(house, "ann", "bob")
    homes = await house.pool.fetch("SELECT id, customer_id FROM conversation WHERE tenant = $1 ORDER BY id", tenant)
    events = await ask(house, Split(tenant=tenant, customer=b, reason="a mistake"))
    assert {one["key"]: (one["into"], one["customers"]) for one in events} == {
        str(a): (str(a), [str(a)]),
        str(b): (str(b), [str(b)]),
    }
    assert [one["sequence"] for one in events] == [2, 2]
    assert await persons(house, tenant) == {"ann": {"ann"}, "bob": {"bob"}}
    assert homes == await house.pool.fetch(
        "SELECT id, customer_id FROM conversation WHERE tenant = $1 ORDER BY id", tenant
    )


async def test_who_was_parted_is_joined_by_no_proof_but_by_a_word(house: House) -> None:
    ann, bob = await people(house, "ann", "bob")
    for one in (ann, bob):
        await house.take(says(one, value=MAIL))
    a, b = [await home(house, ann.tenant, one.peer) for one in (ann, bob)]
    await ask(house, Split(tenant=ann.tenant, customer=a, reason="father and son"))
    apart = {"ann": {"ann", MAIL}, "bob": {"bob"}}
    assert told(await house.take(says(bob, value=MAIL))) == []
    other = "bob@people.example"
    await house.take(says(bob, value=other))
    events = told(await house.take(says(ann, value=other)))
    assert [one["type"] for one in events] == ["customer.suggested"] * 2
    assert told(await house.take(says(ann, value=other))) == []
    assert await persons(house, ann.tenant) == apart | {"bob": {"bob", other}}
    await ask(house, Merge(tenant=ann.tenant, customers=(a, b), reason="they are one"))
    assert await persons(house, ann.tenant) == {"ann": {"ann", "bob", MAIL, other}}
    vetoes = "SELECT count(*) FROM veto v JOIN customer c ON c.id = v.a WHERE c.tenant = $1"
    assert await house.pool.fetchval(vetoes, ann.tenant) == 0, "the word lifts what parted them"


async def test_who_came_later_stays_with_whom_they_came_by(house: House) -> None:
    tenant, (_, b) = await merged(house, "ann", "bob")
    await house.take(says(Customer(tenant, peer="bob"), value=MAIL))
    await ask(house, Split(tenant=tenant, customer=b, reason="a mistake"))
    assert await persons(house, tenant) == {"ann": {"ann"}, "bob": {"bob", MAIL}}


async def test_what_proved_the_same_since_is_parted_too(house: House) -> None:
    tenant, (_, b) = await merged(house, "ann", "bob")
    for name in ("bob", "ann"):
        await house.take(says(Customer(tenant, peer=name), value=MAIL))
    await ask(house, Split(tenant=tenant, customer=b, reason="a mistake"))
    assert await persons(house, tenant) == {"ann": {"ann"}, "bob": {"bob", MAIL}}
    assert told(await house.take(says(Customer(tenant, peer="ann"), value=MAIL))) == []


async def test_of_the_oldest_the_last_merge_is_undone(house: House) -> None:
    tenant, (a, _, _) = await merged(house, "ann", "bob", "cho")
    for left in ({"ann": {"ann", "bob"}, "cho": {"cho"}}, {"ann": {"ann"}, "bob": {"bob"}, "cho": {"cho"}}):
        await ask(house, Split(tenant=tenant, customer=a, reason="a mistake"))
        assert await persons(house, tenant) == left


async def test_an_address_is_linked_before_anybody_wrote_from_it_and_unlinked(house: House) -> None:
    (ann,) = await people(house, "ann")
    a = await home(house, ann.tenant, "ann")
    about = {"tenant": ann.tenant, "customer": a, "kind": "email", "address": " Ann@People.example "}
    events = await ask(house, Link(**about, reason="our shop"), "l1")
    assert [(one["type"], one["key"], one["request_id"]) for one in events][-1] == ("customer.linked", str(a), "l1")
    assert await persons(house, ann.tenant) == {"ann": {"ann", MAIL}}
    mail = Customer(ann.tenant, peer=MAIL).says(channel="email", surface="email")
    (conversation,) = (await house.take(mail)).opened
    assert conversation.customer_id == await home(house, ann.tenant, MAIL, "email")
    assert (await house.story(conversation.id))[0]["customer"] == str(a)
    events = await ask(house, Unlink(**about))
    assert {one["type"] for one in events} == {"customer.split", "customer.unlinked"}
    assert await persons(house, ann.tenant) == {"ann": {"ann"}, MAIL: {MAIL}}
    assert (await ask(house, Unlink(**about)))[0]["failure"]["code"] == "refused"


async def test_two_who_are_two_are_suggested_no_more(house: House) -> None:
    ann, bob = await people(house, "ann", "bob")
    await house.take(says(ann, value=MAIL))
    await house.take(says(bob, email=MAIL))
    a, b = [await home(house, ann.tenant, one.peer) for one in (ann, bob)]
    events = await ask(house, KeepApart(tenant=ann.tenant, customers=(a, b), reason="father and son"))
    assert [one["type"] for one in events] == ["customer.parted"] * 2
    assert not await house.pool.fetchval("SELECT count(*) FROM suggestion WHERE is_open AND a = ANY($1)", [a, b])
    assert told(await house.take(says(bob, email=MAIL))) == []
    events = told(await house.take(says(bob, value=MAIL)))
    assert events == [], "it was answered"
    assert len(await persons(house, ann.tenant)) == 2


async def test_what_was_suggested_is_answered_by_a_merge(house: House) -> None:
    ann, bob = await people(house, "ann", "bob")
    await house.take(says(ann, value=MAIL))
    await house.take(says(bob, email=MAIL))
    ids = [await home(house, ann.tenant, one.peer) for one in (ann, bob)]
    await ask(house, Merge(tenant=ann.tenant, customers=tuple(ids), reason="yes"))
    assert not await house.pool.fetchval("SELECT count(*) FROM suggestion WHERE is_open AND a = ANY($1)", ids)


async def test_what_cannot_be_is_refused_with_a_reason_and_changes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bonds, "MOST", 2)
    ann, bob, cho = await people(house, "ann", "bob", "cho")
    (foreign,) = await people(house, "ann")
    tenant = ann.tenant
    a, b, c = [await home(house, tenant, one.peer) for one in (ann, bob, cho)]
    theirs, nobody = await home(house, foreign.tenant, "ann"), uuid.uuid4()
    word = {"tenant": tenant, "reason": "x"}
    address = {"tenant": tenant, "customer": a, "kind": "email"}
    await ask(house, Merge(**word, customers=(a, b)))
    before = await state(house, tenant)
    table: Sequence[tuple[Code, Model]] = (
        ("unknown_customer", Merge(**word, customers=(a, nobody))),
        ("unknown_customer", Merge(**word, customers=(a, theirs))),
        ("refused", Merge(**word, customers=(a, a))),
        ("refused", Merge(**word, customers=(a, b))),
        ("refused", Merge(**word, customers=(b, c))),
        ("unknown_customer", Split(**word, customer=theirs)),
        ("refused", Split(**word, customer=c)),
        ("unknown_customer", Link(**address | {"customer": theirs}, address=MAIL)),
        ("refused", Link(**address | {"kind": "crm"}, address="7")),
        ("malformed", Link(**address, address="no address")),
        ("malformed", Link(**address | {"kind": "facebook"}, address="42")),
        ("malformed", Unlink(**address, address="no address")),
        ("refused", Unlink(**address, address=MAIL)),
        ("refused", Unlink(**address | {"customer": c, "kind": "webhook:main"}, address="cho")),
        ("refused", KeepApart(**word, customers=(a, b))),
        ("unknown_customer", KeepApart(**word, customers=(a, theirs))),
    )
    for code, asked in table:
        (refused,) = await ask(house, asked)
        assert (refused["type"], refused["failure"]["code"]) == ("request.refused", code), asked
    assert await state(house, tenant) == before


async def state(house: House, tenant: str) -> list[Any]:
    """Who is whom; of whoever a link was refused for, an address that nobody has joined to anybody is all that stays."""
    return [
        *await house.pool.fetch("SELECT id, merged_into, last_sequence FROM customer WHERE tenant = $1 AND shape > 0 ORDER BY id", tenant),
        *await house.pool.fetch("SELECT b.* FROM bond b JOIN customer c ON c.id = b.a WHERE c.tenant = $1 ORDER BY a, b.b", tenant),
        *await house.pool.fetch("SELECT v.* FROM veto v JOIN customer c ON c.id = v.a WHERE c.tenant = $1", tenant),
    ]  # fmt: skip


async def test_a_person_with_too_many_addresses_is_joined_to_no_more_by_proof(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bonds, "MOST", 2)
    ann, bob = await people(house, "ann", "bob")
    await house.take(says(ann, value=MAIL))
    assert [one["type"] for one in told(await house.take(says(bob, value=MAIL)))] == ["customer.suggested"] * 2


# from several replicas ------------------------------------------------------------------------------------------------


async def test_what_another_replica_left_of_a_customer_is_sent_first(house: House) -> None:
    tenant, (a, b) = await merged(house, "ann", "bob")
    await house.handle(as_read(Split(tenant=tenant, customer=a, reason="a mistake")), router=house.another_router())
    for one in (a, b):
        assert await house.log(one) == [1, 2]


async def test_who_became_one_person_after_they_were_looked_up_is_looked_up_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the locks another replica joins somebody to who is merged here: the oldest of those stays."""
    zoe, ann, bob = await people(house, "zoe", "ann", "bob")
    z, a, b = [await home(house, one.tenant, one.peer) for one in (zoe, ann, bob)]
    real = load.lock_customers

    async def late(*given: Any) -> None:
        monkeypatch.setattr(load, "lock_customers", real)
        joined = Merge(tenant=zoe.tenant, customers=(a, b), reason="another replica's")
        await house.handle(as_read(joined), router=house.another_router())
        await real(*given)

    monkeypatch.setattr(load, "lock_customers", late)
    await house.handle(as_read(Merge(tenant=zoe.tenant, customers=(z, a), reason="ours")))
    assert await persons(house, zoe.tenant) == {"zoe": {"zoe", "ann", "bob"}}


@pytest.mark.parametrize("turn", range(6))
async def test_merges_that_race_over_the_same_customers_end_in_one_person(house: House, turn: int) -> None:
    names = ["ann", "bob", "cho", "dea"]
    found = await people(house, *names)
    tenant, ids = found[0].tenant, [await home(house, one.tenant, one.peer) for one in found]
    pairs = [(ids[turn % 4], ids[(turn + 1) % 4]), (ids[1], ids[0]), (ids[2], ids[1]), (ids[3], ids[2])]
    routers = [house.router, house.another_router()]
    asked = [as_read(Merge(tenant=tenant, customers=pair, reason="x")) for pair in pairs]
    mails = [says(one, value=MAIL) for one in found]
    work = [one for both in zip(asked, mails, strict=True) for one in both]
    await asyncio.gather(*(house.handle(one, router=routers[n % 2]) for n, one in enumerate(work)))
    assert await persons(house, tenant) == {"ann": {*names, MAIL}}
    rows = await house.pool.fetch("SELECT id, last_sequence, shape FROM customer WHERE tenant = $1", tenant)
    assert len({row["shape"] for row in rows}) == 1
    await house.sweeper.sweep(older_than=0)
    for row in rows:
        seen = await house.pool.fetch("SELECT sequence FROM event WHERE conversation_id = $1 ORDER BY 1", row["id"])
        assert [one[0] for one in seen] == [*range(1, row["last_sequence"] + 1)]
