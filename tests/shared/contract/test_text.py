"""Long texts go out in pieces that fit, and no reader sees a broken letter or word."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from itertools import accumulate

import pytest
from hypothesis import example, given, settings, strategies as st
from icu4py.breakers import CharacterBreaker, WordBreaker

from shared.contract.deliveries import MediaUpdate
from shared.contract.envelope import Choice, Contact, Location, Media, Notice, Option, Party, Thread, Unsupported
from shared.contract.text import Unit, measure, split, undirected

UNITS: tuple[Unit, ...] = ("code_points", "utf16", "bytes", "graphemes")
FAMILY = "👨‍👩‍👧‍👦"
KHMER = "សួស្តីពិភពលោកខ្ញុំចង់ទិញទំនិញនៅហាងរបស់អ្នក"
ARABIC = "مرحبا بالعالم، أريد أن أشتري شيئًا من متجركم اليوم. "
LUMPS = st.sampled_from(
    [FAMILY, "🇰🇭", "🇺🇸", "e\u0301", "\r\n", "\n\n", "\n", " ", "  ", "\u200b", "\u0301", "\u0600", "ស្ត្រី", "ខ្ញុំ", "ก็", "שלום", "क्षि", "one. ", "word", "\u2029", "\t"]
)  # fmt: skip
TEXTS = st.lists(LUMPS | st.characters(codec="utf-8"), max_size=80).map("".join)


def bare(text: str) -> str:
    return "".join(text.split())


def owners(text: str, pieces: tuple[str, ...]) -> list[int]:
    """For each visible character of the text, the number of its piece; the pieces must be the text but for white space."""
    assert "".join(map(bare, pieces)) == bare(text)
    return [number for number, piece in enumerate(pieces) for _ in bare(piece)]


@pytest.mark.parametrize(
    ("text", "code_points", "utf16", "octets", "graphemes"),
    [
        ("hello", 5, 5, 5, 5),
        ("a\r\nb", 4, 4, 4, 3),
        (FAMILY, 7, 11, 25, 1),
        ("🇰🇭🇺🇸", 4, 8, 16, 2),
        ("ស្ត្រី", 6, 6, 18, 1),
        ("\ud800", 1, 1, 3, 1),
        ("", 0, 0, 0, 0),
    ],
)
def test_length_is_counted_in_the_channels_own_unit(text, code_points, utf16, octets, graphemes):
    assert [measure(text, unit) for unit in UNITS] == [code_points, utf16, octets, graphemes]


@settings(max_examples=300)
@given(text=TEXTS, limit=st.integers(4, 60), unit=st.sampled_from(UNITS))
def test_every_piece_fits_and_only_white_space_is_lost(text, limit, unit):
    pieces = split(text, limit, unit)
    assert all(measure(piece, unit) <= limit for piece in pieces)
    owners(text, pieces)
    if measure(text, unit) <= limit:
        assert pieces == (text,)
    else:
        assert all(piece.strip() for piece in pieces)


def clusters(text: str) -> list[str]:
    """What a reader sees as letters, but for white space; a space that carries a mark is one."""
    return [cluster.rstrip() for cluster in CharacterBreaker(text, "und") if not cluster.isspace()]


@settings(max_examples=300)
@given(text=TEXTS, limit=st.integers(4, 60), unit=st.sampled_from(UNITS))
@example(text="aaaa \u0301bbbb", limit=5, unit="code_points")
@example(text="aaaa  \u0301bbbb", limit=5, unit="code_points")
def test_no_grapheme_cluster_is_broken_unless_it_alone_is_too_long(text, limit, unit):
    pieces = split(text, limit, unit)
    if all(measure(cluster, unit) <= limit for cluster in CharacterBreaker(text, "und")):
        assert [cluster for piece in pieces for cluster in clusters(piece)] == clusters(text)
    owner = iter(owners(text, pieces))
    for cluster in CharacterBreaker(text, "und"):
        holders = {next(owner) for _ in bare(cluster)}
        assert len(holders) <= 1 or measure(cluster, unit) > limit


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("limit", [18, 20, 37])
def test_khmer_without_spaces_is_cut_at_words_only(unit, limit):
    limit *= 3 if unit == "bytes" else 1
    text = KHMER * 20
    words = set(accumulate(map(len, WordBreaker(text, "km"))))
    cuts = set(accumulate(map(len, split(text, limit, unit))))
    assert len(cuts) > 5
    assert cuts <= words


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        ("aaaa bbbb\n\ncccc\ndddd eeee", 17, ("aaaa bbbb", "cccc\ndddd eeee")),
        ("aaaa bbbb.\ncccc. dddd eeee", 18, ("aaaa bbbb.", "cccc. dddd eeee")),
        ("aaaa bbbb cc. Dddd eeee", 20, ("aaaa bbbb cc.", "Dddd eeee")),
        ("a\n\nbbbb cccc dddd eeee", 12, ("a\n\nbbbb cccc", "dddd eeee")),
        ("aaaaaaaa\r\nbb\ncccc dddd", 15, ("aaaaaaaa\r\nbb", "cccc dddd")),
        ("aaaa\r\nbbbb cccc", 11, ("aaaa", "bbbb cccc")),
        ("hello world", 5, ("hello", "world")),
        ("ab\n\n\n\n\ncd", 3, ("ab", "cd")),
        ("abcdefgh", 3, ("abc", "def", "gh")),
        ("ខ្ញុំចង់ទិញ។តើមានទេ?", 16, ("ខ្ញុំចង់ទិញ។", "តើមានទេ?")),
        (f"{FAMILY}{FAMILY}", 11, (FAMILY, FAMILY)),
        (" " * 50, 5, ()),
    ],
)
def test_a_cut_is_made_where_a_reader_would_make_it(text, limit, pieces):
    assert split(text, limit, "utf16") == pieces


@pytest.mark.parametrize("unit", UNITS)
def test_right_to_left_text_keeps_its_words_and_their_order(unit):
    pieces = split(ARABIC * 5, 40, unit)
    assert " ".join(pieces).split() == (ARABIC * 5).split()


def test_a_limit_that_cannot_hold_a_character_is_a_mistake():
    with pytest.raises(ValueError, match="3 bytes"):
        split("abcdef", 3, "bytes")


def cpu_seconds(text: str, unit: Unit) -> float:
    began = time.process_time()
    assert len(split(text, 200, unit)) > 1
    return time.process_time() - began


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("lump", ["a", "hello world. ", KHMER, FAMILY, " \u0301", "\n", "a" + " " * 300, "\r\n "])
def test_time_grows_in_proportion_to_the_text(lump, unit):
    small, large = (lump * (size // len(lump)) + "end." * 100 for size in (50_000, 500_000))
    assert cpu_seconds(large, unit) < 40 * max(cpu_seconds(small, unit), 0.005)


@pytest.mark.parametrize("turning", [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))])
@pytest.mark.parametrize(
    "named",
    [
        lambda name: Party(address="a", name=name).name,
        lambda name: Party(address="a", username=name).username,
        lambda name: Thread(subject=name).subject,
        lambda name: Media(media="file", name=name).name,
        lambda name: Contact(name=name).name,
        lambda name: Contact(name="a", phones=(name,)).phones[0],
        lambda name: Contact(name="a", emails=(name,)).emails[0],
        lambda name: Party(address="a", phone=name).phone,
        lambda name: Party(address="a", email=name).email,
        lambda name: Location(latitude=0, longitude=0, name=name).name,
        lambda name: Choice(id="a", title=name).title,
        lambda name: Option(id="a", title=name).title,
        lambda name: Option(id="a", title="a", description=name).description,
        lambda name: Unsupported(type=name).type,
        lambda name: Notice(type="joined", text=name).text,
        lambda name: Notice(type="renamed", to=name).to,
        lambda name: Notice(type="responder", to=name).to,
        lambda name: found_file(name).name,
    ],
    ids=[
        "name",
        "username",
        "subject",
        "file",
        "contact",
        "contact_phone",
        "contact_email",
        "phone",
        "email",
        "place",
        "pressed",
        "option",
        "description",
        "unsupported",
        "joined",
        "renamed",
        "responder",
        "file_fetched",
    ],
)
def test_what_people_read_as_a_name_turns_nothing_round(turning, named):
    assert named(f"រូប{turning}gpj.exe") == "រូបgpj.exe"


def found_file(name):
    """What came of a file whose name its own server told."""
    where = {"tenant": "t", "channel": "webhook", "account": "main", "peer": "ann"}
    return MediaUpdate(
        message_id=uuid.uuid4(), part=0, state="stored", name=name, occurred_at=datetime.now(UTC), **where
    )


def test_a_title_of_nothing_else_is_one_that_can_be_read_again():
    notice = Notice(type="renamed", to="\u202e")
    assert Notice.model_validate_json(notice.model_dump_json()) == notice


def test_an_address_is_left_as_it_is():
    assert Notice(type="moved", to="a\u202eb").to == "a\u202eb"


def test_a_name_keeps_the_marks_of_its_own_script():
    assert undirected("שלום\u200f!") == "שלום\u200f!"
