"""What is Apple's own, beyond the suite that every channel passes."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import jwt
import pytest
from pydantic import ValidationError

from services.chat_adapter.channels.apple import CHANNEL
from shared.contract.channel import Context, Piece, Request, Response, SendFailed, Unverified
from shared.contract.envelope import Choices, Media, Option, Text, Unsupported
from shared.contract.fit import fit
from shared.inbound import translate
from shared.provider.bodies import transformed

MSP, SHOP, PERSON = "the-msp", "the-shop", "urn:mbid:AQAA1"
KEY = b"32 bytes, which only Apple and we"
SECRET = base64.b64encode(KEY).decode()
NOW = datetime(2026, 2, 3, tzinfo=UTC)
CONTEXT = Context(now=NOW, nonce="a" * 32)
APP = CHANNEL.app(name="main", msp_id=MSP, secret=SECRET)
ACCOUNT = CHANNEL.account(name="main", business_id=SHOP, msp_id=MSP, secret=SECRET)


def read(**body):
    told = {"type": "text", "id": "1", "sourceId": PERSON, "destinationId": SHOP, **body}
    return translate.read(CHANNEL, APP, Request(body=json.dumps(told).encode()), CONTEXT)


def verified(token, scheme="Bearer"):
    try:
        translate.verify(CHANNEL, APP, Request(headers={"authorization": f"{scheme} {token}"}), CONTEXT)
    except Unverified:
        return False
    return True


def token(key=KEY, algorithm="HS256", **claims):
    plain = {"aud": MSP, "iat": int(NOW.timestamp())}
    return jwt.encode({**plain, **claims}, key, algorithm=algorithm)


def answered(steps, *answers):
    """The requests that an exchange makes, and what it comes to."""
    asked, given = [], list(answers)
    try:
        step = next(steps)
        while True:
            asked.append(step)
            step = steps.send(given.pop(0))
    except StopIteration as end:
        return asked, end.value


# in


def test_a_token_is_this_msps_by_its_audience_its_algorithm_and_its_time():
    assert verified(token())
    assert verified(token(aud=[MSP, "another"]))
    assert not verified(token(), scheme="bearer")
    assert not verified(token(aud="another"))
    assert not verified(token(aud=None))
    assert not verified(token(key=b"another key of thirty-two bytes, too"))
    assert not verified(token(algorithm="HS512", key=KEY * 2))
    assert not verified(jwt.encode({"aud": MSP}, None, algorithm="none"))
    for hours in (13, -13):
        assert not verified(token(iat=int((NOW + timedelta(hours=hours)).timestamp())))
    assert not verified(token(iat=10**30))


def test_what_we_sign_ourselves_is_no_proof_that_apple_wrote():
    """Both sides sign with one secret: ours names the issuer, Apple's the audience."""
    asked = next(CHANNEL.outbound(ACCOUNT, Piece(id="p", to=PERSON, part=Text(text="hi")), CONTEXT))
    ours = asked.headers["authorization"].removeprefix("Bearer ")
    assert jwt.decode(ours, KEY, algorithms=["HS256"], options={"verify_iat": False})["iss"] == MSP
    assert not verified(ours)


def test_a_secret_that_is_no_base64_is_refused_at_the_start():
    with pytest.raises(ValidationError) as refused:
        CHANNEL.app(name="main", msp_id=MSP, secret="it's-plain-words")
    (told,) = refused.value.errors(include_input=False, include_url=False)
    assert ("base64" in told["msg"], "plain-words" in str(told)) == (True, False)


def test_of_more_files_than_a_message_holds_the_rest_is_named():
    file = {"url": "u", "owner": "o", "signature": "00", "key": "00" + "11" * 32}
    (message,) = read(body="", attachments=[file] * 1000)
    stamped = translate.stamp(message, channel=CHANNEL, account=ACCOUNT, received_at=NOW)
    assert len(stamped.parts) == translate.PARTS
    assert stamped.parts[-1] == Unsupported(type="more")


