"""A piece as a mail: what its reader's mailer makes of it, read by the standard library and by ourselves."""

from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from hypothesis import given, settings as tuned, strategies as st

from services.email_adapter.mail import CHANNEL, MEDIA_BYTES, TEXT_BYTES
from services.email_adapter.mail.ids import is_ours
from services.email_adapter.mail.limits import scan
from services.email_adapter.mail.subjects import answering, base, first_line
from shared.contract.channel import Piece, Response, SendFailed
from shared.contract.envelope import Choices, Location, Media, Option, Text
from shared.contract.fit import Bundle, fit
from tests.services.email_adapter.letters import (
    ACCOUNT,
    CONTEXT,
    FILE,
    STORED,
    external_ids,
    on_the_wire,
    read,
    record,
    sent,
)

TOKEN = "a234567b" * 5 + "zz"
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=120)
PARAGRAPHS = st.lists(WORDS, max_size=5).map("\n".join)


def piece(text="Hello", **values):
    return Piece(id="p/0", to="dara@example.com", part=Text(text=text), **values)


def stored(**values):
    return Media(**{"media": "file", "state": "stored", "blob": STORED, "mime_type": "application/pdf", **values})


def parsed(one):
    """As the standard library reads it, which is not what wrote it."""
    return message_from_bytes(on_the_wire(sent(one)), policy=policy.default)


def shown(words):
    """Words as a header can say them: on one line, without spaces at its ends."""
    return " ".join(words.split())


@tuned(max_examples=200)
@given(text=PARAGRAPHS, html=st.none() | WORDS.map("<p>{}</p>".format), subject=WORDS, name=WORDS)
def test_what_is_written_is_what_is_read_and_known_for_our_own(text, html, subject, name):
    one = Piece(
        id="p", to="d@x.example", part=Text(text=text, html=html), subject=subject, attachments=(stored(name=name),)
    )
    whole = on_the_wire(sent(one))
    scan(whole, direct=True)
    assert max(map(len, whole.split(b"\r\n"))) <= 998
    message = record(whole)
    assert message.echo
    assert message.sender.name == "ហាង Angkor"
    if subject.strip():
        assert message.thread.subject == shown(subject)
    texts = [part.text for part in message.parts if part.kind == "text"]
    assert html or texts == ([text.rstrip()] if text.strip() else [])
    (file,) = (part for part in message.parts if part.kind == "media")
    assert (file.size, read(whole).files[file.handle]) == (len(FILE), FILE)


@given(text=PARAGRAPHS, subject=WORDS)
def test_the_standard_library_reads_the_same(text, subject):
    found = parsed(piece(text, subject=subject))
    assert found.get_content().replace("\r\n", "\n").rstrip() == text.rstrip()
    if subject.strip():
        assert shown(found["subject"]) == shown(subject)
    assert not found.defects


HOSTILE = ["\r\nBcc: x@evil.example", "\nX: y", "\r\n\r\nbody", "\x00", "\u2028X: y", "\x85X: y", "\x0bX", "\ud800"]


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_no_value_begins_another_header(hostile):
    hostile = hostile.replace("\ud800", "\ufffd")  # what is no text is refused by the models
    media = stored(name=f"a{hostile}.pdf", mime_type=f"text/plain{hostile}", content_id=f"c{hostile}")
    one = piece(
        f"Hi{hostile}", subject=f"S{hostile}", references=(f"r{hostile}@x",), reply_to=f"q{hostile}@x", attachments=(media,)
    )  # fmt: skip
    head, _, body = on_the_wire(sent(one)).partition(b"\r\n\r\n")
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in {b" ", b"\t"}]
    assert names == [
        b"Parley-Seal",
        b"From",
        b"To",
        b"Reply-To",
        b"Subject",
        b"Date",
        b"Message-ID",
        b"MIME-Version",
        b"Content-Type",
    ]
    assert b"\n" not in body.replace(b"\r\n", b"")
    assert b"\r" not in body.replace(b"\r\n", b"")


@pytest.mark.parametrize("address", [f"a{hostile}@example.com" for hostile in HOSTILE], ids=ascii)
def test_no_address_begins_another_command(address):
    with pytest.raises(SendFailed) as failed:
        sent(piece().model_copy(update={"to": address}))
    assert failed.value.reason == "bad_address"


