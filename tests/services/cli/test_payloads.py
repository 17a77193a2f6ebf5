"""`parley translate`, `render` and `channels`: payloads in, envelopes out, and back, with no broker."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from services.cli.__main__ import app
from services.cli.channels import CHANNELS
from services.cli.wire import parse_http
from shared.contract.deliveries import Delivery
from shared.contract.envelope import Envelope
from tests.patience import SECONDS

SAMPLES = Path(__file__).parents[2] / "channels"
TELEGRAM = orjson.loads((SAMPLES / "telegram" / "settings.json").read_bytes())
WEBHOOK = orjson.loads((SAMPLES / "webhook" / "settings.json").read_bytes())
KHMER = SAMPLES / "telegram" / "text_khmer.in.http"
HOOK = ["--set", f"secret={TELEGRAM['app']['secret']}"]
BOT = ["--set", f"token={TELEGRAM['account']['token']}"]


def run(*arguments: str | Path, given: bytes | None = None, code: int = 0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=given)
    assert result.exit_code == code, result.output
    return orjson.loads(result.stdout) if code < 2 else result.stderr


def test_a_request_in_a_file_becomes_an_envelope():
    answer = run("translate", "telegram", KHMER, *HOOK)
    (envelope,) = answer["envelopes"]
    assert (answer["deliveries"], answer["error"]) == ([], None)
    assert Envelope.model_validate(envelope).sender.name == "សុខ តារា"


def test_a_bare_body_on_standard_input_needs_no_settings_unverified():
    body = parse_http(KHMER.read_bytes()).body
    assert run("translate", "telegram", "--unverified", given=body)["envelopes"]


def test_a_page_of_a_poll_is_read_too():
    body = parse_http(KHMER.read_bytes()).body
    page = b'{"ok":true,"result":[' + body + b"]}"
    (envelope,) = run("translate", "telegram", "--unverified", given=page)["envelopes"]
    assert envelope["id"] == run("translate", "telegram", KHMER, *HOOK)["envelopes"][0]["id"]


def test_a_wrong_secret_is_an_error_with_exit_code_1():
    answer = run("translate", "telegram", KHMER, "--set", "secret=other", code=1)
    assert answer["error"]["code"] == "auth"
    assert answer["envelopes"] == []


def test_a_signed_time_is_judged_by_the_time_that_is_given():
    sample = SAMPLES / "webhook" / "batch.in.http"
    signed = ["translate", "webhook", sample, "--set", f"secret={WEBHOOK['app']['secret']}"]
    assert run(*signed, code=1)["error"]["code"] == "auth"
    answer = run(*signed, "--now", WEBHOOK["now"].removesuffix("Z"))
    assert [Delivery.model_validate(delivery).status for delivery in answer["deliveries"]] == ["delivered"]
    assert len(answer["envelopes"]) == 2
    assert len(answer["typing"]) == 1


def test_each_line_is_answered_under_its_own_id_whatever_it_holds():
    request = parse_http(KHMER.read_bytes())
    good = {
        "id": "a",
        "method": "POST",
        "path": "/hooks/telegram/main",
        "headers": dict(request.headers),
        "body": request.body.decode(),
    }
    lines = [
        good,
        {**good, "id": "b", "headers": {}},
        {**good, "id": "c", "body": "{}"},
        {**good, "id": 4, "body": 7},
        [],
        "x",
    ]
    raw = b"\n".join(map(orjson.dumps, lines)) + b"\nnot json\n\n"
    result = CliRunner().invoke(app, ["translate", "telegram", "--jsonl", *HOOK], input=raw)
    assert result.exit_code == 0
    answers = list(map(orjson.loads, result.stdout.splitlines()))
    assert [answer["id"] for answer in answers] == ["a", "b", "c", 4, None, None, None]
    codes = [answer["error"] and answer["error"]["code"] for answer in answers]
    assert codes == [None, "auth", "malformed", "malformed", "malformed", "malformed", "malformed"]
    assert all({"id", "envelopes", "deliveries", "error"} <= answer.keys() for answer in answers)
    assert len(answers[0]["envelopes"]) == 1


def test_a_body_may_come_in_base64():
    line = {
        "id": 1,
        "body_b64": "eyJpZCI6ImUiLCJmcm9tIjp7ImFkZHJlc3MiOiJ1In0sInBhcnRzIjpbeyJraW5kIjoidGV4dCIsInRleHQiOiJoaSJ9XX0=",
    }
    answer = run("translate", "webhook", "--jsonl", "--unverified", given=orjson.dumps(line))
    assert answer["envelopes"][0]["parts"] == [{"kind": "text", "text": "hi"}]


NONSENSE = (b"", b"{", b"[]", b"null", b'{"a": null}', b"\xff\xfe", b'{"a":' * 3000, b'{"id": [], "to": {}, "text": 7}')


@pytest.mark.parametrize("channel", [name for name, one in CHANNELS.items() if one.inbound or one.mail or one.poll])
def test_without_settings_every_channel_answers_whatever_is_written_to_it(channel):
    lines = [
        orjson.dumps({"id": str(n), "body_b64": base64.b64encode(body).decode()}) for n, body in enumerate(NONSENSE)
    ]
    given = b"\n".join([*lines, b"not json", b"{}", b"[]"])
    result = CliRunner().invoke(app, ["translate", channel, "--jsonl", "--unverified"], input=given)
    answers = [orjson.loads(line) for line in result.stdout.splitlines()]
    assert (result.exit_code, len(answers)) == (0, len(NONSENSE) + 3)
    assert [one["id"] for one in answers[: len(NONSENSE)]] == [str(number) for number in range(len(NONSENSE))]


def test_what_stands_beside_something_unreadable_is_read():
    raw = (SAMPLES / "line" / "batch_with_one_unreadable.in.http").read_bytes()
    answer = run("translate", "line", "--unverified", given=raw, code=1)
    told = orjson.loads((SAMPLES / "line" / "batch_with_one_unreadable.json").read_bytes())["records"]
    readable = [one for one in told if one["type"] == "message"]
    assert (len(answer["envelopes"]), answer["error"]["code"]) == (len(readable), "malformed")
    assert readable


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["translate", "telegramm"], "no channel telegramm; there are"),
        (["translate", "telegram"], "secret"),
        (["translate", "telegram", "--set", "colour=red"], "no setting colour"),
        (["translate", "telegram", "/no/such/file", "--unverified"], "cannot be read"),
        (["render", "telegram"], "token"),
        (["render", "telegram", *BOT], "See `parley render --help`"),
        (
            ["render", "telegram", "/no/such/file", *BOT],
            "/no/such/file cannot be read: No such file or directory. Name a",
        ),
    ],
)
def test_misuse_says_what_to_do_with_exit_code_2(arguments, sentence):
    assert sentence in run(*arguments, given=b"not json", code=2)


def test_a_message_is_rendered_with_what_was_split_and_no_secret():
    message = {
        "to": "55",
        "parts": [{"kind": "text", "text": "word " * 1200}, {"kind": "location", "latitude": 1, "longitude": 2}],
    }
    answer = run("render", "telegram", *BOT, given=orjson.dumps(message))
    methods = [request["url"].rpartition("/")[2] for request in answer["requests"]]
    assert methods == ["sendMessage", "sendMessage", "sendLocation"]
    assert answer["notes"] == ["The text is split into 2 pieces."]
    assert TELEGRAM["account"]["token"] not in json.dumps(answer)


def test_the_first_piece_is_rendered_by_the_route_that_the_message_has():
    route = {"value": "r1", "expires_at": "2026-02-03T04:05:56Z", "once": True}
    message = {"to": "U1", "parts": [{"kind": "text", "text": "x" * 5001}], "route": route}
    bot = ("--set", f"user_id=U{'8' * 32}", "--set", "token=T")
    requests = run("render", "line", *bot, given=orjson.dumps(message))["requests"]
    assert [request["url"].rpartition("/")[2] for request in requests] == ["reply", "push"]


def test_what_a_secret_was_made_into_is_not_rendered_either_and_each_file_is_uploaded():
    """A signed token is as good as what it was signed with, for a while; so is a name and a password in base64."""
    names = {
        "business_id": "shop",
        "msp_id": "msp",
        "secret": base64.b64encode(b"a key of these tests: 32 bytes!!").decode(),
    }
    given = [word for name, value in names.items() for word in ("--set", f"{name}={value}")]
    file = {"kind": "media", "media": "file", "state": "stored", "blob": "default/" + "0" * 64, "size": 10}
    message = {"to": "urn:mbid:A", "parts": [{"kind": "text", "text": "hi"}, file, file]}
    requests = run("render", "apple", *given, given=orjson.dumps(message))["requests"]
    paths = [request["url"].rpartition("/")[2] for request in requests]
    assert (paths, requests[-1]["body"]["body"]) == (["preUpload", "preUpload", "message"], "hi\ufffc\ufffc")
    assert {request["headers"]["authorization"] for request in requests} == {"Bearer ***"}


def test_a_message_that_cannot_be_sent_is_an_error_with_exit_code_1():
    message = {"to": "55", "parts": [{"kind": "template", "name": "hello", "language": "km"}]}
    answer = run("render", "telegram", *BOT, given=orjson.dumps(message), code=1)
    assert answer["error"]["code"] == "unsupported"


def test_the_providers_answers_may_be_given(tmp_path):
    answers = tmp_path / "answers.json"
    answers.write_text(
        '[{"status": 403, "body": {"ok": false, "description": "Forbidden: bot was blocked by the user"}}]'
    )
    message = {"to": "55", "parts": [{"kind": "text", "text": "hi"}]}
    answer = run("render", "telegram", *BOT, "--answers", answers, given=orjson.dumps(message), code=1)
    assert answer["error"]["code"] == "blocked"


def test_the_channels_are_listed_with_what_they_can():
    listed = {channel["name"]: channel for channel in run("channels", "--json")}
    assert listed["telegram"]["receives_by"] == ["webhook", "poll"]
    assert listed["telegram"]["capabilities"]["text"] == 4096
    assert listed["webhook"]["settings"]["account"]["url"]["required"]


def test_the_command_itself_answers():
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "channels"], capture_output=True, text=True, check=True, timeout=SECONDS
    )
    assert "telegram" in done.stdout
