"""What is asked to be sent is sent once, in order, or reported as unknown; nobody waits for another's account."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from prometheus_client import REGISTRY
from provider import Account, dead_port, hangs_up, make_channel, outbound as send_text, says, upload, waits_for
from pydantic import SecretStr
from station import QUICK, SCHEMA, Cable, Station, open_station, outbound

from shared.bus.produce import Producer
from shared.contract.channel import AlreadySent, Context, Handle, Piece, Response, Sent, Steps
from shared.contract.deliveries import Outbound, Typing
from shared.contract.envelope import Media, Text
from shared.contract.errors import BusUnavailable, DatabaseUnavailable, Malformed
from shared.outbound.outgoing import Pace
from shared.storage.database import open_pool
from tests.patience import SECONDS

THREE = "aaaa bbbb cccc dddd eeee"


@pytest.fixture
async def station(servers: Any, tmp_path: Path) -> AsyncIterator[Station]:
    async with open_station(servers, tmp_path / "blobs") as station:
        yield station


def texts(station: Station, peer: str = "alice") -> list[str]:
    """What the provider was asked to show this person, in order."""
    return [orjson.loads(seen.body)["text"] for seen in station.provider.seen if seen.path == f"/send/{peer}"]


def keys(station: Station) -> list[str]:
    return [orjson.loads(seen.body)["key"] for seen in station.provider.seen]


def statuses(deliveries: list[Any]) -> list[str]:
    return [one.status for one in deliveries]


async def test_a_message_goes_out_and_its_outcome_comes_back(station: Station) -> None:
    adapter = await station.start()
    message = outbound("hello")
    await station.producer.send(station.request_record(message))
    (delivery,) = await station.told(message)
    assert (delivery.status, delivery.external_ids, delivery.pieces) == ("sent", ("1",), 1)
    assert delivery.taken_at <= delivery.occurred_at
    assert texts(station) == ["hello"]
    await adapter.deliver.drain()
    await station.eventually("SELECT count(*) FROM lane", wanted=0)


async def test_what_a_send_is_billed_as_is_told_with_its_outcome(station: Station) -> None:
    station.provider.answers = [says(200, {"id": 1, "billed": "with a link"}), says(200, {"id": 2})]
    await station.start()
    billed, plain = outbound("one"), outbound("two")
    told = []
    for message in (billed, plain):
        await station.producer.send(station.request_record(message))
        told += await station.told(message)
    assert [one.cost and one.cost.category for one in told] == ["with a link", None]


async def test_one_record_read_twice_is_sent_once(station: Station) -> None:
    await station.start()
    first, last = outbound("once"), outbound("last", peer="bob")
    for message in (first, first, first, last):
        await station.producer.send(station.request_record(message))
    await station.told(first)
    await station.told(last)
    assert texts(station) == ["once"]


async def test_a_crash_before_the_answer_is_unknown_and_never_repeated(station: Station) -> None:
    never = asyncio.Event()
    station.provider.answers = [waits_for(never)]
    adapter = await station.start()
    message = outbound(THREE)
    await adapter.give(message)
    await station.provider.wait(1)
    assert await station.states(message) == ["sending", "queued", "queued"]
    await adapter.crash()
    assert await station.states(message) == ["sending", "queued", "queued"]
    await station.expire_leases()
    await station.start()
    deliveries = await station.told(message, pieces=3)
    assert statuses(deliveries) == ["unknown", "sent", "sent"]
    assert texts(station) == ["aaaa bbbb", "cccc dddd", "eeee"]
    assert len(set(keys(station))) == 3
    never.set()


async def test_until_the_lease_has_expired_nobody_touches_the_lane(station: Station) -> None:
    never = asyncio.Event()
    station.provider.answers = [waits_for(never)]
    first = await station.start()
    message, other = outbound("slow"), outbound("other", peer="bob")
    await first.give(message)
    await station.provider.wait(1)
    second = await station.start()
    await second.give(other)
    await station.told(other)
    assert await station.states(message) == ["sending"]
    never.set()
    assert statuses(await station.told(message)) == ["sent"]


async def test_who_lost_the_lease_changes_nothing_any_more(station: Station) -> None:
    """A rebalance or a frozen process: the old owner's answer comes after the new one has reported and gone on."""
    late = asyncio.Event()
    station.provider.answers = [waits_for(late)]
    old = await station.start()
    message = outbound(THREE)
    await old.give(message)
    await station.provider.wait(1)
    await station.expire_leases()
    await station.start()
    deliveries = await station.told(message, pieces=3)
    late.set()
    await asyncio.wait(old.deliver._workers._tasks or {asyncio.create_task(asyncio.sleep(0))}, timeout=10)
    assert statuses(deliveries) == ["unknown", "sent", "sent"]
    assert await station.states(message) == ["unknown", "sent", "sent"]
    assert texts(station) == ["aaaa bbbb", "cccc dddd", "eeee"]


