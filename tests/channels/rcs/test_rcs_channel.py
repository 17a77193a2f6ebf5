"""What is RCS for Business's own, beyond the suite that every channel passes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from services.chat_adapter.channels.rcs import CHANNEL
from shared.contract.channel import Context, MarkSeen, Piece, Refusal, Request, Response, SendFailed, TypingMark
from shared.contract.envelope import Choices, Location, Media, Option, Text
from shared.contract.errors import Unverified
from shared.contract.fit import fit
from shared.inbound import translate

SETTINGS = json.loads(Path(__file__).with_name("settings.json").read_text())
CONTEXT = Context(
    now=datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC), nonce="n", link=lambda media: f"https://p.example/{media.blob}"
)
ACCOUNT = CHANNEL.account(name="main", **SETTINGS["account"])
APP = CHANNEL.app(name="main", token="the-token")
KEY = json.loads(SETTINGS["account"]["credentials"])


def pushed(told: bytes, *, data: str | None = None, **around: Any) -> Request:
    """Signed by the page's words: base64 of HMAC-SHA512 over what is told."""
    signature = base64.b64encode(hmac.digest(b"the-token", told, hashlib.sha512)).decode()
    body = {"message": {"data": data or base64.b64encode(told).decode()}, **around}
    return Request(body=json.dumps(body).encode(), headers={"x-goog-signature": signature})


def sent(*answers: Response, part: Any = None) -> Any:
    given = iter(answers)
    piece = Piece(id="p/0", to="+85512345678", part=part or Text(text="hi"))
    steps = CHANNEL.outbound(ACCOUNT, piece, CONTEXT)
    return translate.answer(steps, given=lambda _: next(given), outcome=CHANNEL.outcome)


# in


def test_what_stands_around_what_is_signed_is_neither_proof_nor_read() -> None:
    event = {
        "agentId": "a",
        "senderPhoneNumber": "+1",
        "messageId": "m",
        "sendTime": "2026-02-03T04:05:06Z",
        "text": "hi",
    }
    request = pushed(json.dumps(event).encode(), text="another", message_id=7)
    CHANNEL.verify(APP, request, CONTEXT)
    (message,) = CHANNEL.inbound(APP, request, CONTEXT)
    assert (message.parts, message.account_key) == ((Text(text="hi"),), "a")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"message":7}',
        b'{"message":{"data":7}}',
        b'{"message":{"data":"?"}}',
        b'{"message":{"data":""}}',
        b"\xff",
    ],
)
def test_what_is_signed_by_nobody_is_not_believed(body: bytes) -> None:
    for signature in ("", "eA==", "é", "\ud800"):
        with pytest.raises(Unverified):
            CHANNEL.verify(APP, Request(body=body, headers={"x-goog-signature": signature}), CONTEXT)


def test_another_spelling_of_what_is_signed_is_not_believed() -> None:
    told = b'{"a":1}'
    spelled = base64.b64encode(told).decode()
    for data in (spelled.rstrip("="), spelled + "=", spelled[:-2] + chr(ord(spelled[-2]) + 1) + "=", spelled + "\n"):
        with pytest.raises(Unverified):
            CHANNEL.verify(APP, pushed(told, data=data), CONTEXT)


def handshake(**asked: Any) -> Response | None:
    return CHANNEL.handshake(APP, Request(body=json.dumps(asked).encode()), CONTEXT)


def test_the_secret_comes_back_as_plain_text_to_whoever_knows_the_token() -> None:
    answer = handshake(clientToken="the-token", secret="s-1")
    assert answer
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "text/plain", b"s-1")
    assert handshake(message={}) is None
    for token in ("another", "", "é"):
        with pytest.raises(Unverified):
            handshake(clientToken=token, secret="s-1")


# out


@pytest.mark.parametrize(
    ("part", "becomes"),
    [
        (Text(text="x" * 3072), ["text"]),
        (Text(text="x" * 3073), ["text", "text"]),
        (Choices(text="?", options=tuple(Option(id=str(n), title="t" * 25) for n in range(11))), ["choices"]),
        (Choices(text="?", options=tuple(Option(id=str(n), title="t") for n in range(12))), ["text"]),
        (Choices(text="?", options=(Option(id="a", title="t" * 26),)), ["text"]),
        (Location(latitude=1, longitude=2, name="here"), ["location"]),
        *(
            (Media(media=kind, state="stored", blob="b/1"), ["media"])
            for kind in ("image", "audio", "video", "sticker")
        ),
    ],
)
def test_what_rcs_allows_is_sent_whole_and_no_more(part: Any, becomes: list[str]) -> None:
    assert [piece.kind for piece in fit([part], CHANNEL.capabilities).pieces] == becomes


