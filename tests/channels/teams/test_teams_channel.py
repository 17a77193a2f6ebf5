"""What is Teams' own, beyond the suite that every channel passes."""

import base64
import hmac
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from microsoft_agents.activity import Activity
from pydantic import SecretStr

from services.chat_adapter.channels.teams import CHANNEL
from services.chat_adapter.channels.teams.proof import endorsed
from services.cli.wire import parse_http
from shared.contract.channel import Context, Piece, React, Request, Response, SendFailed, UnknownKey, Unverified
from shared.contract.envelope import Choice, Choices, Media, Option, Text, Unsupported
from shared.contract.errors import Malformed, Torn
from shared.contract.fit import fit
from shared.dialects.rs256 import signers
from shared.inbound import translate

HERE = Path(__file__).parent
NOW = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
APP_ID, DIRECTORY = "3f6f6a52-8d3b-4c53-9a71-0c2b6b1d7e10", "b7c1d9e4-52a6-4f0b-9c3e-6a1f8e2d4c70"
SERVICE = "https://smba.trafficmanager.net/apac/"
APP = CHANNEL.app(name="main", app_id=APP_ID)
ACCOUNT = CHANNEL.account(name="main", app_id=APP_ID, directory=DIRECTORY, secret="a-word")
KEY, OTHER = (rsa.generate_private_key(65537, 2048) for _ in range(2))
PUBLIC = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
SIGNED = {"iss": "https://api.botframework.com", "aud": APP_ID, "serviceurl": SERVICE}
SIGNED |= {"nbf": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 3600}
PERSON, CHAT, PLACE = "29:1dara", "a:1chat", "19:room@thread.tacv2"


def known(*endorsements):
    return signers({"keys": [{**PUBLIC, "kid": "k1", "endorsements": list(endorsements)}]}, endorsed)


CONTEXT = Context(
    now=NOW, keys=known("msteams"), token=SecretStr("the-token"), link=lambda media: f"https://a.example/{media.blob}"
)


def activity(**more):
    told = {"id": "1770091500001", "timestamp": "2026-02-03T04:05:00Z", "channelId": "msteams", "serviceUrl": SERVICE}
    place = {"conversationType": "personal", "tenantId": DIRECTORY, "id": CHAT}
    people = {"from": {"id": PERSON}, "recipient": {"id": f"28:{APP_ID}", "name": "Shop"}, "conversation": place}
    return {"type": "message", "text": "hi", **told, **people, **more}


def signed(claims=(), said=None, *, key=KEY, head=(), algorithm="RS256"):
    claims = {name: value for name, value in {**SIGNED, **dict(claims)}.items() if value is not ...}
    token = jwt.encode(claims, key, algorithm, headers={"kid": "k1", **dict(head)})
    return Request(headers={"authorization": f"Bearer {token}"}, body=json.dumps(said or activity()).encode())


def read(**more):
    return tuple(CHANNEL.inbound(APP, Request(body=json.dumps(activity(**more)).encode()), CONTEXT))


def verify(request, context=CONTEXT):
    translate.verify(CHANNEL, APP, request, context)


# who it is


def forged_with_the_public_key():
    """The key that everyone can fetch, taken for a password: https://www.rfc-editor.org/rfc/rfc8725#section-2.1."""
    pem = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head, body = (
        base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=")
        for one in ({"alg": "HS256", "kid": "k1"}, SIGNED)
    )
    seal = base64.urlsafe_b64encode(hmac.digest(pem, head + b"." + body, "sha256")).rstrip(b"=")
    return Request(headers={"authorization": f"Bearer {b'.'.join((head, body, seal)).decode()}"}, body=signed().body)


REFUSED = {
    "signed by another": lambda: signed(key=OTHER),
    "signed by nobody": lambda: signed(key=None, algorithm="none"),
    "signed with the public key": forged_with_the_public_key,
    "another algorithm of the same key": lambda: signed(algorithm="RS384"),
    "for another bot": lambda: signed({"aud": DIRECTORY}),
    "for several bots": lambda: signed({"aud": [DIRECTORY]}),
    "by another issuer": lambda: signed({"iss": "https://sts.windows.net/x/"}),
    "for another service": lambda: signed({"serviceurl": "https://evil.example/"}),
    "an activity that names another service": lambda: signed(said=activity(serviceUrl="https://evil.example/")),
    "an activity without a service": lambda: signed(said={**activity(), "serviceUrl": None}),
    "an activity of another channel": lambda: signed(said=activity(channelId="webchat")),
    "a list of activities": lambda: signed(said=[activity()]),
    "over for longer than clocks differ": lambda: signed({"exp": NOW.timestamp() - 301}),
    "not yet, by more than clocks differ": lambda: signed({"nbf": NOW.timestamp() + 301}),
    "without an end": lambda: signed({"exp": ...}),
    "an end that is none": lambda: signed({"exp": "soon"}),
    "in another scheme": lambda: replace(
        signed(), headers={"authorization": signed().headers["authorization"].replace("Bearer", "Basic")}
    ),
    "in another field": lambda: replace(signed(), headers={"x-authorization": signed().headers["authorization"]}),
    "with words behind it": lambda: replace(
        signed(), headers={"authorization": signed().headers["authorization"] + " x"}
    ),
}