async def test_who_lost_the_lease_settles_nothing_that_the_new_owner_has_under_way(station: Station) -> None:
    """Asked again by its key: the answer that counts is the new owner's, whose lane it is."""
    late, held = asyncio.Event(), asyncio.Event()
    station.provider.answers = [waits_for(late), waits_for(held)]
    channel = make_channel(idempotent_for=timedelta(hours=1))
    old = await station.start(channel)
    message = outbound("keyed")
    await old.give(message)
    await station.provider.wait(1)
    await station.expire_leases()
    await station.start(channel)
    await station.provider.wait(2)
    late.set()
    await asyncio.wait(set(old.deliver._workers._tasks), timeout=SECONDS)
    assert await station.states(message) == ["sending"]
    held.set()
    assert statuses(await station.told(message)) == ["sent"]


async def test_order_is_kept_in_a_conversation_while_others_overtake(station: Station) -> None:
    held = asyncio.Event()
    station.provider.by_path["/send/alice"] = waits_for(held)
    adapter = await station.start()
    conversation = uuid.uuid4()
    alices = [outbound(f"to a {n}", conversation=conversation, sequence=n + 1) for n in range(3)]
    bobs = outbound("to b", peer="bob")
    await adapter.give(*alices, bobs)
    assert statuses(await station.told(bobs)) == ["sent"]
    assert texts(station) in ([], ["to a 0"])
    held.set()
    for message in alices:
        assert statuses(await station.told(message)) == ["sent"]
    assert texts(station) == ["to a 0", "to a 1", "to a 2"]


async def test_a_throttled_account_waits_and_others_go_on(station: Station) -> None:
    station.provider.by_path["/send/alice"] = says(429, retry_after="3600")
    adapter = await station.start()
    refused, counted = outbound("early"), throttles("account")
    await adapter.give(refused)
    await station.provider.wait(1)
    await station.eventually("SELECT tries FROM lane WHERE conversation = $1", refused.conversation, wanted=1)
    same_account, other_account = outbound("same", peer="bob"), outbound("other", peer="carol", account="other")
    del station.provider.by_path["/send/alice"]
    await adapter.give(same_account, other_account)
    await station.told(other_account)
    assert texts(station, "bob") == []
    await station.end_of_waiting(adapter)
    assert statuses(await station.told(same_account)) == ["sent"]
    assert statuses(await station.told(refused)) == ["sent"]
    assert (texts(station), throttles("account")) == (["early", "early"], counted + 1)


async def test_a_throttled_person_waits_and_the_others_of_the_account_go_on(station: Station) -> None:
    station.provider.by_path["/send/alice"] = says(429, retry_after="600", throttled="peer")
    adapter = await station.start()
    conversation, counted = uuid.uuid4(), throttles("peer")
    alices = [outbound(f"to a {n}", conversation=conversation, sequence=n + 1) for n in range(2)]
    await adapter.give(*alices)
    await station.eventually("SELECT tries FROM lane WHERE conversation = $1", conversation, wanted=1)
    bobs = outbound("to b", peer="bob")
    await adapter.give(bobs)
    assert statuses(await station.told(bobs)) == ["sent"]
    waits = "SELECT next_try > now() + interval '5 minutes' FROM lane WHERE conversation = $1"
    assert await station.pool.fetchval(waits, conversation)
    assert (texts(station), throttles("peer")) == (["to a 0"], counted + 1)
    del station.provider.by_path["/send/alice"]
    await station.pool.execute("UPDATE lane SET next_try = now() WHERE conversation = $1", conversation)
    for message in alices:
        assert statuses(await station.told(message)) == ["sent"]
    assert texts(station) == ["to a 0", "to a 0", "to a 1"]


