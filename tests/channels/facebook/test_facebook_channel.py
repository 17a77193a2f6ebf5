"""What is Facebook's own, beyond the suite that every channel passes."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st
from pydantic import SecretStr, ValidationError

from services.social_adapter.channels.facebook import CHANNEL, metadata
from services.social_adapter.channels.facebook.outbound import asset_type
from services.social_adapter.channels.facebook.tables import METADATA, SUBSCRIBED
from shared.contract.channel import Context, Malformed, Message, Piece, Refusal, Request, Response
from shared.contract.envelope import Choices, Media, Option, Party, Template, Text
from shared.contract.fit import fit
from shared.dialects import likeness, meta
from shared.dialects.messenger.entry import moment
from shared.inbound import translate

AT = datetime(2026, 11, 20, 4, tzinfo=UTC)
CONTEXT = Context(now=AT)
APP = CHANNEL.app(name="main", secret="s", verify_token="krama", app_id="13")
ACCOUNT = CHANNEL.account(name="main", page_id="104", token="EAA")


def message(**more):
    said = {
        "account_key": "104",
        "event_key": "m",
        "peer": "7",
        "sender": Party(address="7"),
        "parts": (Text(text="hi"),),
    }
    return Message(**{**said, "occurred_at": AT, **more})


def event(mid, **content):
    return {
        "sender": {"id": "7"},
        "recipient": {"id": "104"},
        "timestamp": 1795147200000,
        "message": {"mid": mid, **content},
    }


class TestTheWindow:
    def test_free_text_for_a_day(self):
        window = CHANNEL.window(ACCOUNT, message())
        assert (window.until, window.human_agent_until, window.private_until) == (AT + timedelta(days=1), None, None)
        assert window.allows == ("free_text", "template")

    def test_people_may_answer_for_a_week_where_meta_has_approved_it(self):
        approved = ACCOUNT.model_copy(update={"human_agent": True})
        window = CHANNEL.window(approved, message())
        assert (window.until, window.human_agent_until) == (AT + timedelta(days=1), AT + timedelta(days=7))

    def test_a_comment_is_answered_in_public_for_ever_and_in_private_for_a_week(self):
        window = CHANNEL.window(ACCOUNT, message(surface="comment", container="104_1"))
        assert (window.until, window.private_until) == (None, AT + timedelta(days=7))

    def test_nobody_is_written_to_who_has_not_written(self):
        assert CHANNEL.capabilities.starts == "nothing"


class TestTheHandshake:
    def ask(self, **query):
        return CHANNEL.handshake(APP, Request(method="GET", query=query), CONTEXT)

    def test_the_challenge_comes_back_for_the_right_word(self):
        answer = self.ask(**{"hub.mode": "subscribe", "hub.verify_token": "krama", "hub.challenge": "1158201444"})
        assert (answer.status, answer.body) == (200, b"1158201444")

    @pytest.mark.parametrize("word", ["", "KRAMA", "krama ", "\udce9"])
    def test_no_other_word_is_answered(self, word):
        with pytest.raises(translate.Unverified):
            self.ask(**{"hub.mode": "subscribe", "hub.verify_token": word, "hub.challenge": "1"})

    def test_an_empty_secret_is_no_setting(self):
        for missing in ("secret", "verify_token", "app_id"):
            with pytest.raises(ValidationError):
                CHANNEL.app(**{**APP.model_dump(), missing: ""})


def test_an_event_that_cannot_be_read_takes_none_beside_it_along():
    torn = {"sender": {}, "message": {"mid": 7}}
    body = {
        "object": "page",
        "entry": [
            {"id": "104", "time": 1795147200000, "messaging": [event("a", text="1"), torn, event("b", text="2")]}
        ],
    }
    found = translate.read_each(CHANNEL, APP, Request(body=json.dumps(body).encode()), CONTEXT)
    assert [type(one) for one in found] == [Message, Malformed, Message]


@pytest.mark.parametrize(
    "said",
    [
        {"message": {"mid": "m", "text": "hi"}},
        {"message_edit": {"mid": "m", "text": "hi"}},
        {"reaction": {"mid": "m", "action": "react", "emoji": "👍"}},
        {"postback": {"title": "Go", "payload": "GO"}},
        {"teleport": {"text": "hi"}},
    ],
    ids=lambda said: next(iter(said)),
)
def test_without_any_time_it_happened_now(said):
    body = {
        "object": "page",
        "entry": [{"id": "104", "messaging": [{"sender": {"id": "7"}, "recipient": {"id": "104"}, **said}]}],
    }
    (found,) = translate.read(CHANNEL, APP, Request(body=json.dumps(body).encode()), CONTEXT)
    assert found.peer == "7"
    assert translate.stamp(found, channel=CHANNEL, account=ACCOUNT, received_at=AT).occurred_at == AT


def test_the_app_is_registered_for_every_field_that_is_read_and_then_installed_on_the_page():
    steps = CHANNEL.register(APP, ACCOUNT, replace(CONTEXT, hook="https://example.org/hooks/facebook/main"))
    app, page = next(steps), steps.send(Response.of_json({"success": True}))
    subscription = json.loads(app.body)
    assert app.url.endswith("/13/subscriptions")
    assert app.headers["authorization"] == "Bearer 13|s"
    assert (subscription["object"], subscription["fields"].split(",")) == ("page", list(SUBSCRIBED))
    assert page.url.endswith("/104/subscribed_apps")
    assert json.loads(page.body)["subscribed_fields"] == subscription["fields"]


@pytest.mark.parametrize(
    ("link", "stranger"),
    [
        ("https://graph.facebook.com/x", False),
        ("https://graph.facebook.com.example.org/x", True),
        ("http://graph.facebook.com/x", True),
        ("https://cdn.fbsbx.com/v/x.jpg", True),
        ("http://169.254.169.254/latest", True),
    ],
)
def test_a_link_is_a_stranger_s_unless_it_leads_to_the_api_itself(link, stranger):
    steps = CHANNEL.fetch(ACCOUNT, Media(media="image", handle=link), CONTEXT)
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value.request.stranger == stranger


@pytest.mark.parametrize(
    ("kind", "mime_type", "shown"),
    [
        ("image", "image/jpeg", "image"),
        ("image", "image/webp", "file"),
        ("sticker", "image/png", "image"),
        ("audio", "audio/ogg; codecs=opus", "audio"),
        ("audio", None, "file"),
        ("video", "video/mp4", "video"),
        ("file", "image/png", "file"),
    ],
)
def test_a_file_goes_as_what_messenger_shows(kind, mime_type, shown):
    assert asset_type(Media(media=kind, blob="b", mime_type=mime_type)) == shown


@given(st.text(max_size=1200), st.text(min_size=1, max_size=900), st.text(min_size=1, max_size=900))
def test_metadata_comes_back_as_it_was_or_without_its_place_but_never_too_long(words, post, thread):
    piece = Piece(id="0d2f/0", to=post, part=Text(text=words), surface="comment", way="private", thread_key=thread)
    written = metadata.write(piece)
    assert len(written) < METADATA
    origin = metadata.read(written)
    assert origin.parley == "0d2f/0"
    assert (origin.post, origin.thread) in {(post, thread), (None, None)}
    assert metadata.read(words) is None


def commented(words, **more):
    return Piece(id="0d2f/0", to="104_1", part=Text(text=words), surface="comment", **{"thread_key": "1_2", **more})


def test_a_comment_is_known_by_its_parent_and_its_words_however_they_are_spaced():
    known = CHANNEL.join_key(commented("caf\u00e9  au\nlait "))
    assert known == likeness.key("1_2", "cafe\u0301 au lait")
    others = (commented("cafe au lait"), commented("café au lait", thread_key="1_3"))
    assert known not in map(CHANNEL.join_key, others)
    assert len(CHANNEL.join_key(commented("x" * 8000))) < 998


def test_a_picture_under_a_comment_is_known_by_its_caption():
    picture = commented("-").model_copy(update={"part": Media(media="image", blob="b", caption="ដូចនេះ")})
    assert CHANNEL.join_key(picture) == likeness.key("1_2", "ដូចនេះ")


def test_what_goes_through_messenger_is_known_by_the_id_it_carries():
    assert CHANNEL.join_key(commented("hi", way="private")) == "0d2f/0"
    assert CHANNEL.join_key(Piece(id="p", to="7", part=Text(text="hi"))) == "p"


@pytest.mark.parametrize("stamp", [1795147200, 1795147200000, "1795147200", "1795147200000"])
def test_seconds_milliseconds_and_words_are_one_moment(stamp):
    assert moment(stamp) == AT


KHMER = "សូមអរគុណសម្រាប់ការទិញកាហ្វេពីហាងយើងខ្ញុំ" * 100


def test_a_long_khmer_answer_fits_a_comment_whole_and_messenger_in_pieces():
    able = CHANNEL.capabilities
    assert len(fit([Text(text=KHMER)], able.shown("comment", "free_text")).pieces) == 1
    pieces = fit([Text(text=KHMER)], able.shown("direct", "free_text")).pieces
    assert "".join(piece.text for piece in pieces) == KHMER
    assert len(pieces) > 1
    assert all(len(piece.text) <= 2000 for piece in pieces)


def test_a_private_reply_is_one_message_or_none():
    private = CHANNEL.capabilities.shown("comment", "private")
    assert fit([Text(text=KHMER[:2000])], private).pieces == (Text(text=KHMER[:2000]),)
    with pytest.raises(Refusal) as refused:
        fit([Text(text=KHMER)], private)
    assert refused.value.reason == "too_long"


@pytest.mark.parametrize("way", ["free_text", "private"])
def test_a_comment_is_not_answered_by_a_template(way):
    with pytest.raises(Refusal) as refused:
        fit([Template(name="order_ready", language="km")], CHANNEL.capabilities.shown("comment", way))
    assert refused.value.reason == "unsupported"


def test_choices_become_a_list_of_words_under_a_comment():
    question = Choices(text="Which?", options=(Option(id="a", title="A"), Option(id="b", title="B")))
    (piece,) = fit([question], CHANNEL.capabilities.shown("comment", "free_text")).pieces
    assert piece.text == "Which?\n\n1. A\n2. B"


def test_a_body_is_signed_byte_for_byte():
    r"""Meta escapes what is not ASCII: \u17a0 and ហ are one text and two bodies."""
    escaped, plain = json.dumps({"a": "ហ"}).encode(), json.dumps({"a": "ហ"}, ensure_ascii=False).encode()
    signed = {"x-hub-signature-256": meta.signature(SecretStr("s"), escaped)}
    CHANNEL.verify(APP, Request(headers=signed, body=escaped), CONTEXT)
    with pytest.raises(translate.Unverified):
        CHANNEL.verify(APP, Request(headers=signed, body=plain), CONTEXT)