@pytest.mark.parametrize("how", REFUSED)
def test_whoever_is_not_the_connector_is_refused(how):
    with pytest.raises(Unverified):
        verify(REFUSED[how]())


@pytest.mark.parametrize(
    "claims", [{}, {"exp": NOW.timestamp() - 299}, {"nbf": NOW.timestamp() + 299}, {"aud": [DIRECTORY, APP_ID]}]
)
def test_what_the_connector_signs_is_believed_while_clocks_may_differ(claims):
    verify(signed(claims))


@pytest.mark.parametrize("endorsed", [(), ("webchat",), ("MSTEAMS",)])
def test_a_key_signs_for_the_channels_that_it_is_endorsed_for(endorsed):
    with pytest.raises(Unverified):
        verify(signed(), replace(CONTEXT, keys=known(*endorsed)))


def test_a_key_that_is_not_known_yet_is_no_forgery():
    with pytest.raises(UnknownKey):
        CHANNEL.verify(APP, signed(head={"kid": "k2"}), CONTEXT)


def test_the_head_alone_proves_who_sends_before_the_body_is_read():
    verify(replace(signed(), body=b""))
    with pytest.raises(Unverified):
        verify(replace(signed(key=OTHER), body=b""))


def test_a_body_that_is_cut_is_asked_for_again():
    cut = replace(signed(), body=signed().body[:80])
    verify(cut)
    with pytest.raises(Torn):
        translate.read(CHANNEL, APP, cut, CONTEXT)


def test_in_government_clouds_others_sign():
    app = CHANNEL.app(
        name="main",
        app_id=APP_ID,
        issuer="https://api.botframework.us",
        openid="https://login.botframework.azure.us/v1",
    )
    CHANNEL.verify(app, signed({"iss": "https://api.botframework.us"}), CONTEXT)
    with pytest.raises(Unverified):
        CHANNEL.verify(app, signed(), CONTEXT)
    assert next(CHANNEL.keys(app, CONTEXT)).url == "https://login.botframework.azure.us/v1"


# in


def test_older_activities_name_the_directory_elsewhere():
    place = {"id": f"{PLACE};messageid=17"}
    (message,) = read(conversation=place, channelData={"tenant": {"id": DIRECTORY}})
    assert (message.account_key, message.peer, message.thread.thread_key) == (ACCOUNT.key, PLACE, "17")
    with pytest.raises(Malformed):
        translate.read(CHANNEL, APP, Request(body=json.dumps(activity(conversation=place)).encode()), CONTEXT)


def test_one_bot_speaks_for_several_organisations_each_an_account_of_its_own():
    other = "0f0e0d0c-0b0a-4908-8706-050403020100"
    (message,) = read(conversation={"conversationType": "personal", "tenantId": other, "id": CHAT})
    account = ACCOUNT.model_copy(update={"directory": other, "home": DIRECTORY})
    assert message.account_key == account.key != ACCOUNT.key
    first = piece(Text(text="hi"), references=())
    (create, _), _ = asked(CHANNEL.outbound(account, first, CONTEXT), {"id": CHAT}, {"id": "2"})
    assert json.loads(create.body)["tenantId"] == other
    assert f"/{DIRECTORY}/" in next(CHANNEL.refresh(account, None, CONTEXT)).url


def test_a_chat_of_two_is_one_persons_whatever_its_id_looks_like():
    (message,) = read(conversation={"id": "19:a_b@unq.gbl.spaces", "tenantId": DIRECTORY})
    assert (message.peer, message.container, message.surface) == (PERSON, None, "direct")
    assert message.external_id == "19:a_b@unq.gbl.spaces/1770091500001"