def test_the_id_is_known_before_the_mail_has_left_and_stays_the_same():
    (told,) = external_ids(piece())
    later = replace(CONTEXT, now=CONTEXT.now + timedelta(hours=5))
    assert f"Message-ID: <{told}>".encode() in on_the_wire(sent(piece(), later))
    assert is_ours(told, ACCOUNT, CONTEXT.secret.get_secret_value().encode())
    assert external_ids(piece().model_copy(update={"id": "p/1"})) != (told,)


def test_an_answer_to_what_was_sent_finds_its_conversation_by_address_and_by_ids():
    found = parsed(piece(thread_token=TOKEN, reply_to="mid@mail.example.com", references=("first@mail.example.com",)))
    local, _, domain = found["reply-to"].partition("@")
    assert local.startswith(f"inbox+{TOKEN}")
    assert len(local) <= 64, "RFC 5321 §4.5.3.1.1"
    assert domain == "reply.shop.example"
    assert found["in-reply-to"] == "<mid@mail.example.com>"
    assert found["references"].split() == [
        "<first@mail.example.com>",
        f"<{TOKEN}@shop.example>",
        "<mid@mail.example.com>",
    ]


def test_ids_are_never_encoded_nor_longer_than_servers_take():
    ids = tuple(f"{'x' * 120}.{number}@mail.example.com" for number in range(20))
    head = on_the_wire(sent(piece(references=ids, reply_to=ids[-1], thread_token=TOKEN))).partition(b"\r\n\r\n")[0]
    references = next(line for line in head.replace(b"\r\n ", b" ").split(b"\r\n") if line.startswith(b"References"))
    assert b"=?" not in references
    assert len(references) <= 900 + len("References: ")
    assert references.split()[1].decode() == f"<{ids[0]}>"
    assert references.split()[-1].decode() == f"<{ids[-1]}>"


@pytest.mark.parametrize("size", [1, 100, 440, 460, 880, 900, 901, 980])
def test_however_long_the_ids_of_others_are_every_line_is_one_that_servers_take(size):
    ids = tuple(f"{letter * (size - 1)}{letter}" for letter in "abc")
    whole = on_the_wire(sent(piece(references=ids, reply_to=ids[-1], thread_token=TOKEN, subject=f"a{' ' * 990}b")))
    assert max(map(len, whole.split(b"\r\n"))) <= 998
    assert (b"In-Reply-To: <c" in whole) == (size <= 900)
    assert TOKEN.encode() in whole.partition(b"References")[2]


def test_a_first_mail_answers_nothing_and_keeps_its_subject():
    found = parsed(piece(subject="Fwd: as it is"))
    assert (found["subject"], found["in-reply-to"], found["references"]) == ("Fwd: as it is", None, None)


@pytest.mark.parametrize(
    ("subject", "answer"),
    [
        ("Order", "Re: Order"),
        ("Re: Order", "Re: Order"),
        ("RE: re : Re[2]: AW: SV: Order", "Re: Order"),
        ("ឆ្លើយតប៖ ការបញ្ជាទិញ", "Re: ការបញ្ជាទិញ"),
        ("回复：订单", "Re: 订单"),
        ("رد: طلبي", "Re: طلبي"),
        ("Fwd: Re: Order", "Re: Order"),
        ("Reorder: two cups", "Re: Reorder: two cups"),
        ("Resume", "Re: Resume"),
        ("Re:", "Re:"),
        ("", "Re:"),
    ],
)
def test_an_answer_has_one_re_in_every_language(subject, answer):
    assert answering(subject) == answer
    assert answering(answer) == answer
    assert base(answer) == base(subject)


def test_the_first_line_stands_for_a_subject_that_nobody_gave():
    assert first_line("\n  \n Hello there \nmore") == "Hello there"
    assert first_line("x" * 100) == "x" * 77 + "…"
    assert first_line("") == ""


