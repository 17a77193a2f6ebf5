"""TikTok beyond what samples say: how old a proof may be, what is known when it comes back, a round of looking from end to end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from services.cli.wire import parse_http
from services.social_adapter.channels.tiktok import CHANNEL
from shared.contract.channel import Http, Message, Piece, Polled, Response, Unverified
from shared.contract.envelope import Text
from tests.channels.conformance.bench import bench


@pytest.mark.parametrize(("seconds", "believed"), [(300, True), (301, False), (-300, True), (-301, False)])
def test_a_proof_is_good_for_five_minutes_before_and_after(seconds: int, *, believed: bool) -> None:
    on = bench("tiktok")
    request = parse_http((on.folder / "text.in.http").read_bytes())
    then = replace(on.context, now=on.context.now + timedelta(seconds=seconds))
    if believed:
        CHANNEL.verify(on.app, request, then)
    else:
        with pytest.raises(Unverified):
            CHANNEL.verify(on.app, request, then)


def records(name: str) -> list[dict[str, Any]]:
    told = orjson.loads((bench("tiktok").folder / f"{name}.json").read_bytes())
    found: list[dict[str, Any]] = told.get("polled", told)["records"]
    return found


def test_what_is_ours_is_known_by_its_place_and_words_when_it_comes_back() -> None:
    said = Piece(id="p", to=bench("tiktok").to, part=Text(text="Yes,  until six. "))
    assert CHANNEL.join_key(said) == records("echo")[0]["join_key"]
    answer = Piece(
        id="p", to="video:7400000000000000123", surface="comment", thread_key="7247303576418566900",
        part=Text(text="It is"),
    )  # fmt: skip
    assert CHANNEL.join_key(answer) == records("answers.poll")[1]["join_key"]


def test_only_an_account_with_the_permission_asks_for_comments() -> None:
    account = bench("tiktok").account
    assert [CHANNEL.polled(account.model_copy(update={"comments": asks})) for asks in (True, False)] == [True, False]


VIDEO = "7400000000000000123"


def listed(name: int, ago: int, *, replies: int = 0, parent: int | None = None) -> dict[str, Any]:
    at = int(bench("tiktok").context.now.timestamp()) - ago
    about = {"parent_comment_id": str(parent)} if parent else {}
    return {
        "comment_id": str(name),
        "video_id": VIDEO,
        "create_time": str(at),
        "text": f"n{name}",
        "replies": replies,
        **about,
    }


def rounds(
    cursor: dict[str, Any], pages: dict[str, list[dict[str, Any]]], videos: int
) -> tuple[list[str], dict[str, Any], list[str]]:
    """One round over a provider that has these comments, by what they stand under: what was told, the cursor, what was asked."""
    on, told, asked = bench("tiktok"), list[str](), list[str]()
    while True:
        steps = CHANNEL.poll(on.account, cursor, on.context) if CHANNEL.poll else None
        assert steps
        request = next(steps)
        assert isinstance(request, Http)
        query, what = (
            parse_qs(urlsplit(request.url).query),
            urlsplit(request.url).path.removeprefix("/open_api/v1.3/business/"),
        )
        asked.append(what)
        data: dict[str, Any] = {"videos": [{"item_id": VIDEO, "comments": videos}], "has_more": False}
        if what != "video/list/":
            found = pages[query.get("comment_id", [VIDEO])[0]]
            start = int(query.get("cursor", ["0"])[0])
            data = {"comments": found[start : start + 2], "cursor": start + 2, "has_more": start + 2 < len(found)}
        polled = answered(steps, data)
        cursor = orjson.loads(orjson.dumps(polled.cursor))
        told += [one.event_key for one in polled.records if isinstance(one, Message)]
        if polled.again_in > timedelta(seconds=2):
            return told, cursor, asked


def answered(steps: Any, data: dict[str, Any]) -> Polled:
    with pytest.raises(StopIteration) as end:
        steps.send(Response.of_json({"code": 0, "message": "OK", "data": data}))
    found: Polled = end.value.value
    return found


def test_an_answer_beneath_an_old_comment_is_found_once_and_what_is_older_than_the_first_day_is_not_told() -> None:
    old = [listed(n, 90_000 + n, replies=int(n == 5)) for n in range(1, 7)]
    beneath = {"5": [listed(50, 89_000, parent=5)]}
    told, cursor, asked = rounds({}, {VIDEO: [listed(9, 60), *old], **beneath}, 8)
    assert (told, asked) == (["9"], ["video/list/", "comment/list/"] + ["comment/list/"] * (len(asked) - 2))
    new = [listed(51, 20, parent=5), *beneath["5"]]
    now = {VIDEO: [listed(9, 60), *(one | {"replies": 2 * (one["comment_id"] == "5")} for one in old)], "5": new}
    told, cursor, asked = rounds(cursor, now, 9)
    assert (told, asked[-1]) == (["51"], "comment/reply/list/")
    told, cursor, asked = rounds(cursor, now, 9)
    assert (told, asked) == ([], ["video/list/", "comment/list/"])
