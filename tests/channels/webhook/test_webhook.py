"""The generic channel beyond what every channel must hold: its signatures, its clock, and its page's own example."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import shutil
import subprocess
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr, ValidationError

from services.chat_adapter.channels import webhook
from services.cli.wire import parse_http
from shared.contract.channel import Context, Message, Piece, Request, Response
from shared.contract.codes import CODES
from shared.contract.envelope import Media, Text, Thread, Window
from shared.contract.errors import Malformed, Unverified
from shared.inbound import translate
from tests.patience import SECONDS

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "channels" / "webhook.md"
KEY = b"an example of thirty-two bytes.."
SECRET = SecretStr("whsec_" + base64.b64encode(KEY).decode())
APP = webhook.App(name="main", secret=SECRET)
ACCOUNT = webhook.Account(name="main", url="https://crm.example.org/parley?room=1", secret=SECRET)
NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
BODY = b'{"id":"e-1","from":{"address":"u-1"},"parts":[{"kind":"text","text":"hi"}]}'


def signature(body: bytes, *, name: str = "msg_1", at: datetime = NOW, key: bytes = KEY) -> str:
    signed = f"{name}.{int(at.timestamp())}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def request(value: str, *, at: datetime = NOW, body: bytes = BODY) -> Request:
    stamp = str(int(at.timestamp()))
    headers = {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": value}
    return Request(headers=headers, body=body)


def verify(asked: Request, app: webhook.App = APP) -> None:
    translate.verify(webhook.CHANNEL, app, asked, Context(now=NOW))


def test_the_schemes_own_test_vector_fits():
    """https://github.com/standard-webhooks/standard-webhooks, the libraries' first test."""
    secret = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    asked = Request(headers=headers, body=b'{"test": 2432232314}')
    context = Context(now=datetime.fromtimestamp(1614265330, UTC))
    translate.verify(webhook.CHANNEL, webhook.App(name="main", secret=secret), asked, context)


def test_one_fitting_signature_of_several_is_enough():
    good = signature(BODY)
    verify(request(f"v1a,AAAA {signature(BODY, key=b'another key')} {good}"))
    verify(request(f"{good} v1,AAAA"))


@pytest.mark.parametrize(
    "value", ["", "v1,", "v1", "v2," + signature(BODY)[3:], signature(BODY)[3:], signature(BODY + b" ")]
)
def test_no_fitting_signature_is_refused(value):
    with pytest.raises(Unverified):
        verify(request(value))


@pytest.mark.parametrize("seconds", [-301, 301, -(10**6), 10**6])
def test_a_request_signed_at_another_time_is_refused_although_its_signature_fits(seconds):
    at = NOW + timedelta(seconds=seconds)
    with pytest.raises(Unverified, match="clocks"):
        verify(request(signature(BODY, at=at), at=at))


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_are_tolerated(seconds):
    at = NOW + timedelta(seconds=seconds)
    verify(request(signature(BODY, at=at), at=at))


@pytest.mark.parametrize("stamp", ["", "nan", "inf", "1e9", "9" * 5000, "９" * 9, "-1"])
def test_a_time_that_is_none_is_refused(stamp):
    asked = request(signature(BODY))
    with pytest.raises(Unverified):
        verify(replace(asked, headers={**asked.headers, "webhook-timestamp": stamp}))


@pytest.mark.parametrize("secret", ["", "whsec_c2hvcnQ=", "whsec_!!!", "whsec_" + "A" * 200])
def test_a_weak_secret_is_refused_without_being_shown(secret):
    with pytest.raises(ValidationError) as refused:
        webhook.App(name="main", secret=SecretStr(secret))
    told = refused.value.errors(include_input=False)[0]["msg"]
    assert "openssl" in told
    assert not secret or secret not in told


@pytest.mark.parametrize("url", ["ftp://example.org", "example.org", ""])
def test_an_account_posts_over_http_only(url):
    with pytest.raises(ValidationError):
        webhook.Account(name="main", url=url, secret=SECRET)


def test_what_a_stranger_says_of_our_blob_store_is_not_believed():
    context = Context(now=NOW)
    sample = parse_http((HERE / "every_part.in.http").read_bytes())
    assert b"default/someone-else" in sample.body
    (message,) = translate.read(webhook.CHANNEL, APP, sample, context)
    assert isinstance(message, Message)
    for part in message.parts:
        if isinstance(part, Media):
            assert (part.blob, part.state) == (None, "pending")


@pytest.mark.parametrize("stamp", ['"2026-01-01T00:00:00"', '"yesterday"', "1770000000", '"2026-01-01"'])
def test_what_has_a_time_without_its_offset_is_shown_as_of_now(stamp):
    body = BODY.replace(b'"id"', b'"occurred_at":' + stamp.encode() + b',"id"')
    (found,) = translate.read(webhook.CHANNEL, APP, Request(body=body), Context(now=NOW))
    assert found.occurred_at == NOW