def test_a_thread_is_the_same_place_for_what_names_it_and_what_does_not():
    """An edit or a reaction finds its message whether or not the channel's id has the thread behind it."""
    (message,) = read(conversation={"id": f"{PLACE};messageid=17", "tenantId": DIRECTORY})
    for place in (PLACE, f"{PLACE};messageid=17"):
        (gone,) = read(type="messageDelete", conversation={"id": place, "tenantId": DIRECTORY})
        assert gone.parts[0].target in (message.external_id, *message.external_ids)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<at>Shop</at> hi", "hi"),
        ("  <at>Shop</at>   hi", "hi"),
        ("ask <at>Shop</at>!", "ask @Shop!"),
        ("<at>Shop</at>", "@Shop"),
        ('<at id="0">Ann</at> hi', "Ann hi"),
        ("1 < 2 & <b>3</b>", "1 < 2 & <b>3</b>"),
    ],
)
def test_the_bot_is_not_told_that_it_was_addressed(text, shown):
    mention = {"type": "mention", "mentioned": {"id": f"28:{APP_ID}", "name": "Shop"}, "text": "<at>Shop</at>"}
    (message,) = read(text=text, entities=[mention, mention])
    assert message.parts == (Text(text=shown),)


def test_half_of_what_is_mentioned_takes_no_words_along():
    (message,) = read(
        text="<at>Ann</at> hi", entities=[{"type": "mention"}, 7, {"type": "mention", "mentioned": None, "text": 7}]
    )
    assert message.parts == (Text(text="Ann hi"),)


@pytest.mark.parametrize("value", [7, "x", [], {"choice": None}, {"choice": {}}, {"other": "a"}])
def test_what_was_pressed_and_is_not_ours_is_unsupported(value):
    (message,) = read(value=value)
    assert message.parts == (Unsupported(type="submit", text="hi"),)


def test_no_strangers_text_takes_long():
    long = {"<": "<" * 300_000, "img": "<img " * 60_000, "quote": "<blockquote " * 25_000, "at": "<at " * 75_000}
    for said in long.values():
        started = time.process_time()
        read(text=said, textFormat="xml", attachments=[{"contentType": "text/html", "content": said}])
        read(text="", attachments=[{"contentType": "text/html", "content": said}])
        assert time.process_time() - started < 20, "it goes over a letter again and again"


# out


def asked(steps, *answers):
    """The requests of an exchange, and what it comes to."""
    made, given = [], list(answers)
    try:
        step = next(steps)
        while True:
            made.append(step)
            step = steps.send(Response.of_json(given.pop(0)))
    except StopIteration as end:
        return made, end.value


def piece(part, **more):
    return Piece(**{"id": "p/0", "to": PERSON, "part": part, "references": (f"{CHAT}/1",), "route": SERVICE, **more})


@pytest.mark.parametrize(
    ("route", "goes"),
    [
        (SERVICE, True),
        ("https://SMBA.trafficmanager.net/apac", True),
        ("https://smba.infra.gcc.teams.microsoft.com/gcc", True),
        ("https://further.example/x", True),
        ("https://smba.trafficmanager.net.evil.example/", False),
        ("https://evil.trafficmanager.net/", False),
        ("https://smba.trafficmanager.net@evil.example/", False),
        ("https://me@smba.trafficmanager.net/", False),
        ("https://smba.trafficmanager.net:444/", False),
        ("http://smba.trafficmanager.net/", False),
        ("https://smba.trafficmanager.net\\@evil.example/", False),
        ("https://smba.traffic\nmanager.net/", False),
        ("//smba.trafficmanager.net/", False),
        ("ftp://smba.trafficmanager.net/", False),
    ],
)
def test_the_token_goes_to_microsoft_and_to_nobody_else(route, goes):
    account = ACCOUNT.model_copy(update={"services": ("further.example",), "api": "https://home.example/teams"})
    (request,), _ = asked(CHANNEL.outbound(account, piece(Text(text="hi"), route=route), CONTEXT), {"id": "2"})
    home = "https://home.example/teams"
    assert request.url.startswith(route.rstrip("/") if goes else home)
    _, download = asked(CHANNEL.fetch(account, Media(media="image", handle=route), CONTEXT))
    assert (download.request.headers == {}) is download.request.stranger is (not goes)


