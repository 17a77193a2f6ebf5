"""What samples cannot show of YouTube: that rounds of polls miss nothing and tell nothing twice, whatever happens between them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
from hypothesis import given, settings, strategies as some
from pydantic import SecretStr

from services.social_adapter.channels.youtube import CHANNEL, Account
from services.social_adapter.channels.youtube.polling import AGAIN
from shared.contract.channel import Asked, Context, Http, Message, Polled, Response
from shared.contract.envelope import Deletion, Edit, Text, Visibility
from shared.inbound import translate

OURS = "UCq3Xv8mPz0KrusaKitchen1"
ACCOUNT = Account(
    name="main",
    channel_id=OURS,
    client_id="client",
    client_secret=SecretStr("secret"),
    refresh_token=SecretStr("refresh"),
)
BEGAN = datetime(2026, 11, 20, 5, tzinfo=UTC)
Json = dict[str, Any]


class Videos:
    """A channel's comments, asked for as at YouTube. Everything is done at the `now` of that moment."""

    def __init__(self, page: int = 3) -> None:
        self.now, self.comments, self.page, self.asked = BEGAN, dict[str, Json](), page, 0

    def write(self, text: str, parent: str | None = None) -> str:
        name = f"Ug{len(self.comments):04}" if parent is None else f"{parent}.a{len(self.comments):04}"
        at = self.now.isoformat()
        snippet = {"textOriginal": text, "authorChannelId": {"value": "UCann"}, "publishedAt": at, "updatedAt": at}
        more = {"parentId": parent} if parent else {}
        self.comments[name] = {"id": name, "snippet": {**snippet, **more, "moderationStatus": "published"}}
        return name

    def edit(self, name: str, text: str) -> None:
        self.comments[name]["snippet"].update(textOriginal=text, updatedAt=self.now.isoformat())

    def moderate(self, name: str, status: str) -> None:
        self.comments[name]["snippet"]["moderationStatus"] = status

    def remove(self, name: str) -> None:
        for one in [one for one in self.comments if one == name or one.startswith(f"{name}.")]:
            del self.comments[one]

    def __call__(self, request: Asked) -> Response:
        assert isinstance(request, Http)
        self.asked += request.cost
        asked = {key: values[0] for key, values in parse_qs(urlsplit(request.url).query).items()}
        if request.url.partition("?")[0].endswith("commentThreads"):
            kind, found = "commentThread", [self._thread(one) for one in self._threads(asked)]
        else:
            kind, found = "comment", list(self._comments(asked))
        start, size = int(asked.get("pageToken", 0)), len(found) if "id" in asked else self.page
        page = {"kind": f"youtube#{kind}ListResponse", "items": found[start : start + size]}
        more = {"nextPageToken": str(start + size)} if start + size < len(found) else {}
        return Response(body=orjson.dumps({**page, **more}))

    def _threads(self, asked: Json) -> Iterator[Json]:
        wanted = asked["id"].split(",") if "id" in asked else None
        for one in sorted(self._all(), key=lambda one: one["snippet"]["publishedAt"], reverse=True):
            status = one["snippet"]["moderationStatus"] == asked.get("moderationStatus", "published")
            if "parentId" not in one["snippet"] and status and (wanted is None or one["id"] in wanted):
                yield one

    def _thread(self, top: Json) -> Json:
        answers = [one for one in self._all() if one["snippet"].get("parentId") == top["id"]]
        snippet = {"topLevelComment": top, "totalReplyCount": len(answers)}
        return {"id": top["id"], "snippet": snippet, "replies": {"comments": answers[-2:]}}

    def _comments(self, asked: Json) -> Iterator[Json]:
        for one in self._all():
            if one["snippet"].get("parentId") == asked.get("parentId", "") or one["id"] in asked.get("id", "").split(
                ","
            ):
                yield one

    def _all(self) -> list[Json]:
        return list(self.comments.values())


