"""The router's HTTP API on a real PostgreSQL and a real Kafka."""

import asyncio
import base64
import inspect
import re
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from aiohttp import ClientTimeout
from aiokafka import AIOKafkaConsumer
from pydantic import SecretStr

from services.router.api import Deps
from services.router.api.feed import QUEUE, Dropped, Listener
from services.router.api.media import sign
from services.router.api.page import ROOT
from services.router.api.requests import OF_CONVERSATION
from services.router.api.state import Standing
from services.router.api.tail import Event
from services.router.api.tokens import Tokens
from services.router.fold import bonds, persons
from shared.bus import cloudevents
from shared.bus.produce import Producer
from shared.contract import envelope
from shared.contract.codes import CODES, STATUSES
from shared.contract.events import Step
from shared.contract.records import EVENTS, INBOUND_LIMIT, REQUESTS
from shared.runtime.settings import Kept
from tests.patience import SECONDS
from tests.provider import dead_port
from tests.services.router.served import (
    BEARER,
    PNG,
    START,
    TOKEN,
    add_conversation,
    add_event,
    get,
    insert,
    open_house,
    post,
    serving,
)


@pytest.fixture(scope="module")
async def house(servers, tmp_path_factory):
    async with open_house(servers, tmp_path_factory.mktemp("blobs")) as opened:
        yield opened


async def publish(house, number, *, key="c", value=None):
    await house.producer.send(
        cloudevents.Out(
            topic=house.settings.topic(EVENTS),
            key=key.encode(),
            value=value or orjson.dumps({"sequence": number, "conversation": key}),
            headers=cloudevents.headers(
                "message.received", source="/test", id=f"{key}-{number}", time=START, tenant="default", subject=key
            ),
        )
    )


def cursor(at: str) -> str:
    return base64.urlsafe_b64encode(f"{at} {uuid.UUID(int=7)}".encode()).decode().rstrip("=")


class TestTheDoor:
    @pytest.mark.parametrize(
        "header", ["", "Bearer", "Bearer wrong", f"bearer{TOKEN}", f"Bearer {TOKEN}x", "Bearer ké"]
    )
    async def test_is_shut_without_the_token(self, house, header):
        async with house.client.get("/api/conversations", headers={"Authorization": header}) as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert (await answer.json())["error"]["code"] == "auth"

    async def test_of_a_router_without_a_token_opens_for_nobody(self, house):
        closed = house.settings.model_copy(update={"token": SecretStr("")})
        deps = Deps(**{**vars(house.deps), "settings": closed, "tokens": Tokens(closed)})
        async with serving(deps) as client:
            for bearer in ("Bearer ", "Bearer x", ""):
                async with client.get("/api/conversations", headers={"Authorization": bearer}) as answer:
                    assert answer.status == 403
            ref = f"default/{'0' * 64}"
            forged = sign(SecretStr(""), ref, expires=int(time.time()) + 60, name="")
            query = {"expires": int(time.time()) + 60, "name": "", "signature": forged}
            async with client.get(f"/media/{ref}", params=query) as answer:
                assert answer.status == 403

    async def test_guards_every_address_but_the_page_and_signed_media(self, house):
        guarded = [
            ("GET", "/api/conversations"),
            ("GET", f"/api/conversations/{uuid.uuid4()}"),
            ("GET", f"/api/messages/{uuid.uuid4()}"),
            ("GET", "/api/ids/00000000"),
            ("GET", f"/api/messages/{uuid.uuid4()}/html"),
            ("GET", f"/api/messages/{uuid.uuid4()}/published"),
            ("GET", "/api/events"),
            ("GET", "/api/accounts"),
            ("GET", "/api/state"),
            ("GET", f"/api/media/default/{'0' * 64}"),
            ("GET", "/console/config.json"),
            ("POST", f"/api/conversations/{uuid.uuid4()}/fit"),
            *(("POST", f"/api/conversations/{uuid.uuid4()}/{name}") for name in OF_CONVERSATION),
            ("POST", "/api/send"),
            ("POST", "/api/media"),
        ]
        for method, path in guarded:
            async with house.client.request(method, path) as answer:
                assert answer.status == 401, path