def throttles(scope: str) -> float:
    """How often the metrics say that this provider told someone to wait."""
    return REGISTRY.get_sample_value("parley_sends_throttled_total", {"channel": "line", "scope": scope}) or 0


async def test_a_throttled_account_stops_in_the_middle_of_a_message_too(station: Station) -> None:
    held = asyncio.Event()
    station.provider.by_path["/send/alice"] = waits_for(held)
    station.provider.by_path["/send/bob"] = says(429, retry_after="3600")
    adapter = await station.start()
    long, refused = outbound(THREE), outbound("x", peer="bob")
    await adapter.give(long)
    await station.provider.wait(1)
    await adapter.give(refused)
    await station.eventually("SELECT tries FROM lane WHERE conversation = $1", refused.conversation, wanted=1)
    held.set()
    await station.eventually("SELECT tries FROM lane WHERE conversation = $1", long.conversation, wanted=1)
    assert texts(station) == ["aaaa bbbb"]
    assert await station.states(long) == ["sent", "queued", "queued"]
    del station.provider.by_path["/send/bob"]
    await station.end_of_waiting(adapter)
    assert statuses(await station.told(long, pieces=3)) == ["sent", "sent", "sent"]


async def test_a_slow_account_holds_nobody_up(station: Station) -> None:
    held = asyncio.Event()
    adapter = await station.start(accounts=station.accounts(slow=Account(name="slow", api=station.provider.address)))
    for n in range(60):
        station.provider.by_path[f"/send/slow{n}"] = waits_for(held)
    await adapter.give(*(outbound("x", peer=f"slow{n}", account="slow") for n in range(60)))
    quick = [outbound("quick", peer=f"quick{n}") for n in range(5)]
    await adapter.give(*quick)
    for message in quick:
        assert statuses(await station.told(message)) == ["sent"]
    held.set()


async def test_all_pieces_are_stored_before_the_first_leaves(station: Station) -> None:
    seen: list[list[str]] = []
    message = outbound(THREE)

    async def look(_request: Any) -> Any:
        seen.append(await station.states(message))
        return await says(200, {"id": "x"})(_request)

    station.provider.answers = [look]
    adapter = await station.start()
    await adapter.give(message)
    await station.told(message, pieces=3)
    assert seen == [["sending", "queued", "queued"]]


async def test_new_code_does_not_cut_a_half_sent_message_differently(station: Station) -> None:
    held = asyncio.Event()
    station.provider.answers = [says(200, {"id": 1}), waits_for(held)]
    adapter = await station.start()
    message = outbound(THREE)
    await adapter.give(message)
    await station.provider.wait(2)
    await adapter.crash()
    await station.expire_leases()
    await station.start(make_channel(text=5))
    assert statuses(await station.told(message, pieces=3)) == ["sent", "unknown", "sent"]
    assert texts(station) == ["aaaa bbbb", "cccc dddd", "eeee"]
    held.set()


async def test_an_outcome_that_the_bus_did_not_take_is_told_by_whoever_comes_next(station: Station) -> None:
    cut_off = Producer(station.settings.model_copy(update={"kafka": f"127.0.0.1:{dead_port()}"}))
    first = await station.start(producer=cut_off)
    message = outbound("told late")
    await first.give(message)
    await station.eventually("SELECT status FROM piece WHERE message_id = $1", message.id, wanted="sent")
    with pytest.raises(BusUnavailable):
        while True:  # the process's own attempt may hold the row
            await first.deliver._reports.tell()
            await asyncio.sleep(0.05)
    await first.crash()
    assert await station.pool.fetchval("SELECT NOT reported FROM piece WHERE message_id = $1", message.id)
    await station.start()
    (delivery,) = await station.told(message)
    assert (delivery.status, delivery.external_ids) == ("sent", ("1",))
    assert texts(station) == ["told late"]
    await station.eventually("SELECT reported FROM piece WHERE message_id = $1", message.id, wanted=True)


async def test_what_is_too_late_is_not_sent(station: Station) -> None:
    adapter = await station.start()
    late = outbound("too late", not_after=datetime.now(UTC) - timedelta(seconds=1))
    good = outbound("in time", conversation=late.conversation, not_after=datetime.now(UTC) + timedelta(hours=1))
    await adapter.give(late, good)
    (delivery,) = await station.told(late)
    assert (delivery.status, delivery.failure.code) == ("expired", "expired")
    assert statuses(await station.told(good)) == ["sent"]
    assert texts(station) == ["in time"]


