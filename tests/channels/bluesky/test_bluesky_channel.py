"""What samples cannot show of Bluesky: what is seen before anything is sent, and that looks miss nothing and tell nothing twice."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from pydantic import SecretStr

from services.social_adapter.channels.bluesky import CHANNEL, Account
from shared.contract.channel import Context, Piece, Response, SendFailed
from shared.contract.envelope import Media, Text
from shared.inbound import translate

ME, POST = "did:plc:krusa", "at://did:plc:dara/app.bsky.feed.post/1"
ACCOUNT = Account(name="main", did=ME, password=SecretStr("an-app-password"))
BEGAN = datetime(2026, 11, 20, 5, tzinfo=UTC)
FAMILY = "👨‍👩‍👧‍👦"
STANDS = {"posts": [{"uri": POST, "cid": "c", "record": {"text": "x"}}]}


@pytest.mark.parametrize(
    ("part", "found", "code"),
    [
        (Text(text="hi"), {"posts": []}, "bad_address"),
        (Text(text=FAMILY * 121), STANDS, "too_long"),
        (Media(media="image", blob="b/1", state="stored"), STANDS, "unsupported"),
    ],
)
def test_what_cannot_be_posted_is_seen_before_anything_is(part, found, code):
    steps = CHANNEL.outbound(ACCOUNT, Piece(id="p", to=POST, part=part), Context(now=BEGAN))
    next(steps)
    with pytest.raises(SendFailed) as failed:
        steps.send(Response.of_json(found))
    assert failed.value.reason == code


def test_three_hundred_of_what_reads_as_one_letter_are_as_many_bytes_as_it_takes():
    steps = CHANNEL.outbound(ACCOUNT, Piece(id="p", to=POST, part=Text(text=FAMILY * 120)), Context(now=BEGAN))
    next(steps)
    assert orjson.loads(steps.send(Response.of_json(STANDS)).body)["record"]["text"] == FAMILY * 120


class Server:
    """Notifications, the newest first, some listed after their time."""

    def __init__(self):
        self.all = []

    def tell(self, number, at):
        author, record = {"did": "did:plc:dara", "handle": "dara.example"}, {"text": str(number)}
        name = f"at://did:plc:dara/app.bsky.feed.post/{number}"
        self.all.append({"uri": name, "author": author, "record": record, "indexedAt": at.isoformat()})
        self.all.sort(key=lambda one: one["indexedAt"], reverse=True)

    def __call__(self, request):
        start = int(parse_qs(urlsplit(request.url).query).get("cursor", ["0"])[0])
        more = {"cursor": str(start + 100)} if start + 100 < len(self.all) else {}
        return Response.of_json({"notifications": self.all[start : start + 100], **more})

    def look(self, cursor, now):
        """A whole round: what it told, and where the next goes on."""
        told = []
        while True:
            steps = CHANNEL.poll(ACCOUNT, cursor, Context(now=now))
            page = translate.answer(steps, given=self, outcome=CHANNEL.outcome)
            told += [record.parts[0].text for record in page.records]
            cursor = orjson.loads(orjson.dumps(page.cursor))
            if page.again_in:
                return told, cursor


def test_looks_miss_nothing_and_tell_nothing_twice():
    server = Server()
    for number in range(350):
        server.tell(number, BEGAN - timedelta(seconds=1000 - number))
    told, cursor = server.look({}, BEGAN)
    assert sorted(told, key=int) == [str(number) for number in range(350)]
    assert server.look(cursor, BEGAN)[0] == []
    server.tell(350, BEGAN)
    server.tell(351, BEGAN - timedelta(seconds=700))  # listed late
    told, cursor = server.look(cursor, BEGAN)
    assert sorted(told) == ["350", "351"]
    assert server.look(cursor, BEGAN)[0] == []
    server.tell(352, BEGAN)  # at the same moment as the last
    assert server.look(cursor, BEGAN)[0] == ["352"]


def test_what_is_older_than_a_day_is_not_told_at_the_first_look():
    server = Server()
    server.tell(1, BEGAN - timedelta(days=2))
    server.tell(2, BEGAN - timedelta(hours=23))
    assert server.look({}, BEGAN)[0] == ["2"]
