"""Whatever a stranger sends, translation ends in records or in one of three typed errors, and nothing unstorable travels."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from services.chat_adapter.channels import telegram
from shared.contract.channel import Context, Http, Message, Receipt, Request, Response, TypingSeen
from shared.contract.deliveries import Delivery, Typing
from shared.contract.envelope import Assessment, Choices, Envelope, Option, Party, Text, Window, message_id
from shared.contract.errors import AlreadySent, Malformed, SendFailed, Torn, Unverified
from shared.inbound.translate import answer, read, read_page, stamp, verify

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
CONTEXT = Context(now=NOW)
APP = telegram.App(name="main", secret=SecretStr("hook"))
ACCOUNT = telegram.Account(name="main", tenant="shop", token=SecretStr("1:bot"))
CHANNEL = telegram.CHANNEL
MESSAGE = Message(
    account_key="main",
    event_key="1/2",
    peer="55",
    sender=Party(address="55"),
    parts=(Text(text="hi"),),
    occurred_at=NOW,
)


def stamped(incoming, channel=CHANNEL):
    return stamp(incoming, channel=channel, account=ACCOUNT, received_at=NOW)


def channel_that(raises):
    def inbound(app, request, context):
        raise raises
        yield

    return replace(CHANNEL, inbound=inbound, verify=lambda *_: next(inbound(*_)))


def test_a_message_is_stamped_with_whose_it_is():
    envelope = stamped(MESSAGE)
    assert isinstance(envelope, Envelope)
    assert envelope.id == message_id("shop", "telegram", "main", "1/2")
    assert (envelope.tenant, envelope.channel, envelope.account) == ("shop", "telegram", "main")
    assert (envelope.direction, envelope.received_at, envelope.window) == ("inbound", NOW, Window())


def test_an_echo_is_outbound():
    assert stamped(replace(MESSAGE, echo=True)).direction == "outbound"


def test_a_phone_number_is_written_as_everywhere_by_the_accounts_country():
    def phone(told, region):
        account = ACCOUNT.model_copy(update={"region": region})
        said = replace(MESSAGE, sender=Party(address="55", phone=told))
        return stamp(said, channel=CHANNEL, account=account, received_at=NOW).sender.phone

    assert phone("012 345 678", "KH") == phone("+855 12-345-678", "") == "+85512345678"
    assert (phone("012 345 678", ""), phone("call me", "KH")) == ("012 345 678", "call me")


def test_what_verified_the_message_is_said_unless_the_channel_knows_better():
    signed = replace(CHANNEL, signed=True)
    assert stamped(MESSAGE).assessment == Assessment(authentication="provider")
    assert stamped(MESSAGE, signed).assessment == Assessment(authentication="signature")
    own = replace(MESSAGE, assessment=Assessment(kind="automatic"))
    assert stamped(own, signed).assessment == Assessment(kind="automatic", authentication="signature")
    known = replace(MESSAGE, assessment=Assessment(authentication="fail"))
    assert stamped(known).assessment == Assessment(authentication="fail")


def test_the_window_counts_from_when_it_was_written():
    limited = replace(CHANNEL, window=lambda _, message: Window(until=message.occurred_at + timedelta(hours=24)))
    yesterday = NOW - timedelta(hours=20)
    assert stamped(replace(MESSAGE, occurred_at=yesterday), limited).window.until == yesterday + timedelta(hours=24)


@pytest.mark.parametrize("ahead", [timedelta(seconds=1), timedelta(days=365_000)])
def test_what_is_sent_later_is_not_read_yet(ahead):
    read_to = Receipt(account_key="main", peer="55", status="read", occurred_at=NOW, watermark=NOW + ahead)
    assert stamped(read_to).watermark == NOW
    past = NOW - timedelta(hours=1)
    assert stamped(replace(read_to, watermark=past)).watermark == past
    assert stamped(replace(read_to, watermark=None)).watermark is None


def test_nothing_happens_in_the_future():
    assert stamped(replace(MESSAGE, occurred_at=NOW + timedelta(days=1))).occurred_at == NOW


def test_receipts_and_typing_become_their_records():
    receipt = Receipt(account_key="main", peer="55", status="read", occurred_at=NOW, external_ids=("55:1",))
    assert stamped(receipt) == Delivery(
        tenant="shop",
        channel="telegram",
        account="main",
        peer="55",
        status="read",
        occurred_at=NOW,
        external_ids=("55:1",),
    )
    typing = TypingSeen(account_key="main", peer="55", occurred_at=NOW)
    assert stamped(typing) == Typing(tenant="shop", channel="telegram", account="main", peer="55", occurred_at=NOW)


@pytest.mark.parametrize("bad", ["\x00", "\ud800", "\udfff"])
def test_what_no_database_holds_is_replaced_wherever_it_stands(bad):
    envelope = stamped(
        replace(
            MESSAGE,
            event_key=f"1{bad}",
            peer=f"5{bad}",
            sender=Party(address="5\x00", name="ស\x00"),
            parts=(
                Text(text=f"សួ{bad}"),
                Choices(text="?", options=(Option(id=f"{bad}", title="x"),)),
            ),
        )
    )
    assert envelope.peer == envelope.sender.address == "5\ufffd"
    assert envelope.sender.name == "ស\ufffd"
    assert envelope.parts[0] == Text(text="សួ\ufffd")
    assert envelope.parts[1].options[0].id == "\ufffd"
    assert b"\x00" not in envelope.model_dump_json().encode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"occurred_at": NOW.replace(tzinfo=None)},
        {"occurred_at": "today"},
        {"external_id": 7},
        {"parts": ()},
        {"peer": ["x"]},
        {"sender": None},
    ],
    ids=str,
)
def test_a_value_that_no_envelope_holds_is_malformed(wrong):
    with pytest.raises(Malformed):
        stamped(replace(MESSAGE, **wrong))


@pytest.mark.parametrize("name", ["account_key", "event_key", "peer"])
@pytest.mark.parametrize("value", [None, 7, "", "x" * 999, {}])
def test_a_record_without_a_proper_name_is_malformed(name, value):
    channel = replace(CHANNEL, inbound=lambda *_: [replace(MESSAGE, **{name: value})])
    with pytest.raises(Malformed):
        read(channel, APP, Request(body=b"{}"), CONTEXT)


ERRORS = [
    KeyError("ចាន់"),
    IndexError(),
    TypeError("private"),
    ValueError("private"),
    AttributeError(),
    OverflowError(),
    ZeroDivisionError(),
    RecursionError(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "private"),
    OSError(75, "private"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_a_parser_raises_is_malformed_without_a_word_of_the_payload(error):
    with pytest.raises(Malformed) as malformed:
        read(channel_that(error), APP, Request(body=b"{}"), CONTEXT)
    assert type(error).__name__ in malformed.value.detail
    assert "test_translate.py:" in malformed.value.detail
    assert "private" not in str(malformed.value)
    assert "ចាន់" not in str(malformed.value)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_a_signature_check_raises_is_no_proof(error):
    with pytest.raises(Unverified):
        verify(channel_that(error), APP, Request(), CONTEXT)


def test_a_channel_that_takes_no_webhooks_verifies_nothing():
    with pytest.raises(Unverified):
        verify(replace(CHANNEL, verify=None), APP, Request(), CONTEXT)


@pytest.mark.parametrize(("signed", "expected"), [(True, Malformed), (False, Torn)])
def test_a_body_that_is_no_json_was_torn_only_where_nothing_signs_it(signed, expected):
    with pytest.raises(expected):
        read(replace(CHANNEL, signed=signed), APP, Request(body=b'{"update_id":'), CONTEXT)
    with pytest.raises(Malformed):
        read(replace(CHANNEL, signed=signed), APP, Request(body=b'{"update_ix":1}'), CONTEXT)


def test_a_page_of_a_poll_is_read_like_the_webhook_of_each_update():
    update = b'{"update_id":1,"message":{"message_id":2,"from":{"id":55,"is_bot":false,"first_name":"S"},"chat":{"id":55,"type":"private"},"date":1770091211,"text":"hi"}}'
    page = b'{"ok":true,"result":[' + update + b"]}"
    assert read_page(CHANNEL, ACCOUNT, page, CONTEXT) == read(CHANNEL, APP, Request(body=update), CONTEXT)
    with pytest.raises(Malformed):
        read_page(CHANNEL, ACCOUNT, b'{"ok":true}', CONTEXT)


def exchange():
    first = yield Http(url="https://example.org/1")
    second = yield Http(url="https://example.org/2", commits=True)
    return first.body + second.body


def test_an_exchange_runs_over_given_answers():
    answers = {"https://example.org/1": Response(body=b"a"), "https://example.org/2": Response(body=b"b")}
    judged: list[Response] = []
    assert answer(exchange(), given=lambda asked: answers[asked.url], outcome=judged.append) == b"ab"
    assert judged == list(answers.values())


@pytest.mark.parametrize("no", [SendFailed("blocked"), AlreadySent()])
def test_a_no_ends_an_exchange(no):
    asked: list[Http] = []

    def outcome(response: Response) -> None:
        raise no

    def given(request: Http) -> Response:
        asked.append(request)
        return Response()

    with pytest.raises(type(no)):
        answer(exchange(), given=given, outcome=outcome)
    assert len(asked) == 1