def test_a_first_word_in_a_channel_begins_a_thread_whose_answers_are_ours():
    _, sent = asked(CHANNEL.outbound(ACCOUNT, piece(Text(text="hi"), to=PLACE, references=()), CONTEXT), {"id": "17"})
    (message,) = read(conversation={"id": f"{PLACE};messageid=17", "tenantId": DIRECTORY})
    assert message.thread.reply_to in sent.external_ids
    answer = piece(Text(text="yes"), to=PLACE, references=(*sent.external_ids, message.external_id))
    (request,), _ = asked(CHANNEL.outbound(ACCOUNT, answer, CONTEXT), {"id": "18"})
    assert request.url.endswith("/v3/conversations/19%3Aroom%40thread.tacv2%3Bmessageid%3D17/activities")


def test_what_is_answered_elsewhere_is_not_named_here():
    """Ids mean something in their own conversation only."""
    (request,), _ = asked(
        CHANNEL.outbound(ACCOUNT, piece(Text(text="hi"), to=PLACE, reply_to=f"{CHAT}/1"), CONTEXT), {"id": "2"}
    )
    assert b"replyToId" not in request.body


def texts_of(body):
    return "\n".join(block["inlines"][0]["text"] for block in body["attachments"][0]["content"]["body"])


def test_a_question_keeps_all_its_words_in_the_size_that_teams_takes():
    able = CHANNEL.capabilities
    options = tuple(Option(id="i" * able.option_id, title="ខ" * able.option_title) for _ in range(able.options))
    for text in (
        "\n" * (able.text - 2) + "a?",
        "x" * able.text,
        '"' * able.text,
        "👍" * (able.text // 2),
        "a\n" * (able.text // 2),
    ):
        (request,), _ = asked(
            CHANNEL.outbound(ACCOUNT, piece(Choices(text=text, options=options)), CONTEXT), {"id": "2"}
        )
        assert len(request.body.decode().encode("utf-16-le")) < 100 * 1024
        assert texts_of(json.loads(request.body)).split() == text.split()


def test_an_option_is_pressed_by_the_id_that_it_was_offered_with():
    question = Choices(text="When?", options=(Option(id="am", title="Morning"),))
    (request,), _ = asked(CHANNEL.outbound(ACCOUNT, piece(question), CONTEXT), {"id": "2"})
    back = json.loads(request.body)["attachments"][0]["content"]["actions"][0]["data"]["msteams"]
    (message,) = read(text=back["text"], value=back["value"], replyToId="2")
    assert message.parts == (Choice(id="am", title="Morning", target=f"{CHAT}/2"),)


def test_sounds_and_films_go_as_files():
    (sound,) = fit([Media(media="audio", state="stored", blob="b", mime_type="audio/ogg")], CHANNEL.capabilities).pieces
    (request,), _ = asked(CHANNEL.outbound(ACCOUNT, piece(sound), CONTEXT), {"id": "2"})
    assert b"Action.OpenUrl" in request.body


def test_a_reaction_that_teams_has_not_is_refused_before_anything_is_asked():
    steps = CHANNEL.amend(ACCOUNT, amendment(emoji="🦆"), CONTEXT)
    with pytest.raises(SendFailed) as failed:
        next(steps)
    assert failed.value.reason == "unsupported"


def amendment(**more):
    return React(to=PERSON, external_id=f"{CHAT}/1", **more)


# by Microsoft's own hand: https://pypi.org/project/microsoft-agents-activity


def sent_bodies():
    for path in sorted(HERE.glob("*.out.json")):
        for step in json.loads(path.read_bytes())["exchange"]:
            if step["request"]["url"].endswith("/activities"):
                yield pytest.param(step["request"]["body"], id=path.name)


@pytest.mark.parametrize("body", [*sent_bodies()])
def test_what_we_send_is_an_activity(body):
    found = Activity.model_validate(body)
    assert found.model_dump(mode="json", by_alias=True, exclude_none=True).items() >= {"type": body["type"]}.items()
    assert (found.text, found.summary, found.reply_to_id) == (
        body.get("text"),
        body.get("summary"),
        body.get("replyToId"),
    )


@pytest.mark.parametrize("path", sorted(HERE.glob("*.in.http")), ids=lambda path: path.name)
def test_what_the_samples_hold_is_an_activity(path):
    body = json.loads(parse_http(path.read_bytes()).body)
    found = Activity.model_validate(body)
    assert (found.conversation.id, found.from_property.id, found.type) == (
        body["conversation"]["id"],
        body["from"]["id"],
        body["type"],
    )


def test_what_is_old_is_refused_after_an_hour_and_the_skew():
    verify(signed(), replace(CONTEXT, now=NOW + timedelta(seconds=3899)))
    with pytest.raises(Unverified):
        verify(signed(), replace(CONTEXT, now=NOW + timedelta(seconds=3901)))
