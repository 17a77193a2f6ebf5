"""Meta's dialect: the handshake, the signature, and what a Graph error means."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given, strategies as st
from pydantic import SecretStr

from services.chat_adapter.channels.whatsapp.errors import REFUSALS as WHATSAPP
from services.social_adapter.channels.facebook.errors import REFUSALS as FACEBOOK
from shared.contract.channel import Blob, Context, Field, Request, Response, SendFailed, Unverified
from shared.contract.codes import CODES
from shared.dialects import meta
from shared.dialects.meta_errors import GRAPH

CONTEXT = Context(now=datetime(2026, 2, 3, tzinfo=UTC))
APP = SimpleNamespace(secret=SecretStr("app-secret"), verify_token=SecretStr("ទន្លេសាប"), app_id="700")
ACCOUNT = SimpleNamespace(token=SecretStr("EAAG-x"), api="https://graph.facebook.com/", version="v26.0")
HUB = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "ទន្លេសាប"}


def asked(**changes):
    return meta.handshake(APP, Request(method="GET", query={**HUB, **changes}), CONTEXT)


def test_the_challenge_is_answered_as_plain_text():
    answer = asked()
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "text/plain", b"1158201444")


@pytest.mark.parametrize("token", ["", "another", "ទន្លេសាប ", "\ud800"])
def test_another_verify_token_is_refused(token):
    with pytest.raises(Unverified):
        asked(**{"hub.verify_token": token})


def test_what_is_no_handshake_goes_on():
    assert asked(**{"hub.mode": "unsubscribe"}) is None
    assert meta.handshake(APP, Request(method="POST", query=HUB), CONTEXT) is None


@given(st.binary(max_size=200))
def test_a_body_is_verified_by_its_raw_bytes(body):
    signed = {"x-hub-signature-256": meta.signature(APP.secret, body)}
    meta.verify(APP, Request(headers=signed, body=body), CONTEXT)
    for forged in (
        Request(headers=signed, body=body + b" "),
        Request(body=body),
        Request(method="GET", headers=signed),
    ):
        with pytest.raises(Unverified):
            meta.verify(APP, forged, CONTEXT)


def test_the_signature_is_the_documented_one():
    """RFC 4231 §4.3, test case 2."""
    good = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert meta.signature(SecretStr("Jefe"), b"what do ya want for nothing?") == f"sha256={good}"


def failed(status, error=None, by=WHATSAPP, **headers):
    body = json.dumps({"error": error}).encode() if error is not None else b"<html>"
    with pytest.raises(SendFailed) as caught:
        by.outcome(Response(status=status, headers=headers, body=body))
    return caught.value


@pytest.mark.parametrize(
    ("by", "code", "subcode", "found"),
    [
        *((by, *row) for by in (WHATSAPP, FACEBOOK) for row in (
            (190, 463, "auth"),
            (102, None, "auth"),
            (10, None, "auth"),
            (230, None, "auth"),
            (613, None, "throttled"),
            (4, None, "throttled"),
            (17, None, "throttled"),
            (32, None, "throttled"),
            (341, None, "throttled"),
            (1, 99, "unreachable"),
            (100, None, "refused"),
        )),
        (FACEBOOK, 10, 2018278, "window_closed"),
        (FACEBOOK, 10, 2534022, "window_closed"),
        (FACEBOOK, 10, 2018108, "blocked"),
        (FACEBOOK, 10, 1893015, "opted_out"),
        (FACEBOOK, 10, 1893063, "refused"),
        (FACEBOOK, 100, 2018001, "bad_address"),
        (FACEBOOK, 100, 2018047, "malformed"),
        (FACEBOOK, 200, 1545041, "blocked"),
        (FACEBOOK, 200, 2018028, "auth"),
        (FACEBOOK, 551, None, "blocked"),
        (FACEBOOK, 551, 1545041, "blocked"),
        (FACEBOOK, 368, None, "throttled"),
        (FACEBOOK, 506, None, "refused"),
        (FACEBOOK, 80001, None, "throttled"),
        (FACEBOOK, 80006, None, "throttled"),
        (FACEBOOK, 2018300, None, "refused"),
        (FACEBOOK, 10900, None, "refused"),
        (WHATSAPP, 368, None, "refused"),
        (WHATSAPP, 80007, None, "throttled"),
        (WHATSAPP, 130429, None, "throttled"),
        (WHATSAPP, 131056, None, "throttled"),
        (WHATSAPP, 131026, None, "bad_address"),
        (WHATSAPP, 131047, None, "window_closed"),
        (WHATSAPP, 131051, None, "unsupported"),
        (WHATSAPP, 132000, None, "refused"),
        (WHATSAPP, 132068, None, "refused"),
    ],
)  # fmt: skip
def test_a_code_and_its_subcode_decide_before_the_status(by, code, subcode, found):
    error = {"message": "no", "code": code} | ({"error_subcode": subcode} if subcode else {})
    assert failed(400, error, by).reason == found


@pytest.mark.parametrize(
    ("status", "found"), [(400, "refused"), (401, "auth"), (429, "throttled"), (413, "too_long"), (502, "unreachable")]
)
def test_what_says_nothing_of_itself_is_judged_by_its_status(status, found):
    assert failed(status).reason == found
    assert failed(status, {"code": 987654}).reason == found


def test_a_transient_error_that_nobody_knows_is_tried_again():
    assert failed(400, {"code": 987654, "is_transient": True}).reason == "unreachable"


def test_a_no_under_200_is_a_no():
    assert failed(200, {"code": 190}).reason == "auth"
    WHATSAPP.outcome(Response.of_json({"success": True}))
    WHATSAPP.outcome(Response(body=b"\x89PNG"))


def test_retry_after_is_told_where_it_is_given_and_never_longer_than_a_day():
    assert failed(429, {"code": 130429}, **{"retry-after": "7"}).retry_after == timedelta(seconds=7)
    assert failed(429, {"code": 130429}, **{"retry-after": "9" * 30}).retry_after == timedelta(days=1)
    assert failed(429, {"code": 130429}, **{"retry-after": "soon"}).retry_after is None
    assert failed(401, {"code": 190}, **{"retry-after": "7"}).retry_after is None


def used(*minutes):
    return json.dumps({"104400550066": [{"type": "pages", "estimated_time_to_regain_access": n} for n in minutes]})


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        (used(0, 19), timedelta(minutes=19)),
        (used(10**9), timedelta(days=1)),
        (used(0), None),
        (used(-5), None),
        ('{"104": 7}', None),
        ("soon", None),
    ],
)
def test_meta_s_own_estimate_is_waited_for_and_never_longer_than_a_day(said, wait):
    found = failed(400, {"code": 80001}, FACEBOOK, **{"x-business-use-case-usage": said})
    assert (found.reason, found.retry_after) == ("throttled", wait)


@pytest.mark.parametrize(
    ("by", "code", "subcode"), [(WHATSAPP, 131056, 0), (FACEBOOK, 613, 2018338), (FACEBOOK, 2018321, 0)]
)
def test_too_many_messages_to_one_person_hold_up_nobody_else(by, code, subcode):
    found = failed(400, {"code": code, "error_subcode": subcode}, by)
    assert (found.reason, found.scope) == ("throttled", "peer")


def test_what_holds_up_a_page_or_an_app_holds_up_the_account():
    for by in (WHATSAPP, FACEBOOK):
        assert {failed(429, {"code": code}, by).scope for code in (4, 613, 80001, 80007, 130429)} == {"account"}


def test_the_sentence_of_a_failure_holds_code_title_and_details():
    error = {"code": 131026, "title": "Message undeliverable", "error_data": {"details": "Not on WhatsApp."}}
    found = WHATSAPP.failure(error)
    assert (found.code, found.detail) == ("bad_address", "(131026) Message undeliverable – Not on WhatsApp.")
    assert failed(400, {"code": 10, "error_subcode": 2018278, "message": "x" * 900}).detail.startswith("(10/2018278) x")
    assert len(WHATSAPP.failure({"code": 1, "title": "x" * 9000}).detail) <= 2000


def test_every_code_of_the_tables_is_one_of_ours():
    for by in (WHATSAPP, FACEBOOK):
        assert set(by.codes.values()) | set(GRAPH.values()) <= set(CODES)
        throttles = {number for number, code in by.codes.items() if code == "throttled"}
        assert by.of_one_person <= throttles


def test_a_call_has_its_token_in_a_header_and_a_form_has_time():
    request = meta.post(ACCOUNT, "410/messages", {"a": 1}, commits=True)
    assert (request.url, request.commits) == ("https://graph.facebook.com/v26.0/410/messages", True)
    assert request.headers["authorization"] == "Bearer EAAG-x"
    form = meta.post(ACCOUNT, "410/media", (Field("file", Blob("b/1")),))
    assert form.timeout > request.timeout
    assert meta.get(ACCOUNT, "me", fields="id,name").url == "https://graph.facebook.com/v26.0/me?fields=id%2Cname"


def test_times_are_seconds_in_a_string_or_milliseconds():
    at = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
    assert (meta.seconds("1770091500"), meta.milliseconds(1770091500000)) == (at, at)
