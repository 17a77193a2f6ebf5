"""Words, charsets, parameters and addresses, as broken as they come."""

import base64
import codecs

import pytest
from hypothesis import given, strategies as st

from services.email_adapter.mail.addresses import mailboxes, on_the_wire
from services.email_adapter.mail.charsets import codec, decode
from services.email_adapter.mail.flowed import unflow
from services.email_adapter.mail.parameters import parse
from services.email_adapter.mail.transfer import undo
from services.email_adapter.mail.words import read_words
from shared.contract.identities import mail_address

KHMER = "សួស្តី! តើការបញ្ជាទិញរបស់ខ្ញុំនឹងមកដល់នៅពេលណា?"


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("=?utf-8?q?a_b?=", "a b"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?=\t\t=?iso-8859-1?q?=E9?=", "aé"),
        ("=?utf-8?q?a?= and =?utf-8?q?b?=", "a and b"),
        ("=?utf-8*km?B?4Z6f?=", "ស"),
        ("=?utf-8?B?4Z6f", "=?utf-8?B?4Z6f"),
        ("=?utf-8?Q?with a space?=", "with a space"),
        ("=?x-nothing?q?caf=E9?=", "café"),
        ("=?utf-8?B?aGk?=", "hi"),
        ("=?utf-8?B?aG!k=?=", "hi"),
        ("=?utf-8?X?aGk?=", "=?utf-8?X?aGk?="),
        ("=?utf-8?q?one=0D=0ABcc:_two?=", "one Bcc: two"),
        ("", ""),
    ],
)
def test_encoded_words_are_read_as_they_were_meant(header, text):
    assert read_words(header.encode()) == text


@given(st.text(min_size=1, max_size=60), st.integers(1, 20))
def test_a_character_cut_in_two_by_encoded_words_is_whole_again(text, size):
    data = text.encode()
    words = [base64.b64encode(data[at : at + size]) for at in range(0, len(data), size)]
    header = b" ".join(b"=?utf-8?B?" + word + b"?=" for word in words)
    assert read_words(header) == read_words(data)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("ks_c_5601-1987", "cp949"),
        ("GB2312", "gb18030"),
        ("iso-8859-1", "cp1252"),
        ("Windows-1252", "cp1252"),
        ('"UTF-8"', "utf-8"),
        ("x-sjis", "cp932"),
        ("tis-620", "cp874"),
        ("x-unknown", None),
        ("unknown-8bit", None),
        ("rot13", None),
        ("zlib", None),
        ("punycode", None),
        ("idna", None),
        ("unicode_escape", None),
        ("undefined", None),
        ("../../etc/passwd", None),
        ("x" * 500, None),
        ("", None),
    ],
)
def test_a_charset_is_what_mailers_mean_by_it(label, name):
    assert codec(label) == (codecs.lookup(name).name if name else None)


@pytest.mark.parametrize(
    ("data", "declared", "text"),
    [
        (KHMER.encode(), "us-ascii", KHMER),
        (KHMER.encode(), None, KHMER),
        (KHMER.encode(), "x-unknown", KHMER),
        (KHMER.encode() + b"\xe1", "utf-8", KHMER + "\ufffd"),
        (b"\xef\xbb\xbfhi", "utf-8", "hi"),
        (b"h\x00i", "utf-8", "hi"),
        (b"hi", "utf-16", "hi"),
        ("ħi".encode("utf-16"), "utf-16", "ħi"),
        (b"10 \x80", "iso-8859-1", "10 €"),
        ("日本".encode("iso2022_jp"), "ISO-2022-JP", "日本"),
        ("日本".encode("utf-7"), "unicode-1-1-utf-7", "日本"),
        (b"+2AA-", "utf-7", "\ufffd"),
        (b"\xff\xfe\xfd", "us-ascii", "ÿþý"),
    ],
)
def test_bytes_are_read_by_what_is_declared_and_else_by_what_they_are(data, declared, text):
    assert decode(data, declared) == text


def test_bytes_that_nothing_describes_are_guessed():
    text = "Привет! Когда придёт мой заказ? Я жду его уже целую неделю и начинаю волноваться."
    assert decode(text.encode("koi8-r"), None) == text


