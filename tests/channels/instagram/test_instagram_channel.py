"""What is Instagram's own, beyond the suite that every channel passes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from services.social_adapter.channels.instagram import CHANNEL
from shared.contract.channel import Context, Message, Piece, Request
from shared.contract.envelope import Choices, Media, Option, Text
from shared.contract.errors import Unverified
from shared.contract.fit import fit
from shared.dialects import meta
from shared.inbound import translate

AT = datetime(2026, 11, 20, 4, tzinfo=UTC)
IG, PERSON, COMMENT = "17841466000770011", "6620017730004", "17890010000000001"
APP = CHANNEL.app(name="main", secret="s", verify_token="romdoul", app_id="14")
OWN = CHANNEL.account(name="own", instagram_id=IG, token="IGAA")
LINKED = CHANNEL.account(name="linked", instagram_id=IG, token="EAA", login="facebook", page_id="104")


def told(**entry: Any) -> tuple[Any, ...]:
    body = orjson.dumps({"object": "instagram", "entry": [{"id": IG, "time": 1795147200000, **entry}]})
    return translate.read_each(CHANNEL, APP, Request(body=body), Context(now=AT))


def echo(**message: Any) -> Message:
    event = {"sender": {"id": IG}, "recipient": {"id": PERSON}, "timestamp": 1795147200000}
    (found,) = told(messaging=[{**event, "message": {"mid": "m1", "is_echo": True, **message}}])
    assert isinstance(found, Message)
    return found


ASKED = Choices(text="Which size?", options=(Option(id="s", title="Small"),))
BUTTONS = {"template_type": "button", "text": "Which size?", "buttons": [{"title": "Small", "payload": "s"}]}


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Text(text="We  open\nat 7."), {"text": "We open at 7."}),
        (ASKED, {"attachments": [{"type": "template", "payload": BUTTONS}]}),
        (ASKED.model_copy(update={"style": "quick_replies"}), {"text": "Which size?"}),
        (Media(media="image", blob="b"), {"attachments": [{"type": "image", "payload": {"url": "https://a/1"}}]}),
    ],
    ids=["text", "buttons", "quick replies", "picture"],
)
def test_an_echo_is_known_by_whom_it_went_to_and_its_words(part: Any, message: dict[str, Any]) -> None:
    piece = Piece(id="p", to=PERSON, part=part)
    assert echo(**message).join_key == CHANNEL.join_key(piece)
    assert CHANNEL.join_key(piece.model_copy(update={"to": "6620017730115"})) != CHANNEL.join_key(piece)


def test_our_comment_is_known_by_what_it_stands_under_and_its_words() -> None:
    value = {"id": "178", "text": "hi", "parent_id": COMMENT, "media": {"id": "179"}, "from": {"id": IG}}
    (found,) = told(changes=[{"field": "comments", "value": value}])
    piece = Piece(id="p", to="media:179", surface="comment", thread_key=COMMENT, part=Text(text="hi"))
    assert found.join_key == CHANNEL.join_key(piece)
    assert found.join_key != CHANNEL.join_key(piece.model_copy(update={"way": "private"}))


def test_threads_are_handed_over_by_a_page_alone() -> None:
    assert CHANNEL.capabilities_of(LINKED).handovers == ("pass", "take", "release")
    assert CHANNEL.capabilities_of(OWN).handovers == ()


def test_only_a_users_token_ends() -> None:
    assert (CHANNEL.refreshes(OWN), CHANNEL.refreshes(LINKED)) == (True, False)


def test_with_facebook_login_a_page_is_named() -> None:
    with pytest.raises(ValidationError, match="page_id"):
        CHANNEL.account(name="a", instagram_id=IG, token="EAA", login="facebook")


def test_a_text_is_split_by_bytes_and_a_title_is_not() -> None:
    khmer = Option(id="a", title="ទំហំតូច")  # 21 bytes
    (question,) = fit([Choices(text="?", options=(khmer,))], CHANNEL.capabilities).pieces
    assert isinstance(question, Choices)
    pieces = fit([Text(text="ក" * 400)], CHANNEL.capabilities).pieces
    assert [len(piece.text.encode()) <= 1000 for piece in pieces if isinstance(piece, Text)] == [True, True]


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_only_what_is_posted_is_believed(method: str) -> None:
    headers = {"x-hub-signature-256": meta.signature(APP.secret, b"{}")}
    translate.verify(CHANNEL, APP, Request(headers=headers, body=b"{}"), Context(now=AT))
    with pytest.raises(Unverified):
        translate.verify(CHANNEL, APP, Request(method=method, headers=headers, body=b"{}"), Context(now=AT))


def test_when_metas_version_ends_is_told() -> None:
    version = CHANNEL.version(OWN.model_copy(update={"version": "v21.0"}))
    assert version
    assert version.ends_at == datetime(2027, 1, 21, tzinfo=UTC)
