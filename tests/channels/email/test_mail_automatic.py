"""No program may answer what a program wrote."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.email_adapter.mail import CHANNEL
from services.email_adapter.mail.names import Account
from shared.contract.channel import Context, Mail, Message

NOW = datetime(2026, 2, 3, tzinfo=UTC)


ACCOUNT = Account(name="main", address="support@example.org")


def judged(*headers: str, sender: str = "ann@example.com", envelope: str = "ann@example.com") -> tuple[str, ...]:
    lines = [f"From: {sender}", "To: support@example.org", *headers, "", "hello"]
    assert CHANNEL.mail is not None
    (found,) = CHANNEL.mail(ACCOUNT, Mail("\r\n".join(lines).encode(), envelope), Context(now=NOW)).records
    assert isinstance(found, Message)
    assert found.assessment.may_auto_answer == (not found.assessment.reasons)
    return found.assessment.reasons


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated; owner-email=ann@example.com",
        "AUTO-SUBMITTED: AUTO-NOTIFIED",
        "Precedence: bulk",
        "Precedence: auto_reply",
        "List-Id: <news.example.com>",
        "List-Unsubscribe: <https://example.com/away>",
        "X-Auto-Response-Suppress: All",
        "X-Autoreply: yes",
        "Return-Path: <>",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
    ],
)
def test_what_says_so_is_not_answered(header: str) -> None:
    assert judged(header)


@pytest.mark.parametrize(
    "sender",
    [
        "no-reply@example.com",
        "NoReply@example.com",
        "do-not-reply@x.example",
        "MAILER-DAEMON@x.example",
        "bounce+1@x.example",
    ],
)
def test_what_nobody_reads_is_not_answered(sender: str) -> None:
    assert judged(sender=sender)


def test_what_came_without_a_sender_is_not_answered() -> None:
    assert judged(envelope="<>")


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: no",
        "Precedence: first-class",
        "X-Auto-Response-Suppress: None",
        "X-Listing: 7",
        "Subject: bulk",
    ],
)
def test_a_person_is_answered(header: str) -> None:
    assert judged(header) == ()
    assert judged(header, envelope="") == ()


def test_a_person_called_like_a_program_is_answered() -> None:
    assert judged(sender="noor.eply@example.com") == ()