class TestConversations:
    async def test_come_newest_first_and_pages_join_without_overlap(self, house):
        mark = uuid.uuid4().hex
        made = [
            await add_conversation(house.pool, peer=f"{mark}-{number}", last_at=START + timedelta(seconds=number // 2))
            for number in range(7)
        ]
        seen, before = [], ""
        while True:
            page = await get(house, "/api/conversations", params={"limit": 3, "q": mark, "before": before})
            seen += [row["id"] for row in page["conversations"]]
            times = [row["last_at"] for row in page["conversations"]]
            assert times == sorted(times, reverse=True)
            before = page["next"]
            if not before:
                break
        assert len(seen) == len(set(seen)) == 7
        assert set(seen) == set(map(str, made))

    async def test_are_found_by_part_of_name_or_address_in_any_script_and_case(self, house):
        khmer = await add_conversation(house.pool, name="សុខា ចាន់", peer="v-31")
        percent = await add_conversation(house.pool, name="100%_sure", peer="Someone@Example.org")
        for words, expected in (("ខា ច", khmer), ("%_S", percent), ("one@example", percent)):
            found = await get(house, "/api/conversations", params={"q": words})
            assert [row["id"] for row in found["conversations"]] == [str(expected)]

    @pytest.mark.parametrize(
        "query",
        [
            "before=nonsense",
            "before=MjAyNg",
            f"before={cursor('0001-01-01T00:00:00+07:00')}",
            "before=%C3%A9",
            f"before={cursor('9999-12-31T23:59:59-12:00')}",
            "limit=-1",
            "limit=x",
            "q=" + "a" * 201,
            "q=%00",
        ],
    )
    async def test_refuse_what_cannot_be_a_query(self, house, query):
        answer = await get(house, f"/api/conversations?{query}", status=400)
        assert answer["error"]["code"] == "malformed"

    async def test_say_who_has_the_thread_and_since_when_the_person_has_stopped_the_account(self, house):
        since = START.isoformat().replace("+00:00", "Z")
        conversation = await add_conversation(house.pool, responder="booking", responder_at=START, blocked_at=START)
        shown = await get(house, f"/api/conversations/{conversation}")
        assert (shown["responder"], shown["responder_at"], shown["blocked_at"]) == ("booking", since, since)
        ordinary = await get(house, f"/api/conversations/{await add_conversation(house.pool)}")
        assert (ordinary["responder"], ordinary["blocked_at"], ordinary["braked_until"]) == (None, None, None)

    async def test_say_until_when_programs_are_refused(self, house):
        at = {"levels": [15.0, 15.0], "at": START.isoformat()}
        braked = await add_conversation(house.pool, brake=at | {"until": START.isoformat()})
        counted = await add_conversation(house.pool, brake=at)
        listed = {one["id"]: one for one in (await get(house, "/api/conversations"))["conversations"]}
        until = START.isoformat().replace("+00:00", "Z")
        for rows in (listed, {str(id_): await get(house, f"/api/conversations/{id_}") for id_ in (braked, counted)}):
            assert (rows[str(braked)]["braked_until"], rows[str(counted)]["braked_until"]) == (until, None)

    @pytest.mark.parametrize(
        ("name", "signed", "verified"), [("Dara", "Dara", True), ("the manager", "Dara", False), (None, None, False)]
    )
    async def test_say_whose_word_their_name_is(self, house, name, signed, verified):
        conversation = await add_conversation(house.pool, name=name, signed_name=signed)
        assert (await get(house, f"/api/conversations/{conversation}"))["name_verified"] is verified

    async def test_have_their_events_in_sequence_order_from_both_tables(self, house):
        conversation = await add_conversation(house.pool, last_sequence=4, window={"allows": ["template"]})
        one, two = uuid.uuid4(), uuid.uuid4()
        await add_event(house.pool, conversation, 1, "conversation.opened", {"channel": "webchat"})
        await add_event(house.pool, conversation, 4, "message.status", {"status": "sent"}, message=two)
        await add_event(house.pool, conversation, 3, "message.queued", {"message": {"id": str(two)}}, message=two)
        await add_event(house.pool, conversation, 2, "message.received", {"message": {"text": "សួស្តី"}}, message=one)
        whole = await get(house, f"/api/conversations/{conversation}")
        assert whole["window"] == {"allows": ["template"]}
        assert [event["sequence"] for event in whole["events"]] == [1, 2, 3, 4]
        assert whole["events"][1]["data"] == {"sequence": 2, "message": {"text": "សួស្តី"}}
        assert whole["events"][1] | {"data": None} == {
            "sequence": 2,
            "id": str(one),
            "type": "message.received",
            "at": "2026-01-02T03:04:05Z",
            "data": None,
        }
        rest = await get(house, f"/api/conversations/{conversation}", params={"after": 1, "limit": 2})
        assert [event["sequence"] for event in rest["events"]] == [2, 3]

    async def test_say_who_was_introduced_before_the_events_that_are_asked_for(self, house):
        """Whoever shows the end of a long conversation knows the names that its beginning told."""
        conversation = await add_conversation(house.pool, last_sequence=3)
        for number, name in enumerate(("Dara", "Dara Sok", "later"), start=1):
            told = {"participant": {"address": "u-1", "name": name}}
            await add_event(house.pool, conversation, number, "conversation.participant", told)
        rest = await get(house, f"/api/conversations/{conversation}", params={"after": 2})
        assert rest["people"] == {"u-1": "Dara Sok"}
        assert (await get(house, f"/api/conversations/{conversation}"))["people"] == {}

    async def test_say_how_far_our_newest_message_is(self, house):
        conversation = await add_conversation(house.pool, peer=f"sent-{uuid.uuid4().hex}")
        for status, seconds in (("failed", 1), ("read", 0)):
            about = {"message_id": uuid.uuid4(), "request_id": "r", "at": START + timedelta(seconds=seconds)}
            await insert(house.pool, "sending", {"conversation_id": conversation, "status": status, **about})
        assert (await get(house, f"/api/conversations/{conversation}"))["sending"]["status"] == "failed"

    async def test_that_do_not_exist_are_told_apart_from_ids_that_cannot(self, house):
        unknown = await get(house, f"/api/conversations/{uuid.uuid4()}", status=404)
        assert unknown["error"]["code"] == "unknown_conversation"
        assert (await get(house, "/api/conversations/x", status=400))["error"]["code"] == "malformed"


async def test_the_parts_of_the_system_are_told_each_by_itself(house):
    """Here is a Kafka and a PostgreSQL, and no service that reads."""
    parts = {one["name"]: one["state"] for one in (await get(house, "/api/state"))["parts"]}
    assert (parts.pop("kafka"), parts.pop("postgresql")) == ("works", "works")
    assert set(parts) == {"router", "email_adapter", "social_adapter", "chat_adapter"}
    assert set(parts.values()) == {"absent"}
    away = house.settings.model_copy(update={"kafka": f"127.0.0.1:{dead_port()}"})
    told = dict(await Standing(away, house.pool).parts())
    assert (told["kafka"], told["postgresql"], told["chat_adapter"]) == ("away", "works", "unknown")


async def test_ids_are_found_by_how_they_begin(house):
    one = await add_conversation(house.pool)
    message = uuid.UUID(f"{str(one)[:9]}{str(uuid.uuid4())[9:]}")
    await add_event(house.pool, one, 1, "message.received", {}, message=message)
    for prefix in (str(one)[:8], str(one)[:9].upper()):
        found = await get(house, f"/api/ids/{prefix}")
        assert (found["conversations"], found["messages"]) == ([str(one)], [str(message)])
    assert await get(house, f"/api/ids/{message}") == {"conversations": [], "messages": [str(message)]}
    for nonsense in ("123", "xyz12345", "0" * 33):
        assert (await get(house, f"/api/ids/{nonsense}", status=400))["error"]["code"] == "malformed"


async def test_a_message_is_shown_with_its_whole_way(house):
    conversation, message = await add_conversation(house.pool), uuid.uuid4()
    await add_event(house.pool, conversation, 1, "message.queued", {}, message=message)
    await add_event(house.pool, conversation, 2, "message.status", {"status": "sent"}, message=message)
    await add_event(house.pool, conversation, 3, "message.status", {"status": "sent"}, message=uuid.uuid4())
    sending = {"message_id": message, "conversation_id": conversation, "status": "sent", "request_id": "r", "at": START}
    await insert(house.pool, "sending", sending)
    way = await get(house, f"/api/messages/{message}")
    assert (way["conversation"], way["announced"]["type"]) == (str(conversation), "message.queued")
    assert (way["sending"]["status"], way["sending"]["request_id"]) == ("sent", "r")
    assert [event["sequence"] for event in way["events"]] == [1, 2]
    assert (await get(house, f"/api/messages/{uuid.uuid4()}", status=404))["error"]["code"] == "not_found"

    async def test_that_were_trimmed_begin_behind_what_is_gone_and_say_for_how_long_it_was_kept(self, house):
        kept = house.settings.model_copy(update={"retention": {"default": Kept(messages=90)}})
        conversation = await add_conversation(house.pool, last_sequence=5, removed_to=3)
        await add_event(
            house.pool, conversation, 2, "conversation.participant", {"participant": {"address": "u1", "name": "Ann"}}
        )
        for sequence in (4, 5):
            await add_event(house.pool, conversation, sequence, "conversation.notice", {})
        found = await get(house, f"/api/conversations/{conversation}")
        assert (found["removed_to"], found["kept_days"], found["people"]) == (3, None, {"u1": "Ann"})
        assert [event["sequence"] for event in found["events"]] == [4, 5]
        async with serving(Deps(**{**vars(house.deps), "settings": kept})) as client:
            async with client.get(f"/api/conversations/{conversation}", headers=BEARER) as answer:
                assert (await answer.json())["kept_days"] == 90
            for path in ("conversations", "messages"):
                async with client.get(f"/api/{path}/{uuid.uuid4()}", headers=BEARER) as answer:
                    assert answer.status == 404
                    assert "is removed" in (await answer.json())["error"]["detail"]


class TestRequests:
    async def requests(self, house, request_id):
        """All records of requests.v1 with this id."""
        consumer = AIOKafkaConsumer(
            house.settings.topic(REQUESTS),
            bootstrap_servers=house.settings.kafka,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            ends = await consumer.end_offsets(consumer.assignment())
            found = []
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += [record for record in batch if dict(record.headers)["ce_id"] == request_id.encode()]
            return found
        finally:
            await consumer.stop()

    async def test_a_reply_becomes_the_record_that_any_system_could_write(self, house):
        conversation, request_id = uuid.uuid4(), f"once-{uuid.uuid4()}"
        body = {"parts": [{"kind": "text", "text": "ពីរថ្ងៃ"}], "expires_at": "2030-01-01T00:00:00Z"}
        path = f"/api/conversations/{conversation}/reply"
        answer = await post(house, path, body, status=202, headers={"Idempotency-Key": request_id})
        assert answer == {
            "request_id": request_id,
            "message_id": str(envelope.requested_id("default", request_id)),
        }
        [record] = await self.requests(house, request_id)
        assert record.key == str(conversation).encode()
        assert dict(record.headers)["ce_type"] == b"parley.request.reply.v1"
        read = cloudevents.decode(record).model
        assert (read.conversation, read.parts[0].text, read.expires_at.year) == (conversation, "ពីរថ្ងៃ", 2030)

    async def test_the_conversation_in_the_address_is_the_one_that_counts(self, house):
        conversation, request_id = uuid.uuid4(), f"addr-{uuid.uuid4()}"
        body = {"parts": [{"kind": "text", "text": "x"}], "conversation": str(uuid.uuid4())}
        path = f"/api/conversations/{conversation}/reply"
        await post(house, path, body, status=202, headers={"Idempotency-Key": request_id})
        [record] = await self.requests(house, request_id)
        assert cloudevents.decode(record).model.conversation == conversation

    async def test_without_a_key_each_is_a_message_of_its_own(self, house):
        path = f"/api/conversations/{uuid.uuid4()}/reply"
        body = {"parts": [{"kind": "text", "text": "x"}]}
        answers = [await post(house, path, body, status=202) for _ in range(2)]
        assert answers[0]["message_id"] != answers[1]["message_id"]

    async def test_a_send_is_keyed_by_its_address(self, house):
        request_id = f"send-{uuid.uuid4()}"
        body = {"channel": "sms", "account": "kh", "address": "+855 12", "parts": [{"kind": "text", "text": "x"}]}
        await post(house, "/api/send", body, status=202, headers={"Idempotency-Key": request_id})
        [record] = await self.requests(house, request_id)
        assert record.key == b"default|sms|kh|+855%2012"

    @pytest.mark.parametrize(
        ("name", "body"),
        [
            ("typing", {}),
            ("grow", {"answer": "answer-7", "text": "We open"}),
            ("edit", {"message": str(uuid.uuid4()), "parts": [{"kind": "text", "text": "x"}]}),
            ("delete", {"message": str(uuid.uuid4())}),
            ("react", {"message": str(uuid.uuid4()), "emoji": "🙏", "removed": True}),
            ("seen", {"message": str(uuid.uuid4())}),
            ("handover", {"action": "pass", "to": "inbox", "note": "please"}),
            ("cancel", {"message": str(uuid.uuid4())}),
            ("close", {"reason": "answered"}),
            ("reopen", {}),
            ("reachable", {"reason": "they called"}),
            ("assign", {"assignee": "Sophea"}),
            ("tag", {"add": ["vip"], "remove": [], "priority": "high"}),
            ("read", {"upto": 12}),
        ],
    )
    async def test_what_is_asked_of_a_conversation_travels_as_a_request_under_its_key(self, house, name, body):
        conversation = uuid.uuid4()
        answer = await post(house, f"/api/conversations/{conversation}/{name}", body, status=202)
        [record] = await self.requests(house, answer["request_id"])
        assert (dict(record.headers)["ce_type"], record.key) == (
            f"parley.request.{name}.v1".encode(),
            str(conversation).encode(),
        )
        asked = cloudevents.decode(record).model.model_dump(mode="json")
        assert body.items() <= asked.items() or name == "edit"
        assert asked.get("conversation", str(conversation)) == str(conversation)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            [],
            {"parts": []},
            {"parts": [{"kind": "no such kind"}]},
            {"parts": [{"kind": "text"}]},
            {"parts": [{"kind": "text", "text": "x"}] * 21},
            {"parts": [{"kind": "text", "text": "x"}], "expires_at": "yesterday"},
        ],
    )
    async def test_what_is_no_request_is_refused_before_the_bus(self, house, body):
        request_id = f"bad-{uuid.uuid4()}"
        path = f"/api/conversations/{uuid.uuid4()}/reply"
        answer = await post(house, path, body, status=400, headers={"Idempotency-Key": request_id})
        assert answer["error"]["code"] == "malformed"
        assert await self.requests(house, request_id) == []

    async def test_a_refusal_does_not_repeat_what_was_written(self, house):
        path = f"/api/conversations/{uuid.uuid4()}/reply"
        answer = await post(house, path, {"parts": [{"kind": "text", "text": 5, "html": "my secret"}]}, status=400)
        assert "secret" not in answer["error"]["detail"]

    async def test_limits_hold_for_body_and_key(self, house):
        path = f"/api/conversations/{uuid.uuid4()}/reply"
        long = {"parts": [{"kind": "text", "text": "x" * 1024 * 1024}]}
        assert (await post(house, path, long, status=413))["error"]["code"] == "too_long"
        unread = {"parts": [{"kind": "text", "text": "x" * INBOUND_LIMIT}]}
        assert (await post(house, path, unread, status=413))["error"]["code"] == "too_long"
        await post(
            house, path, {"parts": [{"kind": "text", "text": "x"}]}, status=400, headers={"Idempotency-Key": "a b"}
        )

    async def test_a_bus_that_does_not_acknowledge_is_told_as_503(self, house):
        away = Producer(house.settings.model_copy(update={"kafka": "127.0.0.1:9"}))
        await away.start()
        async with serving(Deps(**{**vars(house.deps), "producer": away})) as client:
            path = f"/api/conversations/{uuid.uuid4()}/reply"
            body = {"parts": [{"kind": "text", "text": "x"}]}
            async with client.post(path, headers=BEARER, json=body) as answer:
                assert answer.status == 503
                assert (await answer.json())["error"]["code"] == "unreachable"
                assert answer.headers["Retry-After"]


async def read_sse(answer):
    """(id, data) of each event; data is None for a position."""
    block = {}
    async for raw in answer.content:
        line = raw.decode().rstrip("\n")
        if line:
            name, _, value = line.partition(": ")
            block[name] = value
            continue
        yield block["id"], None if block.get("event") == "position" else orjson.loads(block["data"])
        block = {}


async def take(stream, count):
    async with asyncio.timeout(SECONDS):
        found = []
        while len(found) < count:
            item = await anext(stream)
            if item[1]:
                found.append(item)
        return found


def listening(house, *, last="", path="/api/events"):
    headers = BEARER | ({"Last-Event-ID": last} if last else {})
    return house.client.get(path, headers=headers, timeout=ClientTimeout(total=SECONDS))


class TestTheStream:
    async def test_begins_now_and_tells_each_event_with_its_place_and_time(self, house):
        await publish(house, 1, key="before")
        async with listening(house) as answer:
            assert answer.headers["Content-Type"] == "text/event-stream"
            stream = read_sse(answer)
            _, nothing = await anext(stream)
            assert nothing is None
            await publish(house, 1, key="after")
            [(position, event)] = await take(stream, 1)
        assert (event["id"], event["key"], event["type"]) == ("after-1", "after", "parley.message.received.v1")
        assert event["data"] == {"sequence": 1, "conversation": "after"}
        assert abs(datetime.fromisoformat(event["published_at"]) - datetime.now(UTC)) < timedelta(minutes=1)
        assert f"{event['partition']}:{event['offset'] + 1}" in position.split(",")

    async def test_goes_on_after_the_last_event_without_gap_or_repetition(self, house):
        key = uuid.uuid4().hex
        async with listening(house) as answer:
            stream = read_sse(answer)
            await anext(stream)
            await publish(house, 1, key=key)
            [(last, _)] = await take(stream, 1)
        for number in range(2, 30):
            await publish(house, number, key=key)
        async with listening(house, last=last) as answer:
            stream = read_sse(answer)
            early = await take(stream, 28)
            for number in range(30, 40):
                await publish(house, number, key=key)
            late = await take(stream, 10)
        assert [event["data"]["sequence"] for _, event in early + late] == list(range(2, 40))

    async def test_can_begin_at_the_beginning(self, house):
        key = uuid.uuid4().hex
        await publish(house, 1, key=key)
        async with listening(house, path="/api/events?from=beginning") as answer:
            seen = []
            async with asyncio.timeout(SECONDS):
                async for _, event in read_sse(answer):
                    if event is None:
                        break
                    seen.append(event["key"])
        assert key in seen

    async def test_passes_on_what_is_not_json_without_its_value(self, house):
        async with listening(house) as answer:
            stream = read_sse(answer)
            await anext(stream)
            await publish(house, 1, key="torn", value=b'{"a":\n\ndata: injected')
            await publish(house, 2, key="torn")
            found = await take(stream, 2)
        assert [event["data"] and event["data"]["sequence"] for _, event in found] == [None, 2]

    @pytest.mark.parametrize("last", ["x", "1", "1:2:3", "-1:5", "1:-5", "0:1," * 4000])
    async def test_refuses_an_id_that_it_did_not_give(self, house, last):
        async with listening(house, last=last) as answer:
            assert answer.status == 400

    async def test_ends_at_once_when_the_process_stops(self, house):
        async with serving(house.deps) as client:
            async with client.get("/api/events", headers=BEARER) as answer:
                stream = read_sse(answer)
                await anext(stream)
                async with asyncio.timeout(SECONDS):
                    await client.server.app.shutdown()
                    assert [item async for item in stream] == []

    async def test_lets_a_listener_go_that_is_too_far_behind(self):
        listener = Listener({0: 0})
        for offset in range(QUEUE + 1):
            listener.offer(Event(0, offset, b"{}"))
        with pytest.raises(Dropped):
            await listener.take()


async def test_accounts_are_shown_as_they_last_said(house):
    async with asyncio.timeout(SECONDS):
        await house.deps.directory.complete.wait()
    [account] = (await get(house, "/api/accounts"))["accounts"]
    assert (account["account"], account["capabilities"]["unit"]) == ("site", "graphemes")


class TestMedia:
    async def put(self, house, content, *, status=201, name="", kind="image/png"):
        headers = BEARER | {"Content-Type": kind, "X-Filename": name}
        async with house.client.post("/api/media", headers=headers, data=content) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def address(self, house, stored):
        path = f"/api/media/{stored['blob']}"
        return (await get(house, path, params={"name": stored["name"]}))["url"]

    async def test_come_back_as_they_were_sent_under_an_address_without_token(self, house):
        stored = await self.put(house, PNG, name="%E1%9E%9A%E1%9E%BC%E1%9E%94.png", kind="image/png; charset=x")
        assert (stored["size"], stored["mime_type"], stored["name"]) == (len(PNG), "image/png", "រូប.png")
        async with house.client.get(await self.address(house, stored)) as answer:
            assert await answer.read() == PNG
            assert answer.headers["Content-Type"] == "image/png"
            assert answer.headers["Content-Disposition"].startswith("inline; filename*=UTF-8''%E1%9E%9A")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Cache-Control"].startswith("private")

    async def test_are_shown_for_what_they_are_never_for_what_they_are_called(self, house):
        page = await self.put(house, b"<svg onload=alert(1)>", name="a.png", kind="image/png")
        async with house.client.get(await self.address(house, page)) as answer:
            assert answer.headers["Content-Type"] == "application/octet-stream"
            assert answer.headers["Content-Disposition"].startswith("attachment")

    async def test_names_cannot_lead_astray(self, house):
        stored = await self.put(house, PNG, name="..%2F..%2Fetc%2Fpass%0D%0Awd%E2%80%AEgpj.exe")
        assert not re.search(r"[/\\\r\n\u202e]", stored["name"])

    @pytest.mark.parametrize("change", ["expires", "name", "signature", "ref"])
    async def test_an_address_that_was_changed_is_refused(self, house, change):
        stored, other = await self.put(house, PNG), await self.put(house, PNG + b"other")
        url = await self.address(house, stored)
        changed = {
            "expires": re.sub(r"expires=(\d+)", lambda found: f"expires={int(found[1]) + 1}", url),
            "name": url.replace("name=", "name=x"),
            "signature": url[:-1] + ("0" if url[-1] != "0" else "1"),
            "ref": url.replace(stored["blob"], other["blob"]),
        }[change]
        assert changed != url
        async with house.client.get(changed) as answer:
            assert answer.status == 403

    async def test_an_address_expires(self, house):
        ref, past = (await self.put(house, PNG))["blob"], int(time.time()) - 1
        query = {"expires": past, "name": "", "signature": sign(house.settings.token, ref, expires=past, name="")}
        async with house.client.get(f"/media/{ref}", params=query) as answer:
            assert answer.status == 410

    async def test_what_is_too_large_is_refused_while_it_comes(self, house):
        async def endless():
            for _ in range(26):
                yield bytes(1024 * 1024)

        assert (await self.put(house, endless(), status=413))["error"]["code"] == "too_long"

    async def test_nothing_and_the_unknown_are_told(self, house):
        assert (await self.put(house, b"", status=400))["error"]["code"] == "malformed"
        assert (await get(house, f"/api/media/default/{'0' * 64}", status=404))["error"]["code"] == "not_found"


class TestThePage:
    async def test_lets_nothing_run_but_its_own_files(self, house):
        async with house.client.get("/console/") as answer:
            assert answer.status == 200
            policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["connect-src"] == policy["frame-src"] == "'self' http://127.0.0.1:1111 http://127.0.0.1:2222"
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"

    async def test_gives_its_files_and_no_others(self, house):
        async with house.client.get("/console/main.js") as answer:
            assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        for path in ("/console/../api/page.py", "/console/%2e%2e/api/page.py", "/console//etc/passwd", "/console/x"):
            async with house.client.get(path) as answer:
                assert answer.status == 404, path

    async def test_tells_where_the_customers_side_is_only_with_the_token(self, house):
        assert await get(house, "/console/config.json") == {
            "console_chat": "http://127.0.0.1:1111",
            "console_sandbox": "http://127.0.0.1:2222/",
            "scope": "admin",
        }

    async def test_offers_every_language_that_has_a_file(self, house):
        async with house.client.get("/console/languages.json") as answer:
            offered = await answer.json()
        assert set(offered) == {file.stem for file in (ROOT / "i18n").glob("*.json")} >= {"en", "km"}

    def test_never_makes_markup_from_text(self):
        dangerous = re.compile(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|DOMParser"
        )
        scripts = list(ROOT.rglob("*.js"))
        assert len(scripts) > 10
        assert [file.name for file in scripts if dangerous.search(file.read_text())] == []
        assert not re.search(r"\son\w+=|<script(?![^>]*\ssrc=)|style=", (ROOT / "index.html").read_text())

    @pytest.mark.parametrize("file", sorted((ROOT / "i18n").glob("*.json")), ids=lambda file: file.stem)
    def test_says_everything_in_every_language_with_the_same_gaps(self, file):
        words, english = (orjson.loads(Path(path).read_bytes()) for path in (file, ROOT / "i18n" / "en.json"))
        assert words.keys() == english.keys()
        said = re.findall(r'^  "([^"]+)":', file.read_text(), flags=re.MULTILINE)
        assert len(said) == len(words), "a word that stands twice says what comes last"
        for key, text in words.items():
            assert gaps(text) == gaps(english[key]), key

    def test_uses_only_words_that_exist_and_keeps_none_that_nobody_uses(self):
        english = orjson.loads((ROOT / "i18n" / "en.json").read_bytes())
        page, scripts = (ROOT / "index.html").read_text(), "".join(file.read_text() for file in ROOT.rglob("*.js"))
        used = set(re.findall(r'data-(?:t|label|tip|placeholder)="(\w+)"', page))
        used |= set(re.findall(r'\b(?:t|pick|turn|choice|emptyEntry)\((?:app, )?"(\w+)"', scripts))
        assert used - english.keys() == set()
        families = set(re.findall(r"`(\w+_)\$\{", scripts)) | {"status_", "channel_"}
        named = set(re.findall(r'"([\w.]+)"', scripts)) | used
        idle = {key for key in english if key not in named and not key.startswith(tuple(families))}
        assert idle == set()

    def test_has_words_for_every_code_status_place_and_kind(self):
        english = orjson.loads((ROOT / "i18n" / "en.json").read_bytes())
        places = Step.model_json_schema()["properties"]["place"]["enum"]
        kinds = {part.model_fields["kind"].default for part in parts_of_the_envelope()} - {"text"}
        wanted = {
            *(f"why_{code}" for code in CODES),
            *(f"sent_{status}" for status in STATUSES),
            *(f"place_{place}" for place in places),
            *(f"kind_{kind}" for kind in kinds),
        }
        assert wanted - english.keys() == set()

    def test_says_in_its_own_words_what_the_router_says_of_who_is_one_person(self):
        english = orjson.loads((ROOT / "i18n" / "en.json").read_bytes())
        said = dict(
            re.findall(r'^  "([^"]+)": "(\w+)",$', (ROOT / "view" / "person.js").read_text(), flags=re.MULTILINE)
        )
        proofs = {*persons.WORDS.values(), "they say so themselves"}
        hindrances = {
            one.format(MOST=bonds.MOST) for one in re.findall(r', but ([^"]+)"', inspect.getsource(bonds.prove))
        }
        assert len(hindrances) == 3
        assert said.keys() == proofs | hindrances
        assert {f"proof_{said[one]}" for one in proofs} | {f"but_{said[one]}" for one in hindrances} <= english.keys()
        assert "they say so themselves" in inspect.getsource(persons.take_proofs)


def gaps(text):
    texts = text.values() if isinstance(text, dict) else [text]
    return {name for one in texts for name in re.findall(r"\{(\w+)\}", one)}


def parts_of_the_envelope():
    return envelope.Part.__origin__.__args__