@pytest.mark.parametrize("shows", ["", ",", " , ", "\ud800", "Q" * 3000])
def test_a_device_that_says_nothing_of_itself_takes_nothing_along(shows):
    body = {"type": "text", "id": "1", "sourceId": PERSON, "destinationId": SHOP, "body": "hi"}
    request = Request(body=json.dumps(body).encode(), headers={"capability-list": shows})
    (message,) = translate.read(CHANNEL, APP, request, CONTEXT)
    assert message.parts == (Text(text="hi"),)
    assert message.route is None or message.route.value


# files


async def whole(chunks):
    return b"".join([chunk async for chunk in chunks])


async def some(*chunks):
    for chunk in chunks:
        yield chunk


async def test_what_is_uploaded_is_opened_by_the_key_in_its_message_and_by_no_other():
    media = Media(media="file", state="stored", blob="default/" + "0" * 64, size=9)
    place = Response.of_json({"upload-url": "https://a/up", "mmcs-url": "https://a/1", "mmcs-owner": "1"})
    stored = Response.of_json({"singleFile": {"fileChecksum": "AQ=="}})
    (_, put), handle = answered(CHANNEL.upload(ACCOUNT, media, CONTEXT), place, stored)
    sent = await whole(transformed(some(b"the ", b"bytes"), put.body.through))
    assert sent != b"the bytes"
    told = dict(parse_qsl(handle.value))
    back = Media(media="file", handle=f"url=u&owner=o&signature=AQ%3D%3D&key={told['key']}")
    place = Response.of_json({"download-url": "https://a/down"})
    _, download = answered(CHANNEL.fetch(ACCOUNT, back, CONTEXT), place)
    assert await whole(transformed(some(sent[:3], sent[3:]), download.decrypt)) == b"the bytes"
    (_, again), _ = answered(CHANNEL.upload(ACCOUNT, media, replace(CONTEXT, nonce="b" * 32)), place_again(), stored)
    assert again.body.through != put.body.through
    assert len(again.body.through.key) == 32


def place_again():
    return Response.of_json({"upload-url": "https://a/up", "mmcs-url": "https://a/1", "mmcs-owner": "1"})


@pytest.mark.parametrize("key", ["", "00", "00" + "11" * 16, "00" + "11" * 33, "zz"])
def test_a_file_whose_key_is_none_is_asked_of_nobody(key):
    media = Media(media="file", handle=f"url=u&owner=o&signature=AQ%3D%3D&key={key}")
    with pytest.raises((SendFailed, LookupError, ValueError)):
        next(CHANNEL.fetch(ACCOUNT, media, CONTEXT))


# out


def test_words_and_files_are_one_message_whatever_order_they_came_in():
    file = Media(media="image", state="stored", blob="b/1", size=1, caption="the menu")
    (bundle,) = fit(
        [file, Text(text="and the way"), file.model_copy(update={"caption": None})], CHANNEL.capabilities
    ).pieces
    assert (bundle.part.text, len(bundle.files)) == ("the menu\n\nand the way", 2)


def test_links_among_the_options_stand_in_the_words():
    options = (Option(id="a", title="Tea"), Option(id="b", title="Menu", url="https://shop.example/menu"))
    (question,) = fit([Choices(text="Which?", options=options)], CHANNEL.capabilities).pieces
    assert question.options == options[:1]
    assert "https://shop.example/menu" in question.text


def test_nothing_of_a_long_question_is_lost_in_the_bubble():
    words = " ".join(f"word{number}" for number in range(60))
    piece = Piece(id="p", to=PERSON, part=Choices(text=words, options=(Option(id="a", title="A"),)))
    told = json.loads(next(CHANNEL.outbound(ACCOUNT, piece, CONTEXT)).body)["interactiveData"]["receivedMessage"]
    assert f"{told['title']} {told['subtitle']}" == words
    assert len(told["title"]) <= 85


def test_whoever_closed_the_chat_is_not_asked_again():
    with pytest.raises(SendFailed) as refused:
        CHANNEL.outcome(Response(status=410))
    assert refused.value.reason == "opted_out"
