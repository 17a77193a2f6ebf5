"""What SMS ask of a channel beside its samples: Twilio's own code agrees with ours, and senders differ."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest
from multidict import MultiDict
from pydantic import ValidationError
from twilio.request_validator import RequestValidator

from services.chat_adapter.channels.sms import CHANNEL
from services.cli.wire import parse_http
from shared.contract.channel import Context, Request
from shared.contract.envelope import Choices, Location, Media, Option, Text
from shared.contract.errors import Refusal, Unverified
from shared.contract.fit import Bundle, fit
from shared.contract.segments import segments

TOKEN = "7c1e0b9a4d2f48c6a5e3917fd08b62aa"
TWILIO = RequestValidator(TOKEN)
APP = CHANNEL.app(name="main", token=TOKEN)
SENDER = {"name": "main", "number": "+15005550006", "sid": "AC5b2f0e9d8c7a41638e1f2d3c4b5a6978", "token": TOKEN}
CONTEXT = Context(now=datetime(2026, 2, 3, tzinfo=UTC))
PICTURE = Media(media="image", state="stored", blob="b/1", mime_type="image/jpeg", size=1000)
URL = "https://parley.example.org/hooks/sms/main"


def sender(**more):
    return CHANNEL.account.model_validate({**SENDER, **more})


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("*.in.http")), ids=lambda path: path.name)
def test_twilios_own_code_believes_the_samples(path):
    request = parse_http(path.read_bytes())
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    assert TWILIO.validate(request.url, fields, request.headers["x-twilio-signature"])


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("Body", "")],
        [("b", "1"), ("B", "2"), ("a", "3"), ("é", "4"), ("😀", "5")],
        [("Body", "a&b=c%20+ \r\n\x00")],
        [("Body", "twice"), ("Body", "two"), ("Body", "twice")],
    ],
)
def test_what_twilios_own_code_signs_is_believed(fields):
    """In whatever order the fields come; one that comes twice counts once."""
    signature = TWILIO.compute_signature(f"{URL}?piece=x%20y", MultiDict(fields))
    for order in (1, -1):
        body = urlencode(fields[::order]).encode()
        request = Request(url=f"{URL}?piece=x%20y", headers={"x-twilio-signature": signature}, body=body)
        CHANNEL.verify(APP, request, CONTEXT)
        with pytest.raises(Unverified):
            CHANNEL.verify(APP, replace(request, url=f"{URL}?piece=another"), CONTEXT)


def test_of_a_body_that_is_no_form_the_digest_in_the_address_is_signed():
    body = b'{"a": 1}'
    digest = TWILIO.compute_hash(body.decode())
    url = f"{URL}?bodySHA256={digest}"
    head = {"x-twilio-signature": TWILIO.compute_signature(url, {}), "content-type": "application/json"}
    request = Request(url=url, headers=head, query={"bodySHA256": digest}, body=body)
    CHANNEL.verify(APP, request, CONTEXT)
    for forged in (replace(request, body=b'{"a": 2}'), replace(request, query={}), replace(request, body=b"")):
        with pytest.raises(Unverified):
            CHANNEL.verify(APP, forged, CONTEXT)


@pytest.mark.parametrize("body", [b"\xff\xfe=1", b"&".join(b"%d=1" % n for n in range(2000))])
def test_what_is_no_form_is_not_believed(body):
    with pytest.raises(Unverified):
        CHANNEL.verify(APP, Request(url=URL, headers={"x-twilio-signature": "x"}, body=body), CONTEXT)


def test_a_sender_without_mms_takes_no_files_and_a_name_is_one():
    able = CHANNEL.capabilities_of(sender(number="Krusa Cafe", segments=3, per_second=20))
    assert (able.text, able.unit, able.per_second) == (3, "segments", 20)
    with pytest.raises(Refusal) as refused:
        fit([PICTURE], able)
    assert refused.value.reason == "unsupported"


def test_files_go_with_the_words_where_the_sender_takes_files():
    able = CHANNEL.capabilities_of(sender(mms=True))
    assert fit([Text(text="hi"), PICTURE, PICTURE], able).pieces == (
        Bundle(part=Text(text="hi"), files=(PICTURE, PICTURE)),
    )
    with pytest.raises(Refusal) as refused:
        fit([PICTURE.model_copy(update={"size": 5 * 1024 * 1024 + 1})], able)
    assert refused.value.reason == "too_long"


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (Choices(text="Which?", options=(Option(id="a", title="Tea"), Option(id="b", title="Coffee"))), "1. Tea"),
        (Location(latitude=11.5564, longitude=104.9282, name="Wat Phnom"), "geo:11.5564,104.9282"),
    ],
)
def test_what_an_sms_has_not_goes_in_words(part, words):
    (piece,) = fit([part], CHANNEL.capabilities_of(sender())).pieces
    assert isinstance(piece, Text)
    assert words in piece.text


@pytest.mark.parametrize(("text", "pieces"), [("a" * 1530, 1), ("a" * 1531, 2), ("ខ" * 670, 1), ("ខ " * 400, 2)])
def test_a_long_text_is_cut_by_what_is_paid_for(text, pieces):
    found = fit([Text(text=text)], CHANNEL.capabilities_of(sender())).pieces
    assert [segments(one.text) <= 10 for one in found] == [True] * pieces


@pytest.mark.parametrize("number", ["15005550006", "whatsapp:+15005550006", "+0123", "A" * 12, "", "+1 500 555", "12"])
def test_a_sender_that_is_none_is_refused(number):
    with pytest.raises(ValidationError):
        sender(number=number)
