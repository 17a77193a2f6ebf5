"""`parley translate email` and `parley render email`: mails in and out on the command line."""

import base64
import hashlib

import orjson
import pytest

from shared.contract.envelope import Envelope
from tests.services.cli.test_payloads import SAMPLES, run

MAILS = SAMPLES / "email"
SETTINGS = orjson.loads((MAILS / "settings.json").read_bytes())
INBOX = [f"--set={name}={value}" for name, value in SETTINGS["account"].items() if name != "name"]


def test_a_mail_in_a_file_becomes_an_envelope():
    (envelope,) = run("translate", "email", MAILS / "khmer_base64.eml", *INBOX)["envelopes"]
    read = Envelope.model_validate(envelope)
    assert (read.channel, read.peer, read.surface) == ("email", "dara@example.com", "email")
    assert read.thread.subject == "សួរអំពីការបញ្ជាទិញរបស់ខ្ញុំ"


def test_a_mail_on_standard_input_needs_no_settings():
    mail = (MAILS / "nested.eml").read_bytes()
    (envelope,) = run("translate", "email", given=mail)["envelopes"]
    assert [part["kind"] for part in envelope["parts"]] == ["text", "media", "media"]


def test_a_mail_keeps_its_line_ends_and_its_bytes_on_the_way_in():
    mail = (MAILS / "korean_alias.eml").read_bytes()
    (one,) = run("translate", "email", given=mail)["envelopes"]
    line = orjson.dumps({"id": "1", "body_b64": base64.b64encode(mail).decode()})
    (other,) = run("translate", "email", "--jsonl", given=line)["envelopes"]
    assert one["id"] == other["id"]
    assert one["parts"][0]["text"] == "안녕하세요, 주문이 언제 도착하나요?"


def test_a_mail_is_told_in_its_three_parts_and_its_files_by_size_and_hash():
    (envelope,) = run("translate", "email", MAILS / "answered.eml")["envelopes"]
    text, file = envelope["parts"]
    assert text["text"] == "Here is the picture."
    assert "Which one?" in text["quoted"]
    assert [cut["part"] for cut in text["cuts"]] == ["quoted", "signature"]
    assert (file["size"], file["sha256"]) == (3, hashlib.sha256(b"png").hexdigest())


def test_a_mail_beyond_the_limits_is_an_error_that_names_the_limit():
    endless = b"X-Many: y\r\n" * 1001 + b"From: a@b.example\r\n\r\nhello\r\n"
    answer = run("translate", "email", given=endless, code=1)
    assert answer["error"]["code"] == "malformed"
    assert "1000" in answer["error"]["message"].replace(",", "")


@pytest.fixture
def letter():
    thread = {"subject": "AW: Order", "references": ["one@mail.example.com"]}
    file = {"kind": "media", "media": "file", "state": "stored", "blob": "default/ab", "name": "a.pdf", "size": 9}
    return {"to": "dara@example.com", "thread": thread, "parts": [{"kind": "text", "text": "សួស្តី"}, file]}


def test_an_answer_is_shown_as_the_one_mail_that_it_becomes(letter):
    (request,) = run("render", "email", *INBOX, given=orjson.dumps(letter))["requests"]
    assert (request["method"], request["url"]) == ("SMTP", "smtp://smtp.shop.example:587")
    assert "Subject: Re: Order\r\nDate" in request["body"]
    assert "In-Reply-To: <one@mail.example.com>\r\n" in request["body"]
    assert "[default/ab in base64]" in request["body"]
    assert SETTINGS["account"]["password"] not in str(request)


def test_a_refusal_of_the_server_is_told_in_its_words(letter, tmp_path):
    answers = tmp_path / "answers.json"
    answers.write_bytes(orjson.dumps([{"status": 550, "body": "5.1.1 no such user"}]))
    answer = run("render", "email", *INBOX, "--answers", answers, given=orjson.dumps(letter), code=1)
    assert answer["error"] == {"code": "bad_address", "message": "550 5.1.1 no such user"}