async def test_a_provider_that_stays_away_fails_the_message_in_time(station: Station) -> None:
    away = Account(name="away", api=f"http://127.0.0.1:{dead_port()}")
    adapter = await station.start(accounts=station.accounts(away=away))
    started = datetime.now(UTC)
    message = outbound("x", account="away", not_after=started + timedelta(seconds=5))
    await adapter.give(message)
    (delivery,) = await station.told(message)
    assert (delivery.status, delivery.failure.code) == ("failed", "unreachable")
    assert delivery.occurred_at - started > timedelta(seconds=0.5)


async def test_without_a_deadline_it_is_given_up_after_a_day(station: Station) -> None:
    away = Account(name="away", api=f"http://127.0.0.1:{dead_port()}")
    pace = Pace(first=QUICK.first, longest=QUICK.longest, give_up=timedelta(seconds=1))
    adapter = await station.start(accounts=station.accounts(away=away), pace=pace)
    message = outbound("x", account="away")
    await adapter.give(message)
    (delivery,) = await station.told(message)
    assert delivery.failure.code == "unreachable"
    assert Pace().give_up == timedelta(hours=24)


async def test_a_provider_that_was_away_gets_the_message_when_it_is_back(station: Station) -> None:
    account = Account(name="away", api=f"http://127.0.0.1:{dead_port()}")
    accounts = station.accounts(away=account)
    adapter = await station.start(accounts=accounts)
    message = outbound("patient", account="away")
    await adapter.give(message)
    await station.eventually("SELECT tries > 1 FROM lane WHERE conversation = $1", message.conversation, wanted=True)
    accounts.current = station.accounts(away=Account(name="away", api=station.provider.address)).current
    assert statuses(await station.told(message)) == ["sent"]
    assert texts(station) == ["patient"]


async def test_a_connection_that_breaks_is_unknown_and_the_rest_goes_on(station: Station) -> None:
    station.provider.answers = [hangs_up()]
    adapter = await station.start()
    message = outbound(THREE)
    await adapter.give(message)
    deliveries = await station.told(message, pieces=3)
    assert statuses(deliveries) == ["unknown", "sent", "sent"]
    assert deliveries[0].failure.code == "unknown"
    assert texts(station) == ["aaaa bbbb", "cccc dddd", "eeee"]


async def test_where_our_key_is_honoured_the_same_piece_is_asked_again(station: Station) -> None:
    channel = make_channel(idempotent_for=timedelta(hours=1))
    station.provider.answers = [hangs_up(), says(502)]
    adapter = await station.start(channel)
    message = outbound("keyed")
    await adapter.give(message)
    assert statuses(await station.told(message)) == ["sent"]
    assert len(set(keys(station))) == 1
    assert len(station.provider.seen) == 3


async def test_after_the_provider_has_forgotten_our_key_it_is_unknown(station: Station) -> None:
    channel = make_channel(idempotent_for=timedelta(seconds=1))
    station.provider.by_path["/send/alice"] = hangs_up()
    adapter = await station.start(channel)
    message = outbound("keyed")
    await adapter.give(message)
    assert statuses(await station.told(message)) == ["unknown"]
    assert len(set(keys(station))) == 1


async def test_the_providers_memory_counts_from_the_first_try(station: Station) -> None:
    """The second try comes near the end of it, and the third would come after it: it is unknown at once, not in an hour."""
    channel = make_channel(idempotent_for=timedelta(hours=1))
    never = asyncio.Event()
    station.provider.answers = [waits_for(never), hangs_up()]
    adapter = await station.start(channel)
    message = outbound("keyed")
    await adapter.give(message)
    await station.provider.wait(1)
    await adapter.crash()
    first = await station.pool.fetchval("UPDATE piece SET first_sent_at = now() - interval '55 minutes' RETURNING 1")
    await station.expire_leases()
    await station.start(channel, pace=Pace(first=timedelta(minutes=20), longest=timedelta(minutes=20)))
    assert statuses(await station.told(message)) == ["unknown"]
    assert (first, len(station.provider.seen)) == (1, 2)
    ages = "SELECT first_sent_at < now() - interval '50 minutes' FROM piece WHERE message_id = $1"
    assert await station.pool.fetchval(ages, message.id)
    never.set()


