"""What is Viber's own, beyond the suite that every channel passes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.chat_adapter.channels.viber import CHANNEL, outbound
from shared.contract.channel import Context, Http, Piece, Refusal, Request, Response, SendFailed
from shared.contract.envelope import Choice, Choices, Location, Media, Option, Text
from shared.contract.fit import fit

CONTEXT = Context(now=datetime(2026, 2, 3, tzinfo=UTC), link=lambda media: f"https://parley.example/files/{media.blob}")
ACCOUNT = CHANNEL.account(name="main", token="the-token", sender="Krusa")
APP = CHANNEL.app(name="main", token="the-token")


def question(*options: tuple[str, str]) -> Choices:
    return Choices(text="Which?", options=tuple(Option(id=name, title=title) for name, title in options))


def file(kind: Any, **more: Any) -> Media:
    return Media(media=kind, state="stored", blob="b/1", **more)


def asked(part: Any) -> Http:
    request = next(outbound(ACCOUNT, Piece(id="p/0", to="dara==", part=part), CONTEXT))
    assert isinstance(request, Http)
    return request


def opened(app: Any, event: str = "conversation_started") -> Response:
    body = json.dumps({"event": event, "message_token": 1, "user": {"id": "dara=="}}).encode()
    return CHANNEL.accepted(app, Request(body=body), CONTEXT)


@pytest.mark.parametrize(
    "options",
    [
        [("menu", "ម៉ឺនុយ"), ("table", "A table")],
        [('{"a":"b"}', '"'), ("\\", "\\u0041")],
        [(f"{n}" + "i" * 198, f"{n}" + "ខ" * 98) for n in range(10, 22)],
    ],
)
def test_what_was_asked_comes_back_as_what_was_pressed(options: list[tuple[str, str]]) -> None:
    """Each by itself, at the limits too, where all that must come back fits into what Viber carries."""
    body = json.loads(asked(question(*options)).body)
    assert len(body["tracking_data"]) <= 4000
    for (name, title), button in zip(options, body["keyboard"]["Buttons"], strict=True):
        message = {"type": "text", "text": button["ActionBody"], "tracking_data": body["tracking_data"]}
        event = {"event": "message", "message_token": 1, "sender": {"id": "dara=="}, "message": message}
        (read,) = CHANNEL.inbound(APP, Request(body=json.dumps(event).encode()), CONTEXT)
        assert read.parts == (Choice(id=name, title=title),)


def test_a_question_with_a_link_keeps_the_link_in_its_words() -> None:
    part = Choices(
        text="Which?", options=(Option(id="a", title="A"), Option(id="b", title="B", url="https://b.example"))
    )
    (fitted,) = fit([part], CHANNEL.capabilities).pieces
    assert (fitted.text, [option.id for option in fitted.options]) == ("Which?\nB: https://b.example", ["a"])


def test_who_is_written_to_too_often_waits_and_nobody_else() -> None:
    assert asked(Text(text="hi")).throttles == "peer"


def test_a_welcome_is_said_to_who_opens_the_chat_and_only_where_there_is_one() -> None:
    app = CHANNEL.app(name="shop", token="t", welcome="Hello!")
    assert json.loads(opened(app).body) == {"sender": {"name": "shop"}, "type": "text", "text": "Hello!"}
    for answer in (opened(app, "subscribed"), opened(APP), CHANNEL.accepted(app, Request(body=b"[1]"), CONTEXT)):
        assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    ("address", "stranger"),
    [
        ("https://dl-media.viber.example/a.jpg", True),
        ("http://127.0.0.1/a.jpg", True),
        ("https://chatapi.viber.com/a.jpg", False),
        ("http://chatapi.viber.com/a.jpg", True),
        ("https://chatapi.viber.com@evil.example/a.jpg", True),
        ("", True),
    ],
)
def test_no_file_is_asked_for_with_the_token(address: str, stranger: bool) -> None:
    steps = CHANNEL.fetch(ACCOUNT, Media(media="image", handle=address), CONTEXT)
    with pytest.raises(StopIteration) as end:
        next(steps)
    request = end.value.value.request
    assert (request.url, request.stranger, dict(request.headers)) == (address, stranger, {})


def test_viber_is_told_where_to_send_by_the_token_that_it_signs_with() -> None:
    context = replace(CONTEXT, hook="https://parley.example/hooks/viber/main")
    request = next(CHANNEL.register(APP, ACCOUNT, context))
    assert (request.url, request.commits) == ("https://chatapi.viber.com/pa/set_webhook", False)
    assert json.loads(request.body)["url"] == context.hook
    with pytest.raises(SendFailed) as failed:
        next(CHANNEL.register(CHANNEL.app(name="main", token="another"), ACCOUNT, context))
    assert failed.value.reason == "auth"


@pytest.mark.parametrize(
    ("part", "becomes"),
    [
        (Location(latitude=11.5, longitude=104.9), Location(latitude=11.5, longitude=104.9)),
        *((file(kind), file("file")) for kind in ("audio", "sticker")),
        *((file(kind), file(kind)) for kind in ("image", "video", "file")),
    ],
)
def test_what_viber_has_is_sent_as_it_is_and_other_files_as_files(part: Any, becomes: Any) -> None:
    assert fit([part], CHANNEL.capabilities).pieces == (becomes,)


def test_the_words_of_a_refusal_are_kept_as_far_as_people_read_them() -> None:
    with pytest.raises(SendFailed) as failed:
        CHANNEL.outcome(Response.of_json({"status": 3, "status_message": "x" * 600}))
    assert failed.value.detail == "3: " + "x" * 497


@pytest.mark.parametrize(("size", "code"), [(52_428_800, None), (52_428_801, "too_long")])
def test_a_file_goes_up_to_50_mb(size: int, code: str | None) -> None:
    if code is None:
        assert fit([file("file", size=size)], CHANNEL.capabilities).pieces == (file("file", size=size),)
        return
    with pytest.raises(Refusal) as refused:
        fit([file("file", size=size)], CHANNEL.capabilities)
    assert refused.value.reason == code


@pytest.mark.parametrize("name", ["", "x" * 29])
def test_a_name_that_viber_would_not_show_is_refused_with_the_settings(name: str) -> None:
    with pytest.raises(ValueError, match="sender"):
        CHANNEL.account(name="main", token="t", sender=name)
    assert CHANNEL.account(name="main", token="t", sender="x" * 28)
