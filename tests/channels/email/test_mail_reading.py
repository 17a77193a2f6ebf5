"""A mail as a record: what makes two mails the same, which thread it names, what of it travels."""

import re
from email import message_from_bytes, policy

import orjson
import pytest

from services.email_adapter.mail import CHANNEL, replies
from services.email_adapter.mail.ids import found_in, is_ours, ours
from services.email_adapter.mail.seal import seal
from services.email_adapter.mail.sizes import HTML, TEXT
from shared.contract.channel import Context, Mail, Piece
from shared.contract.envelope import Media, Text
from shared.contract.records import INBOUND_LIMIT
from shared.inbound import translate
from tests.services.email_adapter.letters import (
    ACCOUNT,
    CONTEXT,
    STORED,
    mail,
    on_the_wire,
    read,
    record,
    sent,
    stamped,
)

TOKEN = "a234567b" * 5 + "zz"
DATED = ("Date: Tue, 3 Feb 2026 10:00:00 +0700", "Message-ID: <one@mail.example.com>")


def test_two_transports_make_the_same_event_of_one_mail():
    by_smtp = mail("Hello\r\nDara  \r\n", *DATED, "Received: by a", "To: help@shop.example")
    by_imap = mail(
        b"SGVsbG8KRGFyYQ==",
        "Content-Transfer-Encoding: base64",
        "date:  Tue, 03 Feb 2026 03:00:00 GMT",
        "Message-Id: <one@mail.example.com>",
        "Received: by b",
        "X-Spam: no",
    ).replace(b"\r\n", b"\n")
    assert record(by_smtp).event_key == record(by_imap).event_key


@pytest.mark.parametrize(
    "other",
    [
        mail("Another text", *DATED),
        mail("Hello", DATED[0], "Message-ID: <two@mail.example.com>"),
        mail("Hello", DATED[1], "Date: Tue, 3 Feb 2026 10:00:01 +0700"),
        mail("Hello", DATED[0]),
        mail("Hello", *DATED).replace(b"dara@", b"bopha@"),
    ],
    ids=["text", "message-id", "date", "no message-id", "sender"],
)
def test_another_mail_is_another_event(other):
    assert record(other).event_key != record(mail("Hello", *DATED)).event_key


def test_mails_of_files_alone_are_told_apart_by_their_files():
    one, two = (mail(body, DATED[0], "Content-Type: application/pdf") for body in ("%PDF 1", "%PDF 2"))
    assert record(one).event_key != record(two).event_key


@pytest.mark.parametrize(
    ("headers", "sender"),
    [
        (["From: a@x.example", "Sender: b@x.example"], "a@x.example"),
        (["From: not an address", "Reply-To: b@x.example"], "b@x.example"),
        (["From: broken", "Return-Path: <c@x.example>", "Sender: d@x.example"], "c@x.example"),
        (["From: MAILER-DAEMON"], "mailer-daemon"),
        (["From: <>"], "unknown"),
        ([], "unknown"),
    ],
)
def test_the_sender_is_whoever_the_first_header_names_that_names_someone(headers, sender):
    raw = b"".join(f"{header}\r\n".encode() for header in headers) + b"\r\nhello"
    assert (record(raw).peer, record(raw).sender.address) == (sender, sender)