def test_html_goes_beside_the_text_and_only_where_there_is_some():
    both = parsed(Piece(id="p", to="dara@example.com", part=Text(text="ការ", html="<p>ការ</p>")))
    assert [part.get_content_type() for part in both.iter_parts()] == ["text/plain", "text/html"]
    assert both.get_body(("html",)).get_content().strip() == "<p>ការ</p>"
    assert parsed(piece()).get_content_type() == "text/plain"


def test_files_and_text_are_one_mail_by_the_time_it_is_fitted():
    parts = [Text(text="The invoice"), stored(size=1000, name="a.pdf"), stored(media="image", size=1000, name="b.png")]
    (bundle,) = fit(parts, CHANNEL.capabilities).pieces
    assert isinstance(bundle, Bundle)
    found = parsed(Piece(id="p", to="dara@example.com", part=bundle.part, attachments=bundle.files))
    assert [part.get_filename() for part in found.iter_attachments()] == ["a.pdf", "b.png"]


def test_what_a_mail_has_no_form_for_goes_as_text():
    parts = [Choices(text="Which?", options=(Option(id="a", title="A"),)), Location(latitude=11.5, longitude=104.9)]
    (text,) = fit(parts, CHANNEL.capabilities).pieces
    assert "1. A" in parsed(Piece(id="p", to="dara@example.com", part=text)).get_content()


def test_a_long_khmer_answer_is_one_mail():
    text = ("សួស្តីបងការបញ្ជាទិញរបស់បងនឹងមកដល់" * 4000)[: TEXT_BYTES // 3]
    (whole,) = fit([Text(text=text)], CHANNEL.capabilities).pieces
    assert parsed(Piece(id="p", to="dara@example.com", part=whole)).get_content().rstrip() == text


def test_a_file_that_is_too_large_in_base64_is_refused_before_anything_is_sent():
    fit([stored(size=MEDIA_BYTES)], CHANNEL.capabilities)
    with pytest.raises(Exception, match="bytes"):
        fit([stored(size=MEDIA_BYTES + 1)], CHANNEL.capabilities)


def test_an_inbox_without_a_server_says_so():
    account = CHANNEL.account(name="main", address="help@shop.example")
    with pytest.raises(SendFailed, match="host"):
        next(CHANNEL.outbound(account, piece(), CONTEXT))


@pytest.mark.parametrize(
    ("status", "words", "code"),
    [
        (421, "4.3.2 closing", "unreachable"),
        (421, "4.7.0 Too many connections", "throttled"),
        (450, "4.2.1 receiving mail at a rate that", "throttled"),
        (451, "4.7.1 Greylisted", "unreachable"),
        (452, "4.3.1 Insufficient system storage", "unreachable"),
        (454, "4.7.0 TLS not available", "unreachable"),
        (500, "what?", "refused"),
        (501, "5.1.3 bad address syntax", "bad_address"),
        (530, "5.7.0 Authentication required", "auth"),
        (535, "5.7.8 no", "auth"),
        (538, "5.7.11 Encryption required", "auth"),
        (550, "No such user", "bad_address"),
        (550, "5.1.1 unknown", "bad_address"),
        (550, "5.1.8 sender domain does not exist", "refused"),
        (550, "blocked: see our policy", "refused"),
        (550, "5.7.1 blocked by policy", "refused"),
        (551, "User not local", "bad_address"),
        (552, "5.2.2 mailbox full", "refused"),
        (552, "message too big", "too_long"),
        (553, "5.1.3 no", "bad_address"),
        (554, "5.3.4 too big", "too_long"),
        (554, "no", "refused"),
        (354, "go on?", "unreachable"),
    ],
)
def test_a_reply_is_read_by_its_codes_and_told_in_the_servers_words(status, words, code):
    with pytest.raises(SendFailed) as failed:
        CHANNEL.outcome(Response(status=status, body=words.encode()))
    assert failed.value.reason == code
    assert failed.value.detail == f"{status} {words}"


def test_the_servers_words_are_not_endless():
    with pytest.raises(SendFailed) as failed:
        CHANNEL.outcome(Response(status=554, body=b"no \xff" * 5000))
    assert len(failed.value.detail) <= 500
    assert CHANNEL.outcome(Response(status=250, body=b"ok")) is None
