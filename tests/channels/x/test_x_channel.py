"""X beyond what samples say: what takes time, what fits together, what a challenge must not be."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import timedelta
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from services.social_adapter.channels.x import CHANNEL, App
from services.social_adapter.channels.x.media import LOOKS
from shared.contract.channel import Http, Piece, Request, Response, SendFailed, Steps, Unverified
from shared.contract.envelope import Media, Text
from tests.channels.conformance.bench import bench

FILM = Media(media="video", state="stored", blob="b/1", mime_type="video/mp4", size=100, name="how.mp4")


def asked(steps: Steps[Any], answers: dict[str, Any]) -> list[Http]:
    """What is asked, each answered by what stands for the last word of its path, until it ends."""
    made: list[Http] = []
    request = next(steps)
    while True:
        assert isinstance(request, Http)
        made.append(request)
        word = request.url.partition("?")[0].rpartition("/")[2]
        try:
            request = steps.send(Response.of_json({"data": answers[word]}))
        except StopIteration:
            return made


def test_a_film_that_x_works_on_is_looked_at_when_x_says_and_tried_again_later_where_it_takes_too_long() -> None:
    on = bench("x")
    working = {"id": "7", "processing_info": {"state": "in_progress", "check_after_secs": 5}}
    steps = CHANNEL.outbound(on.account, Piece(id="p", to=on.to, part=FILM), on.context)
    answers = {"initialize": {"id": "7"}, "append": {}, "finalize": working, "upload": working}
    with pytest.raises(SendFailed) as failed:
        asked(steps, answers)
    assert (failed.value.reason, failed.value.retry_after) == ("unreachable", timedelta(minutes=1))
    steps = CHANNEL.outbound(on.account, Piece(id="p", to=on.to, part=FILM), on.context)
    ready = {"id": "7", "processing_info": {"state": "succeeded"}}
    made = asked(steps, {**answers, "upload": ready, "messages": {"dm_event_id": "9"}})
    assert [one.after.total_seconds() for one in made] == [0, 0, 0, 5, 0]
    assert [one.commits for one in made] == [False, False, False, False, True]
    assert LOOKS * timedelta(seconds=10) <= timedelta(minutes=5), "longer than anybody waits for an answer"


def test_who_has_premium_posts_more_and_nobody_else() -> None:
    on = bench("x")
    premium = on.account.model_copy(update={"long_posts": True})
    told = [CHANNEL.capabilities_of(one).comment for one in (on.account, premium)]
    assert [one and (one.text, one.caption, one.unit) for one in told] == [
        (280, 280, "weighted"),
        (25_000, 25_000, "weighted"),
    ]
    assert CHANNEL.capabilities_of(premium).text == CHANNEL.capabilities.text


def test_a_post_is_liked_and_shown_no_other_reaction() -> None:
    posts = CHANNEL.capabilities.comment
    assert posts
    assert [posts.reaction(emoji) for emoji in ("❤", "❤️", "👍")] == ["❤️", "❤️", None]


@pytest.mark.parametrize(
    ("resets", "seconds"), [("1795148100", 900), ("1795147000", 1), ("1895147000", 24 * 3600), ("1795147201", 1)]
)
def test_what_is_left_of_an_end_point_is_told_by_its_answers(resets: str, seconds: int) -> None:
    headers = {"date": "Fri, 20 Nov 2026 04:00:00 GMT", "x-rate-limit-remaining": "3", "x-rate-limit-reset": resets}
    told = CHANNEL.limit(Response(headers=headers))
    assert told
    assert (told.remaining, told.resets_in) == (3, timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, {"error": "invalid_request", "error_description": "no such token"}, "invalid_request: no such token"),
        (403, {"title": "Forbidden", "detail": "not you"}, "Forbidden not you"),
        (400, {"title": "Invalid Request", "errors": [{"message": "text: empty"}]}, "Invalid Request text: empty"),
        (418, {}, "HTTP 418"),
    ],
)
def test_a_no_is_told_in_the_words_of_x(status: int, body: Any, words: str) -> None:
    with pytest.raises(SendFailed) as failed:
        CHANNEL.outcome(Response.of_json(body, status=status))
    assert failed.value.detail == words


@pytest.mark.parametrize("secrets", [{}, {"client_secret": "", "consumer_secret": ""}])
def test_an_app_without_a_secret_is_refused(secrets: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="client_secret or consumer_secret"):
        App.model_validate({"name": "main", **secrets})


def signed(secret: str, body: bytes, header: str) -> Request:
    """Signed as a challenge is answered: by the one key for both."""
    app = App.model_validate({"name": "main", "client_secret": secret})
    given = CHANNEL.handshake(app, Request(method="GET", query={"crc_token": body.decode()}), bench("x").context)
    assert given
    return Request(body=body, headers={header: given.json()["response_token"]})


def test_an_answered_challenge_proves_no_event() -> None:
    app = App.model_validate({"name": "main", "client_secret": "s"})
    for word in (b"MTIz", b"123", b"true"):
        with pytest.raises(Unverified):
            CHANNEL.verify(app, signed("s", word, "x-twitter-webhooks-signature-oauth2"), bench("x").context)
    with pytest.raises(Unverified):
        signed("s", b'{"data":{}}', "x-twitter-webhooks-signature-oauth2")


def proof(app: Any, name: str, body: bytes) -> str:
    digest = hmac.digest(getattr(app, name).get_secret_value().encode(), body, hashlib.sha256)
    return f"sha256={base64.b64encode(digest).decode()}"


def test_an_app_of_before_is_proved_by_its_consumer_secret_and_the_newer_signature_counts_where_both_come() -> None:
    on, body = bench("x"), b'{"data": {}}'
    old, new = (proof(on.app, name, body) for name in ("consumer_secret", "client_secret"))
    legacy, recent = "x-twitter-webhooks-signature", "x-twitter-webhooks-signature-oauth2"
    good = [{legacy: old}, {recent: new}, {recent: new, legacy: "x"}]
    for headers in good:
        CHANNEL.verify(on.app, Request(body=body, headers=headers), on.context)
    before = on.app.model_copy(update={"client_secret": SecretStr("")})
    CHANNEL.verify(before, Request(body=body, headers={legacy: old, recent: new}), on.context)
    for headers in ({legacy: new}, {recent: old}, {recent: "x", legacy: old}, {}):
        with pytest.raises(Unverified):
            CHANNEL.verify(on.app, Request(body=body, headers=headers), on.context)


def test_an_answer_of_ours_is_known_by_its_words_when_it_comes_back() -> None:
    on = bench("x")
    piece = Piece(
        id="p", to="2101000000000000101", surface="comment", thread_key="2101000000000000101",
        part=Text(text="Yes, until ten: https://krusa.example/hours"),
    )  # fmt: skip
    (echo,) = orjson.loads((on.folder / "answer_of_ours.json").read_bytes())["records"]
    assert CHANNEL.join_key(piece) == echo["join_key"]