@pytest.mark.parametrize(
    "part",
    [
        Choices(text="?", options=(Option(id="i" * 2049, title="t"),)),
        Media(media="file", state="stored", blob="b/1", size=100 * 1024 * 1024 + 1),
    ],
)
def test_what_rcs_cannot_take_is_refused_early(part: Any) -> None:
    with pytest.raises(Refusal) as refused:
        fit([part], CHANNEL.capabilities)
    assert refused.value.reason == "too_long"


def test_what_their_device_can_is_said_where_a_message_is_refused() -> None:
    bad = Response.of_json({"error": {"status": "INVALID_ARGUMENT", "message": "No."}}, status=400)
    able = Response.of_json({"features": ["RICHCARD_STANDALONE", "ACTION_DIAL"]})
    with pytest.raises(SendFailed) as failed:
        sent(bad, able)
    assert failed.value.detail == "INVALID_ARGUMENT: No. Their device can: RICHCARD_STANDALONE, ACTION_DIAL"
    for silent, detail in ((Response.of_json({}), "No. Their device can: texts"), (Response(status=404), "No.")):
        with pytest.raises(SendFailed) as failed:
            sent(bad, silent)
        assert (failed.value.reason, failed.value.detail) == ("malformed", f"INVALID_ARGUMENT: {detail}")


@pytest.mark.parametrize("status", [401, 403, 404, 413, 418, 429, 500])
def test_nothing_more_is_asked_where_another_no_was_said(status: int) -> None:
    with pytest.raises(SendFailed):
        sent(Response(status=status))


def test_a_piece_that_google_has_already_has_the_name_that_receipts_tell() -> None:
    again, first = sent(Response(status=409)), sent(Response.of_json({}))
    assert again == first
    assert again.external_ids == (CHANNEL.join_key(Piece(id="p/0", to="+1", part=Text(text="hi"))),)


def test_the_words_of_a_refusal_are_kept_as_far_as_people_read_them() -> None:
    for said in (
        {"error": {"status": "S", "message": "x" * 600}},
        {"error": "invalid_scope", "error_description": "x" * 600},
    ):
        with pytest.raises(SendFailed) as failed:
            CHANNEL.outcome(Response.of_json(said, status=400))
        assert len(failed.value.detail) == 500


def test_each_typing_is_an_event_of_its_own_and_a_mark_is_one_however_often() -> None:
    def asked(context: Context) -> tuple[str, str]:
        mark = MarkSeen(id="c1", to="+1", external_id="m")
        return (
            next(CHANNEL.typing(ACCOUNT, TypingMark(to="+1"), context)).url,
            next(CHANNEL.amend(ACCOUNT, mark, context)).url,
        )

    (typed, seen), (later, again) = asked(CONTEXT), asked(replace(CONTEXT, now=CONTEXT.now + timedelta(seconds=5)))
    assert (typed == later, seen == again) == (False, True)


# its keys and files


def test_an_access_token_is_asked_for_by_a_word_that_the_key_signs() -> None:
    request = next(CHANNEL.refresh(ACCOUNT, None, CONTEXT))
    assert (request.url, request.commits) == ("https://oauth2.googleapis.com/token", False)
    assertion = request.body.decode().rpartition("assertion=")[2]
    public = load_pem_private_key(KEY["private_key"].encode(), None).public_key()
    claims = jwt.decode(
        assertion, public, ["RS256"], audience=request.url, options={"verify_exp": False, "verify_iat": False}
    )
    assert (claims["iss"], claims["exp"] - claims["iat"]) == (KEY["client_email"], 3600)
    assert claims["scope"] == "https://www.googleapis.com/auth/rcsbusinessmessaging"
    assert claims["iat"] == int(CONTEXT.now.timestamp())
    assert jwt.get_unverified_header(assertion)["kid"] == KEY["private_key_id"]


@pytest.mark.parametrize(
    "broken", ["", "{}", "[]", json.dumps({**KEY, "private_key": "x"}), json.dumps({**KEY, "client_email": 7})]
)
def test_a_key_that_is_none_is_refused_with_the_settings_and_not_shown(broken: str) -> None:
    with pytest.raises(ValueError, match="JSON file") as refused:
        CHANNEL.account(name="main", **{**SETTINGS["account"], "credentials": broken})
    assert "PRIVATE" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "stranger"),
    [
        ("https://rcs-content.example.com/a", True),
        ("http://127.0.0.1/a", True),
        ("https://rcsbusinessmessaging.googleapis.com/a", False),
        ("https://rcsbusinessmessaging.googleapis.com@evil.example/a", True),
    ],
)
def test_no_file_is_asked_for_with_the_token(address: str, stranger: bool) -> None:
    with pytest.raises(StopIteration) as end:
        next(CHANNEL.fetch(ACCOUNT, Media(media="image", handle=address), CONTEXT))
    request = end.value.value.request
    assert (request.url, request.stranger, dict(request.headers)) == (address, stranger, {})