@pytest.mark.parametrize(
    ("header", "moment"),
    [
        ("Tue, 3 Feb 2026 10:00:00 +0700", "2026-02-03T03:00:00+00:00"),
        ("3 Feb 26 10:00 GMT", "2026-02-03T10:00:00+00:00"),
        ("Tue, 3 Feb 2026 10:00:00 -0000 (no zone)", "2026-02-03T10:00:00+00:00"),
        ("Mon, 1 Jan 1990 00:00:00 +0000", "1990-01-01T00:00:00+00:00"),
        ("Thu, 1 Jan 1970 00:00:00 +0000", None),
        ("Tue, 99 Feb 2026 10:00:00 +0700", None),
        ("Tue, 3 Feb 99999 10:00:00 +0700", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_mail_happened_when_it_says_or_else_now(header, moment):
    assert record(mail("x", f"Date: {header}")).occurred_at.isoformat() == (moment or CONTEXT.now.isoformat())


def test_a_mail_of_the_future_happened_when_it_came():
    travels = orjson.loads(stamped(mail("x", "Date: Fri, 1 Jan 2038 00:00:00 +0000")))
    assert travels["occurred_at"] == travels["received_at"]


def test_the_token_is_taken_from_where_the_mail_really_came():
    others = [f"To: inbox+{'b' * 42}@reply.shop.example", f"References: <{'c' * 42}@shop.example>"]
    raw = mail("x", *others)
    (found,) = read(raw, "help@shop.example", f"inbox+{TOKEN}@reply.shop.example").records
    assert found.thread.token == TOKEN
    assert record(raw).thread.token == "b" * 42
    assert record(mail("x", others[1])).thread.token == "c" * 42


@pytest.mark.parametrize(
    ("text", "token"),
    [
        (f"inbox+{TOKEN}@reply.shop.example", TOKEN),
        (f"INBOX+{TOKEN.upper()}@REPLY.shop.example", TOKEN),
        (f"inbox+{TOKEN}@shop.example", None),
        (f"other+{TOKEN}@reply.shop.example", None),
        (f"{TOKEN}@reply.shop.example", None),
        ("inbox+short@reply.shop.example", None),
        (f"inbox+{TOKEN}1@reply.shop.example", None),
        (f"inbox+{TOKEN}abcd2345@reply.shop.example", TOKEN),
        ("help@reply.shop.example", None),
        ("", None),
    ],
)
def test_only_our_own_form_of_address_holds_a_token(text, token):
    found = replies.read(text, "reply.shop.example")
    assert (found and found.token) == token


def test_without_a_reply_domain_no_address_holds_a_token():
    assert replies.read(f"inbox+{TOKEN}@", "") is None


def test_of_many_references_the_newest_fifty_are_kept_in_order():
    ids = " ".join(f"<{number}@x.example>" for number in range(80))
    assert record(mail("x", f"References: {ids}")).thread.references == tuple(f"{n}@x.example" for n in range(30, 80))


@pytest.mark.parametrize(
    ("header", "ids"),
    [
        ("<a@x>", ("a@x",)),
        ("<a@x> <b@x>\t<a@x>", ("a@x", "b@x")),
        ("Your message <a@x> of Monday", ("a@x",)),
        ("=?utf-8?q?=3Ca=40x=3E?=", ("a@x",)),
        ("<a\t@x>", ("a@x",)),
        ("a@x.example", ("a@x.example",)),
        ("<no-at-sign>", ("no-at-sign",)),
        (f"<{'a' * 2000}>", ()),
        ("<", ()),
        ("<>", ()),
        ("", ()),
    ],
)
def test_ids_are_found_however_they_are_written(header, ids):
    assert found_in(header.encode()) == ids


def test_an_id_of_ours_is_known_in_any_case_and_cannot_be_made_by_others():
    secret = CONTEXT.secret.get_secret_value().encode()
    made = ours("piece", ACCOUNT, secret)
    assert is_ours(made, ACCOUNT, secret)
    assert is_ours(made.upper(), ACCOUNT, secret)
    for forged in (*changes(made), f"x{made}", made + ".org", made.replace(".", "", 1), "@", "", "é.é@é"):
        assert not is_ours(forged, ACCOUNT, secret)
    assert not is_ours(made, ACCOUNT, b"another secret")
    assert not is_ours(ours("piece", ACCOUNT, b""), ACCOUNT, b"")


@pytest.mark.parametrize("other", [{"tenant": "acme"}, {"address": "sales@shop.example"}], ids=["tenant", "inbox"])
def test_an_id_is_ours_for_the_inbox_that_made_it_only(other):
    secret = CONTEXT.secret.get_secret_value().encode()
    assert not is_ours(ours("piece", ACCOUNT.model_copy(update=other), secret), ACCOUNT, secret)


def changes(text):
    return (text[:at] + ("b" if old != "b" else "c") + text[at + 1 :] for at, old in enumerate(text) if old not in ".@")


OWN = on_the_wire(
    sent(
        Piece(
            id="p",
            to="dara@example.com",
            subject="Order 4711",
            part=Text(text="It comes tomorrow.", html="<p>It comes tomorrow.</p>"),
            attachments=(Media(media="file", state="stored", blob=STORED, name="invoice.pdf"),),
        )
    )
)
SEAL = OWN.partition(b"\r\n")[0]
LAST = OWN.rstrip().rpartition(b"\r\n")[2]


def as_others_encode(raw):
    """The same words, with all else as a server on the way may write it."""
    letter = message_from_bytes(raw, policy=policy.default)
    for part in letter.walk():
        if part.get_content_maintype() == "text":
            part.set_content(part.get_content(), subtype=part.get_content_subtype(), cte="base64")
    letter.replace_header("Message-ID", letter["Message-ID"].upper())
    return b"Received: by relay\r\n" + letter.as_bytes(policy=policy.SMTP.clone(max_line_length=80))


@pytest.mark.parametrize(
    "came", [OWN, OWN.replace(b"\r\n", b"\n"), as_others_encode(OWN)], ids=["as it went", "line ends", "encoded"]
)
def test_our_own_mail_is_known_when_it_comes_back_however_it_was_encoded_on_the_way(came):
    found = record(came)
    assert (found.echo, found.peer) == (True, "help@shop.example")
    assert found.external_id == ours("p", ACCOUNT, CONTEXT.secret.get_secret_value().encode())
    (keyless,) = read(came, context=Context(now=CONTEXT.now)).records
    assert not keyless.echo


OTHERS = {
    "another text": (b"It comes tomorrow.\r\n", b"Pay Mallory.\r\n"),
    "a list's footer": (b"It comes tomorrow.\r\n", b"It comes tomorrow.\r\n-- \r\nOur list\r\n"),
    "another HTML": (b"It comes tomorrow.</p>", b"Pay Mallory.</p>"),
    "another subject": (b"Subject: Order", b"Subject: Pay Mallory for"),
    "another sender": (b"From: ", b"From: mallory@example.org\r\nX-From: "),
    "another name beside our address": (b"From: ", b"From: Pay Mallory <help@shop.example>\r\nX-From: "),
    "another name beside the recipient's": (b"To: dara@example.com", b"To: Pay Mallory <dara@example.com>"),
    "one more recipient": (b"Subject: ", b"Cc: mallory@example.org\r\nSubject: "),
    "answers elsewhere": (b"Reply-To: ", b"Reply-To: mallory@example.org\r\nX-Reply-To: "),
    "another file": (b"AAECAwQF", b"AAECAwQG"),
    "a file called otherwise": (b"invoice.pdf", b"Pay Mallory.pdf"),
    "a part more": (LAST, LAST[:-2] + b"\r\n\r\nPay Mallory.\r\n" + LAST),
    "a part that nobody can read": (LAST, LAST[:-2] + b"\r\n" + b"X: y\r\n" * 1001 + b"\r\n" + LAST),
    "another name of ours": (
        ours("p", ACCOUNT, CONTEXT.secret.get_secret_value().encode()).encode(),
        ours("q", ACCOUNT, CONTEXT.secret.get_secret_value().encode()).encode(),
    ),
    "no seal": (SEAL, b"X: y"),
    "another seal": (SEAL, SEAL[:-1] + (b"0" if SEAL[-1:] != b"0" else b"1")),
    "a seal that is no text": (SEAL, b"Parley-Seal: \xff"),
}


@pytest.mark.parametrize(("old", "new"), OTHERS.values(), ids=OTHERS)
def test_a_mail_under_our_own_name_that_says_anything_else_is_its_senders(old, new):
    assert OWN.count(old) == 1
    found = record(OWN.replace(old, new))
    assert (found.echo, found.external_id) == (False, None)
    assert found.peer == ("mallory@example.org" if b"From: mallory" in new else "help@shop.example")
    assert "our own message-id" in found.assessment.reasons
    assert not found.assessment.may_auto_answer


@pytest.mark.parametrize("other", [{"tenant": "acme"}, {"address": "sales@shop.example"}], ids=["tenant", "inbox"])
def test_a_seal_is_of_the_inbox_that_made_it_only(other):
    said = ["id", "words"]
    assert seal(said, ACCOUNT, b"key") != seal(said, ACCOUNT.model_copy(update=other), b"key")
    assert seal(said, ACCOUNT, b"key") != seal(["id words"], ACCOUNT, b"key")


def test_mails_without_a_name_are_the_transaction_that_brought_them_unless_a_server_on_the_way_has_named_it():
    def key(transaction, *headers):
        (found,) = translate.read_mail(
            CHANNEL.mail, ACCOUNT, Mail(mail("x", *headers), transaction=transaction), CONTEXT
        ).records
        return found.event_key

    assert key("1") == key("1") != key("2")
    first, second = (
        "Received: by a id 1; Tue, 3 Feb 2026 10:00:00 +0700",
        "Received: by a id 2; Tue, 3 Feb 2026 10:00:20 +0700",
    )
    assert key("1", first) == key("2", first) != key("1", second)


@pytest.mark.parametrize("headers", [(), DATED], ids=["no name", "one name and date"])
@pytest.mark.parametrize("other", [(b"Bill A", b"Bill B"), (b"%PDF A", b"%PDF B")], ids=["subject", "file"])
def test_two_scans_of_the_same_words_are_two(headers, other):
    body = b"--b\r\n\r\nSee the file.\r\n--b\r\nContent-Type: application/pdf\r\n\r\n%PDF A\r\n--b--"
    one = mail(body, "Subject: Bill A", "Content-Type: multipart/mixed; boundary=b", *headers)
    assert record(one).event_key != record(one.replace(*other)).event_key


def test_a_long_text_travels_as_its_head_and_a_file_with_the_whole():
    whole = "សួស្តីបង! " * 60_000
    found = read(mail(whole, "Content-Type: text/plain; charset=utf-8"))
    text, file = found.records[0].parts
    assert whole.startswith(text.text)
    assert TEXT // 3 < len(text.text.encode()) < TEXT
    assert (file.name, file.mime_type, file.size) == ("message.txt", "text/plain", len(whole.rstrip().encode()))
    assert found.files[file.handle].decode() == whole.rstrip()


def test_long_html_travels_as_a_file_beside_its_text():
    found = read(mail(f"<p>{'a <b>b</b> ' * 1000}{'word ' * 60_000}</p>", "Content-Type: text/html"))
    text, *files = found.records[0].parts
    assert text.html is None
    assert text.text.startswith("a b a b")
    assert {file.name for file in files} == {"message.txt", "message.html"}
    assert len(found.files["html"]) > HTML
    assert len(stamped(mail(f"<p>{'word ' * 120_000}</p>", "Content-Type: text/html"))) < INBOUND_LIMIT


@pytest.mark.parametrize("letter", ['"', "\\", "\n", "\x07", "\u2028", "é", "ស", "👨‍👩‍👧‍👦", "<p>", "&"])
@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
def test_no_text_makes_a_record_that_is_too_large_for_the_bus(letter, kind):
    body = letter * (1_000_000 // len(letter))
    assert len(stamped(mail(body, f"Content-Type: {kind}; charset=utf-8"))) < INBOUND_LIMIT


def test_no_header_makes_a_record_that_is_too_large_for_the_bus():
    thai = bytes(range(0xC0, 0xDA)) * 40
    fields = [b"To: " + b", ".join(b'"%b" <%d@x.example>' % (thai, n) for n in range(28))]
    fields += [b"Cc: " + b",".join(b"%d@x.example" % n for n in range(1500))]
    fields += [b"Subject: " + thai * 20, b"Content-Type: text/plain; charset=tis-620"]
    assert len(stamped(mail("x" * 200_000, *fields))) < INBOUND_LIMIT


def test_more_files_than_a_record_has_room_for_are_counted():
    parts = b"".join(b"--b\r\nContent-Type: application/x-thing; name=%d\r\n\r\n%d\r\n" % (n, n) for n in range(150))
    found = read(mail(parts + b"--b--", "Content-Type: multipart/mixed; boundary=b"))
    *files, last = found.records[0].parts
    assert (len(files), last.kind, last.text) == (98, "unsupported", "52 more files")
    assert found.files.keys() == {file.handle for file in files}


def test_every_file_stands_under_the_handle_of_its_part_with_its_size():
    inner = b"--i\r\nContent-Type: image/png\r\nContent-ID: <x@y>\r\n\r\nPNG\r\n--i--"
    raw = mail(
        b"--b\r\n\r\nhi\r\n--b\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n" + inner + b"\r\n--b--",
        "Content-Type: multipart/mixed; boundary=b",
    )
    found = read(raw)
    (_, image) = found.records[0].parts
    assert (image.handle, image.state, image.size, image.content_id) == ("2.1", "pending", 3, "x@y")
    assert found.files == {"2.1": b"PNG"}


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\Windows\\\\system.ini", "system.ini"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\tb.txt", "a b.txt"),
        ("  .. ", None),
        ("x" * 400 + ".pdf", "x" * 251 + ".pdf"),
        ("វិក្កយបត្រ.pdf", "វិក្កយបត្រ.pdf"),
    ],
)
def test_a_file_name_is_a_name_and_no_path_and_reads_in_one_direction(told, name):
    disposition = f'Content-Disposition: attachment; filename="{told}"'
    (file,) = record(mail("x", "Content-Type: application/pdf", disposition)).parts
    assert file.name == name


def test_a_picture_that_could_run_is_a_file():
    (file,) = record(mail("<svg onload='alert(1)'/>", "Content-Type: image/svg+xml")).parts
    assert file.media == "file"


def test_what_is_decoded_is_never_more_than_three_times_what_came():
    for charset, letter in (("tis-620", b"\xa1"), ("utf-8", "ស".encode()), ("utf-7", b"+"), ("big5", b"\xa4\xa4")):
        raw = mail(letter * 10_000, f"Content-Type: text/plain; charset={charset}")
        (text, *_) = record(raw).parts
        assert len(text.text.encode()) <= 3 * len(raw)


def test_nothing_is_claimed_of_who_sent_it():
    found = record(mail("x", "Authentication-Results: mx.example; dmarc=pass", "DKIM-Signature: v=1"))
    assert (found.assessment.authentication, found.assessment.kind, found.sender.verified) == ("none", "human", None)
    assert re.search(b'"authentication":"none"', stamped(mail("x")))


def test_the_account_is_told_apart_by_its_address_in_lower_case():
    assert record(mail("x")).account_key == "help@shop.example" == ACCOUNT.key
