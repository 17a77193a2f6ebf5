"""What is LINE's own, beyond the suite that every channel passes."""

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.chat_adapter.channels.line import CHANNEL
from shared.contract.channel import Context, Piece, Refusal, Request, Response, SendFailed, TypingMark
from shared.contract.envelope import Choices, Deletion, Media, Option, Text
from shared.contract.fit import fit

CONTEXT = Context(now=datetime(2026, 2, 3, tzinfo=UTC))
BOT, PERSON, GROUP = "U" + "8" * 32, "U" + "4" * 32, "C" + "a" * 32
ACCOUNT = CHANNEL.account(name="main", user_id=BOT, token="the-token")
APP = CHANNEL.app(name="main", secret="a-word")


def ended(steps, *answers):
    """The requests that an exchange makes, and what it comes to."""
    asked, given = [], list(answers)
    try:
        step = next(steps)
        while True:
            asked.append(step)
            step = steps.send(given.pop(0))
    except StopIteration as end:
        return asked, end.value


def read(*events):
    body = json.dumps({"destination": BOT, "events": events}).encode()
    return tuple(CHANNEL.inbound(APP, Request(body=body), CONTEXT))


def said(**more):
    place = {"type": "group", "groupId": GROUP, "userId": PERSON}
    return {"type": "message", "webhookEventId": "01", "timestamp": 1770091500000, "source": place, **more}


# in


def test_an_unsent_message_is_found_by_the_id_that_it_had():
    (message,) = read(said(message={"type": "text", "id": "100", "quoteToken": "q1", "text": "oops"}))
    (unsent,) = read({**said(), "type": "unsend", "unsend": {"messageId": "100"}})
    assert (message.external_id, message.external_ids) == ("100:q1", ("100",))
    assert unsent.parts == (Deletion(target="100"),)


@pytest.mark.parametrize("token", ["", 7, None, "x" * 3000])
def test_a_reply_token_that_is_none_takes_nothing_along(token):
    (message,) = read(said(replyToken=token, message={"type": "text", "id": "100", "text": "hi"}))
    assert (message.route, message.parts) == (None, (Text(text="hi"),))


def test_a_reply_token_is_good_for_less_than_a_minute_and_once():
    (message,) = read(said(replyToken="r1", message={"type": "text", "id": "100", "text": "hi"}))
    assert (message.route.value, message.route.once) == ("r1", True)
    assert timedelta(0) < message.route.expires_at - CONTEXT.now < timedelta(minutes=1)


# out


def test_a_retry_key_is_a_uuid_of_its_own_for_each_piece_whatever_else_changes():
    def key(piece, **context):
        return next(CHANNEL.outbound(ACCOUNT, piece, replace(CONTEXT, **context))).headers["x-line-retry-key"]

    one, other = (Piece(id=name, to=PERSON, part=Text(text="hi")) for name in ("p/0", "p/1"))
    assert key(one) == key(one, now=CONTEXT.now + timedelta(hours=1), nonce="another") != key(other)
    assert str(uuid.UUID(key(one))) == key(one)


def test_a_reply_takes_no_retry_key_and_names_nobody():
    piece = Piece(id="p/0", to=PERSON, part=Text(text="hi"), route="r1")
    asked = next(CHANNEL.outbound(ACCOUNT, piece, CONTEXT))
    assert (asked.url, "x-line-retry-key" in asked.headers) == ("https://api.line.me/v2/bot/message/reply", False)
    assert json.loads(asked.body) == {"replyToken": "r1", "messages": [{"type": "text", "text": "hi"}]}
    assert "r1" not in repr(piece)


def question(*, options=1, title="t", name="n"):
    return Choices(text="Which?", options=tuple(Option(id=f"{name}{n}", title=title) for n in range(options)))


@pytest.mark.parametrize(
    ("part", "becomes"),
    [
        (Text(text="🍎" * 2500), ["text"]),
        (Text(text="🍎" * 2500 + "x"), ["text", "text"]),
        (question(options=13), ["choices"]),
        (question(options=14), ["text"]),
        (question(title="t" * 20), ["choices"]),
        (question(title="t" * 21), ["text"]),
        (question(name="n" * 299), ["choices"]),
    ],
)
def test_what_line_allows_is_sent_whole_and_no_more(part, becomes):
    assert [piece.kind for piece in fit([part], CHANNEL.capabilities).pieces] == becomes


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (question(name="n" * 300), "too_long"),
        (Media(media="image", state="stored", blob="b/1", size=200 * 1024 * 1024 + 1), "too_long"),
    ],
)
def test_what_line_cannot_take_is_refused_early(part, code):
    with pytest.raises(Refusal) as refused:
        fit([part], CHANNEL.capabilities)
    assert refused.value.reason == code


def test_it_quotes_and_knows_a_retry_key_for_less_than_a_day():
    able = CHANNEL.capabilities
    assert able.reply_to
    assert timedelta(0) < able.idempotent_for < timedelta(days=1)


@pytest.mark.parametrize(("to", "count"), [(PERSON, 1), (GROUP, 0), ("R" + "1" * 32, 0)])
def test_typing_is_shown_where_two_talk(to, count):
    asked, _ = ended(CHANNEL.typing(ACCOUNT, TypingMark(to=to), CONTEXT), Response(status=202))
    assert [json.loads(one.body)["chatId"] for one in asked] == [to] * count


# files and names


def fetched(handle):
    _, download = ended(CHANNEL.fetch(ACCOUNT, Media(media="image", handle=handle), CONTEXT))
    return download.request


def test_a_file_is_fetched_from_line_with_the_token():
    asked = fetched("468789577898262530")
    assert asked.url == "https://api-data.line.me/v2/bot/message/468789577898262530/content"
    assert (asked.headers["authorization"], asked.stranger) == ("Bearer the-token", False)


@pytest.mark.parametrize("handle", ["https://liff.example.org/a.jpg", "http://127.0.0.1/", "١٢٣", "1/../..", ""])
def test_what_stands_elsewhere_is_a_strangers_and_is_not_shown_the_token(handle):
    asked = fetched(handle)
    assert (asked.url, asked.stranger, dict(asked.headers)) == (handle, True, {})


def test_who_is_not_named_is_not_asked_about():
    asked, party = ended(CHANNEL.profile(ACCOUNT, GROUP, GROUP, CONTEXT))
    assert (asked, party.address, party.name) == ([], GROUP, None)


# set up


def test_line_is_told_where_to_send_once_the_token_is_seen_to_be_this_bots():
    steps = CHANNEL.register(APP, ACCOUNT, replace(CONTEXT, hook="https://parley.example.org/hooks/line/main"))
    (info, hook), _ = ended(steps, Response.of_json({"userId": BOT}), Response())
    assert (info.method, info.url) == ("GET", "https://api.line.me/v2/bot/info")
    assert (hook.method, hook.url) == ("PUT", "https://api.line.me/v2/bot/channel/webhook/endpoint")
    assert json.loads(hook.body) == {"endpoint": "https://parley.example.org/hooks/line/main"}
    with pytest.raises(SendFailed) as failed:
        ended(CHANNEL.register(APP, ACCOUNT, CONTEXT), Response.of_json({"userId": PERSON}))
    assert (failed.value.reason, PERSON in failed.value.detail) == ("auth", True)