@pytest.mark.parametrize(
    ("second", "wanted"),
    [(says(429, retry_after="1"), "unknown"), (says(403), "failed"), (says(200, {"id": 2}), "sent")],
)
async def test_what_an_exchange_has_shown_already_is_not_shown_again(
    station: Station, second: Any, wanted: str
) -> None:
    """Two requests that a person sees the effect of: when the second must wait, the first has left."""

    def twice(account: Account, piece: Piece, context: Any) -> Any:
        yield from send_text(account, piece, context)
        return (yield from send_text(account, piece, context))

    channel = make_channel()
    object.__setattr__(channel, "outbound", twice)
    station.provider.answers = [says(200, {"id": 1}), second]
    adapter = await station.start(channel)
    message = outbound("two in one")
    await adapter.give(message)
    assert statuses(await station.told(message)) == [wanted]
    assert texts(station) == ["two in one"] * 2


async def test_a_crash_with_a_key_that_is_honoured_is_asked_again(station: Station) -> None:
    channel = make_channel(idempotent_for=timedelta(hours=1))
    never = asyncio.Event()
    station.provider.answers = [waits_for(never)]
    adapter = await station.start(channel)
    message = outbound("keyed")
    await adapter.give(message)
    await station.provider.wait(1)
    await adapter.crash()
    await station.expire_leases()
    await station.start(channel)
    assert statuses(await station.told(message)) == ["sent"]
    assert len(set(keys(station))) == 1
    never.set()


async def test_a_crash_that_is_older_than_the_providers_memory_is_unknown(station: Station) -> None:
    channel = make_channel(idempotent_for=timedelta(hours=1))
    never = asyncio.Event()
    station.provider.answers = [waits_for(never)]
    adapter = await station.start(channel)
    message = outbound("keyed")
    await adapter.give(message)
    await station.provider.wait(1)
    await adapter.crash()
    await station.pool.execute("UPDATE piece SET first_sent_at = now() - interval '61 minutes'")
    await station.expire_leases()
    await station.start(channel)
    assert statuses(await station.told(message)) == ["unknown"]
    assert len(station.provider.seen) == 1
    never.set()


async def test_a_provider_that_has_it_already_counts_as_sent(station: Station) -> None:
    def outcome(response: Response) -> None:
        if response.status == 409:
            raise AlreadySent(external_ids=tuple(response.json()["ids"]))

    channel = make_channel()
    object.__setattr__(channel, "outcome", outcome)
    station.provider.answers = [says(409, {"ids": ["theirs-7"]})]
    adapter = await station.start(channel)
    message = outbound("again")
    await adapter.give(message)
    told = await station.told(message)
    assert statuses(told) == ["sent"]
    assert told[-1].external_ids == ("theirs-7",), "receipts find it by the name that the answer told"


async def test_an_answer_that_cannot_be_read_leaves_it_unknown(station: Station) -> None:
    station.provider.answers = [says(200, {"no": "id"})]
    adapter = await station.start()
    message = outbound("x")
    await adapter.give(message)
    assert statuses(await station.told(message)) == ["unknown"]
    assert len(station.provider.seen) == 1


async def test_behind_a_failed_piece_nothing_is_sent(station: Station) -> None:
    station.provider.answers = [says(200, {"id": 1}), says(403)]
    adapter = await station.start()
    message = outbound(THREE)
    following = outbound("next", conversation=message.conversation)
    await adapter.give(message, following)
    deliveries = await station.told(message, pieces=2)
    assert statuses(deliveries) == ["sent", "failed"]
    assert deliveries[1].failure.code == "blocked"
    assert statuses(await station.told(following)) == ["sent"]
    assert texts(station) == ["aaaa bbbb", "cccc dddd", "next"]
    assert await station.states(message) == ["sent", "failed", "skipped"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"account": "nobody"}, "unknown_account"),
        ({"tenant": "another"}, "unknown_account"),
        ({"channel": "viber"}, "unknown_account"),
        ({"parts": (Text(text="x " * 200),)}, "too_long"),
        ({"parts": (Media(media="video", blob="default/" + "0" * 64),)}, "unsupported"),
        ({"parts": (Media(media="image", blob="another/" + "0" * 64),)}, "refused"),
        ({"parts": (Media(media="image", blob="default/" + "0" * 64),)}, "malformed"),
    ],
)
async def test_what_cannot_be_sent_fails_with_its_code(station: Station, change: dict[str, Any], code: str) -> None:
    adapter = await station.start()
    message = outbound(**change)
    following = outbound("next", conversation=message.conversation)
    await adapter.give(message, following)
    (delivery,) = await station.told(message)
    assert (delivery.status, delivery.failure.code) == ("failed", code)
    assert statuses(await station.told(following)) == ["sent"]
    assert len(station.provider.seen) == 1


