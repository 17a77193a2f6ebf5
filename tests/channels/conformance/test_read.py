"""What comes in is read as the provider documents, each event under a key of its own and for the account that it came to."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
import pytest

from services.cli.wire import parse_http
from shared.contract.channel import Message, no_handshake, taken
from shared.contract.envelope import Envelope, Notice, Unsupported
from shared.contract.errors import Malformed, Unverified
from shared.inbound import translate
from tests.channels.conformance.bench import (
    CHANNELS,
    MAILS,
    WEBHOOKS,
    bench,
    expected,
    mail_of,
    plain,
    requests,
    samples,
    told,
)
from tests.channels.conformance.exchanges import body_of


@pytest.mark.parametrize(("name", "path"), samples(WEBHOOKS, ".in.http"))
def test_a_sample_is_verified_and_becomes_the_expected_records(name, path):
    request = parse_http(path.read_bytes())
    bench(name).verify(request)
    found = bench(name).read_each(request)
    assert [told(record) for record in found] == expected(path)["records"]
    assert [told(record) for record in bench(name).read_each(request)] == expected(path)["records"]
    for record in bench(name).read(request):
        assert bench(name).stamp(record).model_dump_json()


@pytest.mark.parametrize("name", WEBHOOKS)
def test_what_comes_names_the_account_as_its_settings_do(name):
    """settings.json names the `other_accounts` of the samples, which came by the same app."""
    named = {record.account_key for request in requests(name) for record in bench(name).read(request)}
    assert bench(name).account.key in named
    assert named - {bench(name).account.key} == {*bench(name).told.get("other_accounts", ())}


@pytest.mark.parametrize(("name", "path"), samples(WEBHOOKS, ".in.http"))
def test_what_was_taken_is_answered_with_a_yes_and_as_the_sample_tells(name, path):
    answer = bench(name).channel.accepted(bench(name).app, parse_http(path.read_bytes()), bench(name).context)
    assert 200 <= answer.status < 300
    told = expected(path)
    assert (body_of(answer.body), bool(answer.body)) == (told.get("answer"), "answer" in told)


@pytest.mark.parametrize("name", [name for name in WEBHOOKS if CHANNELS[name].accepted is not taken])
def test_whoever_answers_in_words_of_its_own_shows_them(name):
    answers = [expected(path).get("answer") for path in bench(name).folder.glob("*.in.http")]
    assert any(answer is not None for answer in answers), (
        f'write "answer", the body, into a WHAT.json of tests/channels/{name} beside its records'
    )


@pytest.mark.parametrize("name", [name for name in WEBHOOKS if CHANNELS[name].handshake is not no_handshake])
def test_whoever_shakes_hands_shows_a_yes_and_a_no(name):
    told = [orjson.loads(path.read_bytes()) for path in bench(name).folder.glob("*.handshake.json")]
    wanted = f"tests/channels/{name}/WHAT.handshake.http and .json, status and body, or refused: true"
    assert any("status" in one for one in told), f"write {wanted}"
    assert any("refused" in one for one in told), f"write one that is refused: {wanted}"


@pytest.mark.parametrize(("name", "path"), samples(WEBHOOKS, ".handshake.http"))
def test_a_handshake_is_answered_as_the_provider_documents(name, path):
    on, expected = bench(name), orjson.loads(path.with_suffix(".json").read_bytes())
    try:
        answer = on.channel.handshake(on.app, parse_http(path.read_bytes()), on.context)
    except Unverified:
        assert expected == {"refused": True}
    else:
        assert answer
        assert {"status": answer.status, "body": body_of(answer.body)} == expected


@pytest.mark.parametrize(("name", "path"), samples(WEBHOOKS, ".in.http"))
def test_a_message_is_no_handshake(name, path):
    assert bench(name).channel.handshake(bench(name).app, parse_http(path.read_bytes()), bench(name).context) is None


@pytest.mark.parametrize(("name", "path"), samples(MAILS, ".eml"))
def test_a_mail_becomes_the_expected_records_and_files(name, path):
    found = bench(name).read_mail(mail_of(path))
    assert [told(record) for record in found.records] == expected(path)["records"]
    assert {handle: shown_file(data) for handle, data in found.files.items()} == expected(path).get("files", {})
    assert bench(name).read_mail(mail_of(path)) == found
    for record in found.records:
        assert bench(name).stamp(record).model_dump_json()


def shown_file(data: bytes) -> dict[str, Any]:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@pytest.mark.parametrize("name", MAILS)
def test_every_mail_of_the_samples_has_a_key_of_its_own(name):
    """Also of those that one transaction brings."""
    given = [replace(mail_of(path), transaction="17") for path in bench(name).folder.glob("*.eml")]
    mails = [bench(name).read_mail(mail) for mail in given]
    keys = [mail.records[0].event_key for mail in mails]
    assert keys
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_that_could_not_be_read_is_its_senders_and_one_of_nobody_is_malformed(name):
    for path in bench(name).folder.glob("*.eml"):
        mail = replace(mail_of(path), unread="it took too long")
        (record,) = bench(name).read_mail(mail).records
        assert record.peer == bench(name).read_mail(mail_of(path)).records[0].peer
        assert isinstance(record.parts[-1], Unsupported)
        with pytest.raises(Malformed):
            bench(name).read_mail(replace(mail, raw=b"\r\nwords", sender=""))


@pytest.mark.parametrize("name", WEBHOOKS)
def test_every_event_of_the_samples_has_a_key_of_its_own(name):
    keys = [
        record.event_key
        for request in requests(name)
        for record in bench(name).read(request)
        if isinstance(record, Message)
    ]
    assert len(keys) == len(set(keys))


def test_a_notice_is_nobodys_message():
    """It is all that its event says, and opens no window."""
    telling = set()
    for name in WEBHOOKS:
        for record in (one for request in requests(name) for one in bench(name).read(request)):
            if isinstance(record, Message) and any(isinstance(part, Notice) for part in record.parts):
                telling.add(name)
                assert len(record.parts) == 1
                assert bench(name).stamp(record).window is None
    assert telling >= {"telegram", "whatsapp", "facebook"}


@pytest.mark.parametrize("name", WEBHOOKS)
def test_an_event_from_the_future_happened_now(name):
    early = datetime.fromisoformat("2001-01-01T00:00:00+00:00")
    for request in requests(name):
        for incoming in bench(name).read(request):
            record = translate.stamp(incoming, channel=CHANNELS[name], account=bench(name).account, received_at=early)
            assert record.occurred_at == early


@pytest.mark.parametrize("name", WEBHOOKS)
def test_the_window_is_open_just_after_a_message(name):
    on = bench(name)
    messages = [one for request in requests(name) for one in on.read(request) if isinstance(one, Message)]
    assert messages
    for message in map(on.stamp, messages):
        assert isinstance(message, Envelope)
        window = message.window
        assert window is None or window.until is None or window.until > message.occurred_at


@pytest.mark.parametrize(("name", "path"), samples(WEBHOOKS, ".in.http"))
def test_a_window_is_what_the_sample_tells(name, path):
    """`window` in NAME.json: of its first record."""
    if "window" in expected(path):
        first = bench(name).stamp(bench(name).read(parse_http(path.read_bytes()))[0])
        assert plain(first)["window"] == expected(path)["window"]
