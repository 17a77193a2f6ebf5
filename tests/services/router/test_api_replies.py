"""What the API tells of a reply before it is sent, and of a message after it: does it fit, and when did the log take it."""

import uuid
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from shared.bus import cloudevents
from shared.contract.records import EVENTS
from tests.services.router.served import add_conversation, add_event, get, open_house, post


@pytest.fixture(scope="module")
async def house(servers, tmp_path_factory):
    async with open_house(servers, tmp_path_factory.mktemp("blobs")) as opened:
        await opened.deps.directory.complete.wait()
        yield opened


def text(words):
    return {"parts": [{"kind": "text", "text": words}]}


class TestAReplyBeforeItIsSent:
    async def test_is_told_in_how_many_pieces_it_goes_in_the_channels_own_unit(self, house):
        """4,000 graphemes fit, and a family of emoji is one."""
        path = f"/api/conversations/{await add_conversation(house.pool)}/fit"
        assert (await post(house, path, text("👨‍👩‍👧‍👦" * 4000), status=200))["pieces"] == 1
        split = await post(house, path, text("word " * 1700), status=200)
        assert (split["pieces"], split["failure"]) == (3, None)

    async def test_is_told_why_it_would_be_refused(self, house):
        path = f"/api/conversations/{await add_conversation(house.pool)}/fit"
        video = {"kind": "media", "media": "video", "state": "stored", "blob": "b", "mime_type": "video/mp4"}
        refused = await post(house, path, {"parts": [video]}, status=200)
        assert (refused["pieces"], refused["failure"]["code"]) == (None, "unsupported")
        assert "video" in refused["failure"]["detail"]

    async def test_of_an_account_that_has_said_nothing_is_not_judged(self, house):
        path = f"/api/conversations/{await add_conversation(house.pool, account='unheard')}/fit"
        assert await post(house, path, text("x"), status=200) == {"pieces": None, "notes": [], "failure": None}

    async def test_is_refused_itself_where_it_is_none(self, house):
        known = await add_conversation(house.pool)
        for conversation, body, status in (
            (known, {}, 400),
            (known, {"parts": []}, 400),
            (uuid.uuid4(), text("x"), 404),
        ):
            await post(house, f"/api/conversations/{conversation}/fit", body, status=status)


class TestTheTimeInTheLog:
    async def publish(self, house, conversation, sequence, *, at):
        headers = cloudevents.headers(
            "message.status",
            source="/test",
            id=str(uuid.uuid4()),
            time=at,
            tenant="default",
            subject=str(conversation),
            sequence=sequence,
        )
        value = orjson.dumps({"sequence": sequence})
        await house.producer.send(
            cloudevents.Out(house.settings.topic(EVENTS), str(conversation).encode(), value, headers)
        )

    async def test_is_found_for_each_event_of_a_message_among_those_of_others(self, house):
        conversation, other, message = await add_conversation(house.pool), uuid.uuid4(), uuid.uuid4()
        begun = datetime.now(UTC)
        for sequence in (1, 2, 3, 4):
            await self.publish(house, other, sequence, at=begun)
            await self.publish(house, conversation, sequence, at=begun)
        await add_event(house.pool, conversation, 2, "message.queued", {}, message=message, at=begun)
        await add_event(house.pool, conversation, 4, "message.status", {}, message=message, at=begun)
        published = (await get(house, f"/api/messages/{message}/published"))["published"]
        assert published.keys() == {"2", "4"}
        times = [datetime.fromisoformat(published[sequence]) for sequence in ("2", "4")]
        assert begun - timedelta(seconds=1) <= times[0] <= times[1] <= datetime.now(UTC) + timedelta(seconds=1)

    async def test_is_left_out_for_what_the_log_does_not_hold(self, house):
        conversation, message = await add_conversation(house.pool), uuid.uuid4()
        long_ago = datetime.now(UTC) - timedelta(days=40)
        await add_event(house.pool, conversation, 1, "message.queued", {}, message=message, at=long_ago)
        await self.publish(house, conversation, 7, at=datetime.now(UTC))
        assert await get(house, f"/api/messages/{message}/published") == {"published": {}}
        assert await get(house, f"/api/messages/{uuid.uuid4()}/published") == {"published": {}}