async def test_a_file_is_uploaded_once_per_account(station: Station) -> None:
    channel = make_channel(upload=upload)
    station.provider.by_path["/upload"] = says(200, {"handle": "H1"})
    stored = await station.blobs.put_bytes("default", b"a picture")
    adapter = await station.start(channel)
    picture = (Media(media="image", state="stored", blob=stored.ref, mime_type="image/png", name="រូប.png"),)
    for number, account in enumerate(("main", "main", "other")):
        message = outbound(parts=picture, account=account, peer=f"p{number}")
        await adapter.give(message)
        assert statuses(await station.told(message)) == ["sent"]
        assert texts(station, f"p{number}") == ["H1"]
    uploads = [seen for seen in station.provider.seen if seen.path == "/upload"]
    assert [seen.form["file"][2] for seen in uploads] == [b"a picture", b"a picture"]


async def test_each_file_of_a_bundle_is_uploaded_and_named_to_the_channel(station: Station) -> None:
    sizes = []

    def measured(account: Account, media: Media, context: Context) -> Steps[Handle]:
        sizes.append(media.size)
        return upload(account, media, context)

    async def names(request: Any) -> Any:
        return web.json_response({"handle": f"H{len(sizes)}"})

    station.provider.by_path["/upload"] = names
    adapter = await station.start(make_channel(upload=measured, attachments=3))
    contents = (b"a", b"bc", b"def")
    stored = [await station.blobs.put_bytes("default", content) for content in contents]
    files = tuple(Media(media="file", state="stored", blob=one.ref, size=77) for one in stored)
    message = outbound(parts=(Text(text="look"), *files))
    await adapter.give(message)
    assert statuses(await station.told(message)) == ["sent"]
    sent = orjson.loads(station.provider.seen[-1].body)
    assert (sent["text"], sent["files"]) == ("look", ["H1", "H2", "H3"])
    assert sizes == [1, 2, 3], "what the store says, whatever the request did"


async def test_a_file_that_is_larger_than_was_said_is_not_uploaded(station: Station) -> None:
    stored = await station.blobs.put_bytes("default", b"0123456789")
    adapter = await station.start(make_channel(upload=upload, media_bytes=9))
    message = outbound(parts=(Media(media="file", state="stored", blob=stored.ref, size=1),))
    await adapter.give(message)
    (delivery,) = await station.told(message)
    assert (delivery.status, delivery.failure.code) == ("failed", "too_long")
    assert station.provider.seen == []


async def test_an_upload_that_fails_has_sent_nothing_and_is_tried_again(station: Station) -> None:
    channel = make_channel(upload=upload)
    answers = [hangs_up()] * 4 + [says(200, {"handle": "H1"})]

    async def flaky(request: Any) -> Any:
        return await answers.pop(0)(request)

    station.provider.by_path["/upload"] = flaky
    stored = await station.blobs.put_bytes("default", b"a picture")
    adapter = await station.start(channel)
    message = outbound(parts=(Media(media="image", state="stored", blob=stored.ref),))
    await adapter.give(message)
    assert statuses(await station.told(message)) == ["sent"]
    assert texts(station) == ["H1"]


async def test_a_services_own_way_is_asked_again_with_the_same_id(station: Station) -> None:
    given: list[tuple[str, str, str]] = []

    async def own(account: Any, piece: Piece, message: Outbound) -> Sent:
        given.append((account.name, piece.id, message.peer))
        if len(given) == 1:
            raise DatabaseUnavailable
        return Sent(external_ids=(piece.id,))

    channel = make_channel()
    object.__setattr__(channel, "outbound", None)
    adapter = await station.start(channel, senders={"line": own})
    message = outbound("hello")
    await adapter.give(message)
    (delivery,) = await station.told(message)
    assert (delivery.status, delivery.external_ids) == ("sent", (given[0][1],))
    assert given == [("main", given[0][1], "alice")] * 2