class Reader:
    """Polls as the adapter does, and keeps what was told."""

    def __init__(self, videos: Videos) -> None:
        self.videos, self.cursor, self.told = videos, dict[str, Any](), dict[str, Message]()

    def turn(self) -> Polled:
        context = Context(now=self.videos.now, token=SecretStr("token"))
        assert CHANNEL.poll
        polled: Polled = translate.answer(
            CHANNEL.poll(ACCOUNT, self.cursor, context), given=self.videos, outcome=CHANNEL.outcome
        )
        self.cursor = orjson.loads(orjson.dumps(polled.cursor))
        for record in polled.records:
            assert isinstance(record, Message)
            assert record.event_key not in self.told, "told twice"
            self.told[record.event_key] = record
        return polled

    def round(self) -> None:
        while self.turn().again_in != AGAIN:
            self.videos.now += timedelta(seconds=1)
        self.videos.now += AGAIN

    def shown(self) -> dict[str, str]:
        """How each comment reads to whoever has seen all events, in order."""
        shown: dict[str, str] = {}
        hidden: set[str] = set()
        for message in sorted(self.told.values(), key=lambda one: one.occurred_at):
            match message.parts:
                case (Text(text=text),):
                    shown[str(message.external_id)] = text
                case (Edit(target=name), Text(text=text)):
                    shown[name] = text
                case (Deletion(target=name),):
                    shown = {one: text for one, text in shown.items() if one != name and not one.startswith(f"{name}.")}
                case (Visibility(target=name, hidden=True),):
                    hidden.add(name)
                case (Visibility(target=name),):
                    hidden.discard(name)
        return {name: text for name, text in shown.items() if name not in hidden}


@settings(max_examples=60, deadline=None)
@given(
    some.lists(
        some.tuples(some.sampled_from(["write", "answer", "edit", "poll", "pause"]), some.integers(0, 9)), max_size=40
    )
)
def test_whatever_happens_between_two_requests_everything_is_told_in_the_end(moves: list[tuple[str, int]]) -> None:
    videos = Videos()
    reader = Reader(videos)
    reader.round()
    for move, number in moves:
        videos.now += timedelta(seconds=1)
        names, firsts = list(videos.comments), [name for name in videos.comments if "." not in name]
        match move:
            case "write":
                videos.write(f"word {number}")
            case "answer" if firsts:
                videos.write(f"answer {number}", firsts[number % len(firsts)])
            case "edit" if firsts:
                videos.edit(firsts[number % len(firsts)], f"edited {number}")
            case "poll":
                reader.turn()
            case "pause":
                videos.now += timedelta(minutes=number)
    for _ in range(3):
        reader.round()
    assert reader.shown() == {name: one["snippet"]["textOriginal"] for name, one in videos.comments.items()}, names


def test_what_waits_for_review_is_hidden_until_it_is_let_through_and_what_is_gone_is_deleted() -> None:
    videos = Videos()
    reader = Reader(videos)
    reader.round()
    waits, stays, goes = videos.write("buy my pans"), videos.write("how long?"), videos.write("sorry")
    videos.moderate(waits, "heldForReview")
    reader.round()
    assert set(reader.shown()) == {stays, goes}
    videos.moderate(waits, "published")
    videos.remove(goes)
    for _ in range(3):
        reader.round()
    assert set(reader.shown()) == {stays, waits}
    assert len(reader.told) == 6, "three comments; hidden, shown again, deleted"


def test_an_answer_to_a_comment_of_long_ago_is_found_among_five_hundred_threads() -> None:
    videos = Videos(page=100)
    reader = Reader(videos)
    old = videos.write("first")
    reader.round()
    for number in range(120):
        videos.now += timedelta(seconds=1)
        videos.write(f"word {number}")
    reader.round()
    videos.now += timedelta(days=3)
    answer = videos.write("an answer at last", old)
    before = videos.asked
    for _ in range(4):
        reader.round()
    assert answer in reader.shown()
    assert videos.asked - before < 20


def test_a_quiet_channel_costs_little_and_its_cursor_does_not_grow() -> None:
    videos = Videos(page=100)
    reader = Reader(videos)
    for number in range(600):
        videos.write(f"word {number}")
    reader.round()
    videos.now += timedelta(hours=1)
    reader.round()
    kept, before = len(orjson.dumps(reader.cursor)), videos.asked
    for _ in range(20):
        reader.round()
    assert videos.asked - before <= 4 * 20
    assert len(orjson.dumps(reader.cursor)) < kept + 100


def test_a_list_that_has_no_end_is_left_after_a_hundred_pages() -> None:
    videos = Videos(page=1)
    thread = videos.write("who is first?")
    for number in range(120):
        videos.write(f"not I, {number}", thread)
    before, reader = videos.asked, Reader(videos)
    reader.round()
    assert videos.asked - before == 100 + 2, "its answers, and the lists of what is shown and of what waits for review"


def test_a_reserve_above_the_quota_leaves_no_poll_a_unit():
    """Answers come first, also where the quota was made smaller than what is kept for them."""
    quota = CHANNEL.quota(ACCOUNT.model_copy(update={"quota": 100, "reserve": 500}))
    assert (quota.units, quota.reserve) == (100, 100)
    quota = CHANNEL.quota(ACCOUNT.model_copy(update={"quota": 500, "reserve": 100}))
    assert (quota.units, quota.reserve) == (500, 100)
