"""What kind of mail it is: reports become facts of the mail that they name, a program's answer is one, a person's mail is a person's."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from services.email_adapter.mail import CHANNEL, absence, bounces
from services.email_adapter.mail.ids import ours
from services.email_adapter.mail.names import Account
from services.email_adapter.mail.reported import failure_of, type_of
from services.email_adapter.mail.reports import Fate
from shared.contract.channel import Context, Mail, Message, Receipt
from shared.contract.envelope import Notice, Text

NOW = datetime(2026, 2, 3, tzinfo=UTC)
ACCOUNT = Account(name="main", address="support@example.org")
CONTEXT = Context(now=NOW, secret=SecretStr("a secret of ours"))
OURS = ours("m1/0", ACCOUNT, b"a secret of ours")


def read(text: str, *headers: str, sender: str = "ann@example.com", envelope: str = "", **account: str) -> list[object]:
    lines = [f"From: {sender}", "To: support@example.org", *headers, "", text]
    assert CHANNEL.mail is not None
    mail = Mail("\r\n".join(lines).encode(), envelope)
    return list(CHANNEL.mail(ACCOUNT.model_copy(update=account), mail, CONTEXT).records)


def message(*given: str, **more: str) -> Message:
    found = read(*given, **more)[0]
    assert isinstance(found, Message)
    return found


def dsn(*fields: str, name: str = OURS) -> str:
    block = "\r\n".join(fields)
    return (
        "--b\r\nContent-Type: text/plain\r\n\r\nit was not handed over\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; mx.example\r\n\r\n{block}\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
        f"To: dara@home.example\r\nMessage-ID: <{name}>\r\n\r\n--b--\r\n"
    )


REPORT = "Content-Type: multipart/report; report-type=delivery-status; boundary=b"
GONE = ("Final-Recipient: rfc822; dara@home.example", "Action: failed", "Status: 5.1.1")


def test_a_bounce_of_a_mail_of_ours_is_its_failure_and_a_notice_with_what_came_along() -> None:
    told, receipt = read(dsn(*GONE), REPORT)
    assert isinstance(told, Message)
    assert isinstance(receipt, Receipt)
    assert (receipt.status, receipt.external_ids, receipt.peer) == ("failed", (OURS,), "dara@home.example")
    assert receipt.failure is not None
    assert receipt.failure.code == "bad_address"
    assert (told.thread.reply_to, told.assessment.kind) == (OURS, "bounce")
    assert isinstance(told.parts[0], Notice)
    assert told.parts[1] == Text(text="it was not handed over")
    assert not told.assessment.may_auto_answer


@pytest.mark.parametrize(
    "name", ["another@example.org", OURS.replace("@", "x@"), OURS.replace("example.org", "example.net")]
)
def test_a_name_that_we_did_not_sign_changes_nothing_of_ours(name: str) -> None:
    (told,) = read(dsn(*GONE, name=name), REPORT)
    assert isinstance(told, Message)
    assert told.thread.reply_to is None
    assert told.assessment.bounce is not None
    assert told.assessment.bounce.recipient == "dara@home.example"


def test_every_recipient_of_a_report_is_told() -> None:
    two = ("Final-Recipient: rfc822; mia@home.example", "Action: failed", "Status: 4.2.2")
    found = message(dsn(*GONE, "", *two), REPORT).assessment
    assert found.bounce is not None
    assert [(one.recipient, one.type) for one in (found.bounce, *found.bounces)] == [
        ("dara@home.example", "hard"),
        ("mia@home.example", "soft"),
    ]


@pytest.mark.parametrize(
    ("action", "status", "becomes"),
    [("delayed", "4.4.1", None), ("delivered", "2.0.0", "delivered"), ("relayed", "2.0.0", None), ("failed", "5.0.0", "failed")],
)  # fmt: skip
def test_what_became_of_it_is_said_only_where_it_is_known(action: str, status: str, becomes: str | None) -> None:
    _, *receipts = read(dsn(GONE[0], f"Action: {action}", f"Status: {status}"), REPORT)
    assert [one.status for one in receipts if isinstance(one, Receipt)] == ([becomes] if becomes else [])


@pytest.mark.parametrize(
    ("status", "type_", "code"),
    [
        ("5.1.1", "hard", "bad_address"),
        ("5.1.8", "hard", "refused"),
        ("5.2.2", "soft", "unreachable"),
        ("4.4.7", "soft", "unreachable"),
        ("5.7.1", "hard", "refused"),
        ("5.3.4", "hard", "too_long"),
        ("", "hard", "refused"),
    ],
)
def test_only_a_server_that_knows_nobody_there_makes_an_address_bad(status: str, type_: str, code: str) -> None:
    fate = Fate("dara@home.example", "failed", status)
    assert (type_of(fate), failure_of(fate).code) == (type_, code)


WORDS = "could not be delivered to <dara@home.example>: 550 5.1.1 unknown user"


@pytest.mark.parametrize(
    ("text", "headers", "more"),
    [
        (WORDS, ("Subject: Undeliverable",), {"sender": "mailer-daemon@mx.example"}),
        (WORDS, ("Subject: Undeliverable",), {"sender": "mx@mx.example", "envelope": "<>"}),
        ("nobody of that name", ("X-Failed-Recipients: dara@home.example",), {"sender": "exim@mx.example"}),
        ("Votre message n'a pas pu être remis à dara@home.example", ("Subject: Non remis",), {"sender": "postmaster@mx.example"}),
        ("dara@home.example 宛のメールは送信できませんでした", ("Subject: =?utf-8?B?6YWN5L+h44Ko44Op44O8?=",), {"sender": "postmaster@mx.example"}),
    ],
)  # fmt: skip
def test_words_of_a_server_are_a_bounce_for_whom_they_name(
    text: str, headers: tuple[str, ...], more: dict[str, str]
) -> None:
    found = message(text, *headers, "Content-Type: text/plain; charset=utf-8", **more).assessment
    assert found.kind == "bounce"
    assert found.bounce is not None
    assert found.bounce.recipient == "dara@home.example"


@pytest.mark.parametrize(
    ("text", "headers", "more"),
    [
        (f"Your shop's mail {WORDS}. Why?", ("Subject: Fwd: Undeliverable",), {}),
        (f"My own mail {WORDS}. Can you help?", ("Subject: Mail delivery failed",), {}),
        ("My parcel was not delivered, it says: address unknown", ("Subject: Delivery problem",), {}),
        ("Is the delivery to this address possible?", ("Subject: Delivery",), {}),
        ("The returned mail is here", ("Subject: returned mail",), {}),
        ("We wrote to the mailbox, it is full", (), {"sender": "info@shop.example"}),
    ],
)
def test_a_person_who_writes_about_deliveries_is_a_person(
    text: str, headers: tuple[str, ...], more: dict[str, str]
) -> None:
    found = message(text, *headers, **more)
    assert found.assessment.kind == "human"
    assert found.parts == (Text(text=text),)


@pytest.mark.parametrize(("kind", "purposes"), [("abuse", ("marketing",)), ("not-spam", ()), ("virus", ())])
@pytest.mark.parametrize("name", [OURS, "another@example.org"])
def test_a_complaint_stops_marketing_only_where_it_is_one_of_a_mail_of_ours(
    kind: str, purposes: tuple[str, ...], name: str
) -> None:
    text = (
        f"--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: {kind}\r\n\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <{name}>\r\nTo: eve@home.example\r\n\r\nx\r\n--b--\r\n"
    )
    found = message(text, "Content-Type: multipart/report; report-type=feedback-report; boundary=b")
    (notice, *_) = found.parts
    assert isinstance(notice, Notice)
    assert found.assessment.kind == "complaint"
    stops = bool(purposes) and name == OURS
    assert (notice.type, notice.purposes) == (("opted_out", purposes) if stops else ("other", ()))


@pytest.mark.parametrize(("action", "status"), [("displayed", "read"), ("deleted", None), ("processed", None)])
def test_a_mail_is_read_only_where_it_was_displayed(action: str, status: str | None) -> None:
    text = (
        "--b\r\nContent-Type: message/disposition-notification\r\n\r\nFinal-Recipient: rfc822; dara@home.example\r\n"
        f"Original-Message-ID: <{OURS}>\r\nDisposition: manual-action/MDN-sent-manually; {action}\r\n\r\n--b--\r\n"
    )
    found, *receipts = read(text, "Content-Type: multipart/report; boundary=b")
    assert isinstance(found, Message)
    assert found.assessment.kind == "receipt"
    assert [one.status for one in receipts if isinstance(one, Receipt)] == ([status] if status else [])


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        (("Auto-Submitted: auto-replied",), "automatic"),
        (("Auto-Submitted: no",), "human"),
        (("X-Autoresponder: yes",), "automatic"),
        (("Precedence: auto_reply",), "automatic"),
        (("Precedence: bulk",), "human"),
        (("X-Auto-Response-Suppress: All",), "human"),
        (("Subject: Automatic reply: Rice",), "human"),
        (("Subject: Automatic reply: Rice", f"In-Reply-To: <{OURS}>"), "automatic"),
        (("Subject: Out of office", "X-Auto-Response-Suppress: All"), "out_of_office"),
        (("Subject: Re: Out of office", f"In-Reply-To: <{OURS}>"), "human"),
        (("Auto-Submitted: auto-replied", "Subject: Urlaub"), "out_of_office"),
        (("List-Id: <growers.lists.example>",), "list"),
    ],
)
def test_a_programs_answer_says_that_it_is_one_or_answers_us_with_such_a_subject(
    headers: tuple[str, ...], kind: str
) -> None:
    assert message("hello", *headers).assessment.kind == kind


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("I am away until 16 February 2026.", (2026, 2, 16)),
        ("Back on March 3rd", (2026, 3, 3)),
        ("until 2 January", (2027, 1, 2)),
        ("Ich bin bis zum 27.02.2026 nicht im Büro", (2026, 2, 27)),
        ("de retour le 9 mars 2026", (2026, 3, 9)),
        ("absent jusqu'au 9 mars 2026", (2026, 3, 9)),
        ("2026年2月20日まで不在です。 until 2026-02-20", (2026, 2, 20)),
        ("away from 4 February until 8 February", (2026, 2, 8)),
        ("away until 31 February 2026", None),
        ("away until 1 March 2019", None),
        ("away until further notice", None),
    ],
)
def test_until_when_somebody_is_away_is_told_where_it_can_be_read(text: str, day: tuple[int, int, int] | None) -> None:
    assert absence.until("", text, NOW) == (datetime(*day, tzinfo=UTC) if day else None)


@pytest.mark.parametrize(
    ("text", "subject", "asks"),
    [
        ("unsubscribe", "hello", True),
        ("", "Unsubscribe me from all your mailing lists", True),
        ("Please remove me from this list.", "Re: News", True),
        ("Remove me the second item from my order", "Order", False),
        ("How do I unsubscribe my neighbour's cat from the newsletter that she gets every day?", "Question", False),
    ],
)
def test_who_asks_for_no_more_of_them(text: str, subject: str, asks: bool) -> None:
    assert message(text, f"Subject: {subject}").assessment.unsubscribe is asks


@pytest.mark.parametrize(
    ("header", "score"),
    [
        ("X-Spam-Status: Yes, score=7.2 required=5.0 tests=BAYES_99,HTML_ONLY", 7.2),
        ("X-Spamd-Result: default: True [17.10 / 15.00]; BAYES_SPAM(5.10)[99.9%]", 17.1),
        ("X-Spam-Flag: YES", None),
        ("X-Rspamd-Action: add header", None),
        ("X-Forefront-Antispam-Report: CIP:192.0.2.1;SFV:SPM;SCL:6", None),
    ],
)
def test_the_filter_before_us_says_what_is_spam(header: str, score: float | None) -> None:
    found = message("buy", header).assessment
    assert (found.spam, found.spam_score, found.may_auto_answer) == (True, score, False)
    assert not message("buy", header, spam_filter="none").assessment.spam


@pytest.mark.parametrize(
    "header", ["X-Spam-Status: No, score=-1.2", "X-Spamd-Result: default: False [1.2 / 15.0]", "X-Spam-Flag: NO"]
)
def test_the_topmost_word_of_a_filter_counts(header: str) -> None:
    below = header.partition(":")[0] + ": Yes, default: True [20 / 15]"
    assert not message("hello", header, below).assessment.spam


@pytest.mark.parametrize("unit", ["could not be delivered ", "a@b.example ", "user <", "until ", "--- original ", "=" * 5, "\n<a@b.example>: 550 "])  # fmt: skip
def test_no_text_holds_it_up(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    began = time.process_time()
    found = message(text, "Subject: Undeliverable", sender="mailer-daemon@mx.example")
    assert found.assessment.bounces == () or len(found.assessment.bounces) < bounces.RECIPIENTS
    assert time.process_time() - began < 10
