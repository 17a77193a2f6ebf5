"""What is Google Chat's own, beyond the suite that every channel passes: whose token is for whom."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from services.chat_adapter.channels.googlechat import CHANNEL
from services.cli.wire import parse_http
from services.sandbox.twins.serviced import service_account
from shared.contract.channel import Context, Request, UnknownKey, Unverified
from shared.contract.errors import Malformed
from shared.dialects.rs256 import signers
from shared.inbound import translate
from tests.channels.conformance.bench import bench

NOW = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
PROJECT, HOOK = "482915537064", "https://parley.example.org/hooks/googlechat/main"
CHAT, GOOGLE = "chat@system.gserviceaccount.com", "https://accounts.google.com"
PUSH, ADD_ON = "push@shop.iam.gserviceaccount.com", f"service-{PROJECT}@gcp-sa-gsuiteaddons.iam.gserviceaccount.com"
APP = CHANNEL.app(name="main", project=PROJECT, publishers=(PUSH,))
KEY, OTHER = (rsa.generate_private_key(65537, 2048) for _ in range(2))
TIMES = {"iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 3600}


def public(key, kid, of):
    jwk = {**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid}
    return signers({"keys": [jwk]}, lambda _: {"of": of})


CONTEXT = Context(now=NOW, keys=public(KEY, "chat", CHAT) | public(OTHER, "google", GOOGLE), hook=HOOK)
CLASSIC = {"iss": CHAT, "aud": PROJECT}
IDENTITY = {"iss": GOOGLE, "aud": HOOK, "email": CHAT, "email_verified": True}


def verify(claims, *, kid, key, app=APP, context=CONTEXT):
    token = jwt.encode({**TIMES, **claims}, key, "RS256", headers={"kid": kid})
    translate.verify(CHANNEL, app, Request(headers={"authorization": f"Bearer {token}"}, body=b"{}"), context)


@pytest.mark.parametrize("email", [CHAT, ADD_ON, PUSH])
def test_google_says_who_posts_to_this_address(email):
    verify({**IDENTITY, "email": email}, kid="google", key=OTHER)
    verify({**IDENTITY, "email": email, "iss": "accounts.google.com"}, kid="google", key=OTHER)


def test_chat_signs_for_the_project():
    verify(CLASSIC, kid="chat", key=KEY)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "111111111111"},
        {"aud": HOOK},
        {"aud": [PROJECT, HOOK]},
        {"iss": GOOGLE},
        {"iss": "accounts.google.com"},
        {"iss": ADD_ON},
    ],
)
def test_a_token_of_chat_for_anything_else_is_not_believed(claims):
    with pytest.raises(Unverified):
        verify({**CLASSIC, **claims}, kid="chat", key=KEY)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": CHAT},
        {"iss": CHAT, "aud": PROJECT},
        {"aud": PROJECT},
        {"aud": "https://another.example/hooks/googlechat/main"},
        {"aud": ""},
        {"email": "mallory@elsewhere.iam.gserviceaccount.com"},
        {"email": "service-111111111111@gcp-sa-gsuiteaddons.iam.gserviceaccount.com"},
        {"email": None},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
    ],
)
def test_an_identity_that_is_somebody_elses_is_not_believed(claims):
    """Anybody has Google sign one for their own service account: only who may post here, for this address, is believed."""
    with pytest.raises(Unverified):
        verify({**IDENTITY, **claims}, kid="google", key=OTHER)


def test_each_key_signs_for_its_own_issuer_only():
    for claims, kid, key in ((CLASSIC, "google", OTHER), (IDENTITY, "chat", KEY)):
        with pytest.raises(Unverified):
            verify(claims, kid=kid, key=key)
    with pytest.raises(UnknownKey):
        verify(CLASSIC, kid="of nobody", key=KEY)


def test_without_an_address_of_ours_no_identity_is_for_us():
    nowhere = replace(CONTEXT, hook="")
    verify(CLASSIC, kid="chat", key=KEY, context=nowhere)
    for audience in ("", HOOK):
        with pytest.raises(Unverified):
            verify({**IDENTITY, "aud": audience}, kid="google", key=OTHER, context=nowhere)


def test_the_address_that_google_has_may_be_another_than_ours():
    behind = APP.model_copy(update={"audience": "https://gate.example/chat"})
    verify({**IDENTITY, "aud": "https://gate.example/chat"}, kid="google", key=OTHER, app=behind)
    with pytest.raises(Unverified):
        verify(IDENTITY, kid="google", key=OTHER, app=behind)


@pytest.mark.parametrize("missing", ["iss", "aud", "exp", "iat"])
def test_a_token_says_all_that_is_looked_at(missing):
    for claims, kid, key in ((CLASSIC, "chat", KEY), (IDENTITY, "google", OTHER)):
        whole = {name: value for name, value in {**TIMES, **claims}.items() if name != missing}
        token = jwt.encode(whole, key, "RS256", headers={"kid": kid})
        with pytest.raises(Unverified):
            translate.verify(CHANNEL, APP, Request(headers={"authorization": f"Bearer {token}"}, body=b"{}"), CONTEXT)


@pytest.mark.parametrize("broken", ["", "{}", "[]", "a word", '{"private_key": "x", "client_email": "a@b"}'])
def test_credentials_that_are_none_are_refused_without_showing_them(broken):
    with pytest.raises(ValidationError) as refused:
        CHANNEL.account(name="main", credentials=broken)
    assert "give the JSON file that Google gave" in str(refused.value)
    whole = json.loads(service_account())
    with pytest.raises(ValidationError) as refused:
        CHANNEL.account(name="main", credentials=json.dumps({**whole, "client_email": 7}))
    assert whole["private_key"][100:150] not in str(refused.value)


def test_a_person_whose_own_space_has_no_name_is_told_of_as_unreadable():
    """Where they came; an event that cannot be kept is no event."""
    on = bench("googlechat")
    came = parse_http((on.folder / "added_by_a_person.in.http").read_bytes())
    body = json.dumps({**json.loads(came.body), "space": {**json.loads(came.body)["space"], "name": None}}).encode()
    assert [type(one) for one in on.read_each(replace(came, body=body))] == [Malformed]