@given(st.binary(max_size=200), st.none() | st.text(max_size=12) | st.sampled_from(["utf-7", "utf-16", "hz", "cp037"]))
def test_whatever_the_bytes_there_is_a_text_that_can_be_stored(data, declared):
    text = decode(data, declared)
    assert "\x00" not in text
    assert text.encode().decode() == text


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("attachment; filename=a.txt", "a.txt"),
        ('attachment; filename="a;b\\"c.txt"', 'a;b"c.txt'),
        ("attachment; filename*=utf-8''%E1%9E%9F.txt", "ស.txt"),
        ("attachment; filename=plain.txt; filename*=utf-8''%E1%9E%9F.txt", "ស.txt"),
        ("attachment; filename*1=b.txt; filename*0=a", "ab.txt"),
        ("attachment; filename*0*=utf-8''%E1%9E; filename*1*=%9F; filename*2=.txt", "ស.txt"),
        ("attachment; filename*0=a; filename*2=c", "a"),
        ('attachment; filename="=?utf-8?B?4Z6f?=.txt"', "ស.txt"),
        ("attachment; filename*=%41", "A"),
        ("attachment; FileName = a.txt (a comment)", "a.txt"),
        ('attachment; filename="unclosed', "unclosed"),
        ("attachment;;; filename=", ""),
        ("attachment", None),
    ],
)
def test_a_file_name_is_read_in_every_way_in_which_it_is_written(header, name):
    told = parse(header.encode())
    assert (told.main, told.text("filename")) == ("attachment", name)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Dara <dara@example.com>", [("dara@example.com", "Dara")]),
        ('"Sok, Dara" <Dara@Example.COM>, b@example.org', [("dara@example.com", "Sok, Dara"), ("b@example.org", None)]),
        ("dara@example.com (Dara (Sok))", [("dara@example.com", "Dara (Sok)")]),
        ("friends: a@x.example, b@x.example;", [("a@x.example", None), ("b@x.example", None)]),
        ("<@relay.example,@other.example:dara@example.com>", [("dara@example.com", None)]),
        ("undisclosed-recipients:;", []),
        ("Dara <dara@example.com", [("dara@example.com", "Dara")]),
        ("'dara@example.com' <dara@example.com>", [("dara@example.com", None)]),
        ("=?utf-8?B?4Z6P4Z624Z6a4Z62?= <dara@example.com>", [("dara@example.com", "តារា")]),
        ("=?utf-8?q?Sok=2C_Dara?= <dara@example.com>", [("dara@example.com", "Sok, Dara")]),
        ("info@xn--bcher-kva.example", [("info@bücher.example", None)]),
        ("info@BÜCHER.example", [("info@bücher.example", None)]),
        ("តារា@example.com", [("តារា@example.com", None)]),
        ("mailto:dara@example.com", [("dara@example.com", None)]),
        ("root@localhost", [("root@localhost", None)]),
        ("MAILER-DAEMON", []),
        ("a" * 400 + "@example.com", []),
        ("", []),
    ],
)
def test_mailboxes_are_found_however_they_are_written(header, found):
    assert list(map(tuple, mailboxes(header.encode()))) == found


@given(st.binary(max_size=300))
def test_whatever_an_address_header_says_every_mailbox_has_an_address(header):
    for box in mailboxes(header):
        assert "@" in box.address
        assert len(box.address) <= 400
        assert mail_address(box.address) == box.address


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("dara@example.com", "dara@example.com"),
        ("info@bücher.example", "info@xn--bcher-kva.example"),
        ("តារា@example.com", None),
        ("dara@example.com>\r\nRCPT TO:<x@y.example", None),
        ("Dara <dara@example.com>", None),
        ("dara@", None),
        ("12345", None),
    ],
)
def test_only_addresses_that_every_server_takes_go_out(address, wire):
    assert on_the_wire(address) == wire


@pytest.mark.parametrize(
    ("encoding", "body", "data"),
    [
        ("base64", b"aGVs\r\nbG8=", b"hello"),
        ("base64", b"aGVsbG8", b"hello"),
        ("base64", b"aGVs!bG8=\r\n-- \r\nA list's footer.", b"hello"),
        ("base64", b"aGVsbG8=\r\naGVsbG8=", b"hellohello"),
        ("base64", b"a", b""),
        ("quoted-printable", b"a=3Db=\r\nc=", b"a=bc"),
        ("quoted-printable", b"a=\rb= \t\nc\rd", b"abc\nd"),
        ("quoted-printable", b"=ZZ=4", b"=ZZ=4"),
        ("x-uuencode", b"begin 644 a\n%:&5L;&\\ \n`\nend\n", b"hello"),
        ("x-uuencode", b"\xff\xff\n", b""),
        ("8bit", b"\xff", b"\xff"),
        ("no-such-encoding", b"as it is", b"as it is"),
    ],
)
def test_transfer_encodings_are_undone_also_where_they_are_broken(encoding, body, data):
    assert undo(body, encoding) == data


@given(st.binary(max_size=120), st.sampled_from(["base64", "quoted-printable", "x-uuencode", "binary"]))
def test_no_transfer_encoding_makes_more_than_it_was_given(body, encoding):
    assert len(undo(body, encoding)) <= len(body)


@pytest.mark.parametrize(
    ("flowed", "text"),
    [
        ("a \nb\nc", "a b\nc"),
        ("> a \n> b\nc", "> a b\nc"),
        ("> a \n>> b", "> a \n>> b"),
        (" From here", "From here"),
        ("a\n-- \nme", "a\n-- \nme"),
        ("open ", "open "),
    ],
)
def test_flowed_text_is_joined_where_its_writer_did_not_break_it(flowed, text):
    assert unflow(flowed) == text