async def test_typing_is_shown_at_once_or_not_at_all(station: Station) -> None:
    adapter = await station.start()
    now = datetime.now(UTC)
    marks = [
        Typing(
            tenant="default", channel="line", account="main", peer=peer, occurred_at=at, reply_to="m7", thread_key="t1"
        )
        for peer, at in (("old", now - timedelta(minutes=1)), ("alice", now + timedelta(minutes=10)))
    ]
    for mark in marks:
        record = station._record("outbound.typing", "outbound.chat.v1", "c", mark, str(uuid.uuid4()))
        await station.producer.send(record)
    await station.provider.wait(1)
    assert [seen.path for seen in station.provider.seen] == ["/typing/alice"]
    assert orjson.loads(station.provider.seen[0].body) == {"reply_to": "m7", "topic": "t1"}
    assert await station.pool.fetchval("SELECT count(*) FROM send") == 0
    assert not adapter.task.done()


async def test_a_record_that_is_nothing_to_send_is_refused(station: Station) -> None:
    adapter = await station.start()
    record = station.outbound_record(outbound())
    with pytest.raises(Malformed):
        await adapter.deliver.handle("outbound", 0, [record.__class__(**{**_fields(record), "model": object()})], 0, 1)


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}


async def test_without_postgresql_the_reader_waits(station: Station) -> None:
    nowhere = station.settings.model_copy(update={"database": SecretStr(f"postgresql://x@127.0.0.1:{dead_port()}/x")})
    async with open_pool(nowhere, SCHEMA) as pool:
        adapter = await station.start(pool=pool)
        with pytest.raises(DatabaseUnavailable):
            await adapter.give(outbound())
        await adapter.crash()


async def test_an_outcome_waits_for_postgresql(station: Station) -> None:
    """PostgreSQL goes away between the request and its answer: the worker keeps what it knows."""
    held = asyncio.Event()
    station.provider.answers = [waits_for(held)]
    cable = Cable(station.settings.database.get_secret_value())
    await cable.mend()
    through = station.settings.model_copy(update={"database": SecretStr(cable.dsn)})
    async with open_pool(through, SCHEMA) as pool:
        adapter = await station.start(pool=pool)
        message = outbound("patient")
        await adapter.give(message)
        await station.provider.wait(1)
        await cable.cut()
        held.set()
        with pytest.raises(DatabaseUnavailable):
            await adapter.give(outbound())
        assert await station.states(message) == ["sending"]
        await cable.mend()
        assert statuses(await station.told(message)) == ["sent"]
        await adapter.crash()
    await cable.cut()
    assert texts(station) == ["patient"]


async def test_a_process_that_ends_in_order_leaves_nothing_half_done(station: Station) -> None:
    held = asyncio.Event()
    station.provider.answers = [waits_for(held)]
    adapter = await station.start()
    message = outbound(THREE)
    waiting = outbound("after", conversation=message.conversation)
    await adapter.give(message, waiting)
    await station.provider.wait(1)
    draining = asyncio.create_task(adapter.deliver.drain())
    held.set()
    await draining
    assert await station.states(message) == ["sent", "sent", "sent"]
    assert statuses(await station.told(message, pieces=3)) == ["sent"] * 3
    assert await station.pool.fetchval("SELECT owner IS NULL FROM lane") is True
    await station.start()
    assert statuses(await station.told(waiting)) == ["sent"]


async def test_two_processes_send_everything_once_and_in_order(station: Station) -> None:
    one, two = await station.start(), await station.start()
    conversations = [uuid.uuid4() for _ in range(6)]
    for number in range(15):
        batch = [
            outbound(f"{number}", conversation=conversation, peer=f"p{place}")
            for place, conversation in enumerate(conversations)
        ]
        await (one if number % 2 else two).give(*batch)
    await station.eventually("SELECT count(*) FROM send WHERE done_at IS NOT NULL", wanted=90)
    for place in range(6):
        assert texts(station, f"p{place}") == [str(number) for number in range(15)]
    await station.eventually("SELECT count(*) FROM lane", wanted=0)