@pytest.mark.parametrize("nothing", [None, "", 7, ["x"], "x" * 999])
@pytest.mark.parametrize("field", ["reply_to", "conversation", "subject"])
def test_one_word_on_where_it_belongs_that_cannot_be_read_takes_no_other_along(field, nothing):
    told = {"reply_to": "m-1", "conversation": "c-1", "subject": "s"}
    kept = {"reply_to": "m-1", "thread_key": "c-1", "subject": "s"}
    (found,) = read({**told, field: nothing})
    shown = nothing if field == "subject" and isinstance(nothing, str) else None
    assert found.thread == Thread(**kept | {"thread_key" if field == "conversation" else field: shown})


@pytest.mark.parametrize("field", ["join_key", "container", "responder", "peer", "reply_to", "conversation"])
def test_an_empty_word_is_none(field):
    (found,) = read({field: ""})
    assert found == read({})[0]
    translate.stamp(found, channel=webhook.CHANNEL, account=ACCOUNT, received_at=NOW)


def read(more):
    body = orjson.dumps({"id": "e-1", "from": {"address": "u-1"}, "parts": [{"kind": "text", "text": "hi"}]} | more)
    return translate.read(webhook.CHANNEL, APP, Request(body=body), Context(now=NOW))


def test_a_file_is_fetched_as_from_a_stranger():
    steps = webhook.fetch(ACCOUNT, Media(media="image", handle="https://files.example.org/a"), Context(now=NOW))
    with pytest.raises(StopIteration) as done:
        next(steps)
    asked = done.value.value.request
    assert (asked.method, asked.url, asked.stranger) == ("GET", "https://files.example.org/a", True)


def test_what_parley_posts_verifies_by_the_same_rule():
    piece = Piece(id="p-1/0", to="u-1", part=Text(text="hi"))
    posted = next(webhook.outbound(ACCOUNT, piece, Context(now=NOW)))
    assert isinstance(posted.body, bytes)
    verify(Request(headers=posted.headers, body=posted.body))
    assert posted.headers["webhook-id"] == piece.id


def test_beside_a_file_the_signed_message_names_its_hash():
    part = Media(media="file", blob="b/1", state="stored", sha256="ab" * 32, size=3)
    posted = next(webhook.outbound(ACCOUNT, Piece(id="p-1/0", to="u-1", part=part), Context(now=NOW)))
    assert isinstance(posted.body, tuple)
    message = posted.body[0].value
    assert isinstance(message, str)
    assert "ab" * 32 in message
    verify(Request(headers=posted.headers, body=message.encode()))


def test_the_window_is_as_long_as_the_account_says():
    (message,) = translate.read(webhook.CHANNEL, APP, Request(body=BODY), Context(now=NOW))
    assert isinstance(message, Message)
    assert webhook.window(ACCOUNT, message) == Window()
    limited = ACCOUNT.model_copy(update={"window_hours": 1.5})
    assert webhook.window(limited, message).until == message.occurred_at + timedelta(minutes=90)


def test_a_failure_that_we_have_no_code_for_is_malformed():
    body = b'{"type":"receipt","peer":"u","status":"failed","failure":{"code":"%s"}}'
    for code in (*CODES, "no_such_code"):
        asked = Request(body=body % code.encode())
        if code in CODES:
            assert translate.read(webhook.CHANNEL, APP, asked, Context(now=NOW))
        else:
            with pytest.raises(Malformed):
                translate.read(webhook.CHANNEL, APP, asked, Context(now=NOW))


class Received(BaseHTTPRequestHandler):
    requests: list[Request] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.requests.append(Request(url=self.path, headers=headers, body=body))
        self.send_response(Response().status)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "curl", "openssl", "od", "base64"))),
    reason="bash, curl, openssl, od or base64 is not here",
)
def test_the_pages_example_runs_as_it_is_printed():
    (script,) = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)
    with HTTPServer(("127.0.0.1", 0), Received) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        environment = {"PATH": os.environ["PATH"], "SECRET": SECRET.get_secret_value(), "PARLEY": address}
        subprocess.run(["bash", "-euo", "pipefail", "-c", script], env=environment, check=True, timeout=SECONDS)
    (asked,) = Received.requests
    context = Context(now=datetime.now(UTC))
    assert asked.url == "/hooks/webhook/main"
    translate.verify(webhook.CHANNEL, APP, asked, context)
    (message,) = translate.read(webhook.CHANNEL, APP, asked, context)
    assert isinstance(message, Message)
    assert message.parts == (Text(text="Are you open?"),)
