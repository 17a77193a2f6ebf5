"""What a mail may be before it is read, and how whoever brings more is answered."""

import pytest

from services.email_adapter.mail.limits import SIZE, Refused, scan
from services.email_adapter.mail.sections import cut
from shared.contract.errors import Malformed
from tests.services.email_adapter.letters import mail, read


def multipart(*parts: bytes, boundary: bytes = b"b") -> bytes:
    body = b"".join(b"\r\n--" + boundary + b"\r\n" + part for part in parts)
    return b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n" + body


def nested(depth: int) -> bytes:
    inner = b"\r\nhello"
    for level in range(depth):
        inner = multipart(inner, boundary=b"b%d" % level)
    return inner


BROKEN = {
    "larger than a mail may be": (b"x" * (SIZE + 1), "552 5.3.4"),
    "headers above 100 KB": (b"".join(b"H%d: %b\r\n" % (n, b"x" * 30_000) for n in range(4)) + b"\r\n", "552 5.3.4"),
    "above 1,000 lines of headers": (b"A: b\r\n" * 1001 + b"\r\n", "552 5.3.4"),
    "above 50 hops": (b"Received: by a\r\n" * 51 + b"\r\n", "554 5.4.6"),
    "above 1,000 parts": (multipart(*[b"\r\n"] * 1000), "554 5.6.0"),
}


@pytest.mark.parametrize(("raw", "reply"), BROKEN.values(), ids=BROKEN)
def test_what_is_beyond_a_limit_is_refused_with_the_reply_that_says_why(raw, reply):
    with pytest.raises(Refused) as refused:
        scan(raw)
    assert refused.value.reply.startswith(reply)
    assert refused.value.status == int(reply[:3])
    assert "\r" not in refused.value.reply


WITHIN = {
    "headers": b"".join(b"H%d: %b\r\n" % (n, b"x" * 30_000) for n in range(3)) + b"\r\n",
    "lines of headers": b"A: b\r\n" * 999 + b"\r\n",
    "hops": b"Received: by a\r\n" * 50 + b"\r\n",
    "depth": nested(50),
    "parts": multipart(*[b"\r\n"] * 999),
    "boundary": multipart(b"\r\n", boundary=b"b" * 256),
    "nothing at all": b"",
    "a long field": mail("", "X-Data: " + "x" * 90_000),
    "a long folded field": mail("", "Subject: x" + ("\r\n " + "y" * 999) * 90),
}


@pytest.mark.parametrize("raw", WITHIN.values(), ids=WITHIN)
def test_what_is_just_within_a_limit_is_taken_and_read(raw):
    scan(raw)
    assert read(raw).records


HELLO = b"\r\nhello"
UNREAD = {
    "a part with above 1,000 lines of headers": (multipart(HELLO, b"A: b\r\n" * 1001 + HELLO), "1000 lines"),
    "a part with above 100 KB of headers": (
        multipart(HELLO, b"".join(b"H%d: %b\r\n" % (n, b"x" * 30_000) for n in range(4)) + HELLO),
        "headers of more than",
    ),
    "a part that never begins a body": (multipart(HELLO, b"A: b\r\n" * 1001), "1000 lines"),
    "the first of two": (multipart(b"A: b\r\n" * 1001 + HELLO, HELLO), "1000 lines"),
    "a part with a boundary above 256 characters": (
        multipart(HELLO, multipart(HELLO, boundary=b"b" * 257)),
        "boundary",
    ),
    "a part with MIME deeper than 50": (multipart(HELLO, nested(51)), "nested deeper"),
}


@pytest.mark.parametrize(("body", "why"), UNREAD.values(), ids=UNREAD)
def test_a_part_that_cannot_be_read_takes_nothing_away_from_the_others(body, why):
    raw = b"From: dara@example.com\r\nSubject: Rice\r\n" + body
    scan(raw)
    (message,) = read(raw).records
    words, unread = message.parts
    assert (message.sender.address, message.thread.subject) == ("dara@example.com", "Rice")
    assert (words.text, unread.kind, unread.type) == ("hello", "unsupported", "mime")
    assert why in unread.text


def test_a_boundary_that_looks_like_a_field_ends_the_headers_before_it():
    """Else every part's headers would be read on into all parts behind it: time in the square of the mail."""
    raw = multipart(b"A: b", b"A: b" + b"\r\nC: d" * 990, boundary=b"a:b").replace(b"boundary=a:b", b'boundary="a:b"')
    first, second = cut(raw).children
    assert [len(part.headers.fields) for part in (first, second)] == [1, 991]


WHOLLY_UNREAD = {
    "MIME deeper than 50": nested(51),
    "a boundary above 256 characters": multipart(HELLO, boundary=b"b" * 257),
    "its only part": multipart(b"A: b\r\n" * 1001 + HELLO),
}


@pytest.mark.parametrize("body", WHOLLY_UNREAD.values(), ids=WHOLLY_UNREAD)
def test_a_mail_of_which_no_word_can_be_read_is_still_its_senders(body):
    (message,) = read(b"From: dara@example.com\r\n" + body).records
    assert message.peer == "dara@example.com"
    assert [part.kind for part in message.parts] == ["unsupported"]


def test_a_mail_of_a_thousand_unreadable_parts_fits_in_a_record():
    (message,) = read(multipart(*[b"A: b\r\n" * 1001] * 990, *[b"Content-Type: image/png\r\n\r\nx"] * 9)).records
    assert [part.kind for part in message.parts] == [*["media"] * 9, "unsupported"]


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\r\n", b"\n\r"])
def test_a_bare_line_end_is_refused_only_where_the_mail_came_by_smtp(end):
    head = mail("one")
    scan(head + end + b"two\r\n")
    scan(head + b"\r\ntwo\r\n", direct=True)
    with pytest.raises(Refused, match=r"550 5\.5\.2"):
        scan(head + end + b"two\r\n", direct=True)


def test_whoever_brings_a_mail_unscanned_learns_that_it_is_malformed():
    with pytest.raises(Malformed, match=r"554 5\.6\.0"):
        read(multipart(*[b"\r\n"] * 1000))


def test_limits_look_at_the_same_parts_as_the_reader_does():
    """A mail inside of a mail is a file: what it holds is neither counted nor opened."""
    inside = nested(60)
    raw = multipart(b"\r\nhello", b"Content-Type: message/rfc822\r\n\r\n" + inside, boundary=b"outer")
    scan(raw)
    assert list(read(raw).files.values()) == [inside]
