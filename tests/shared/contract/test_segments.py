"""An SMS is paid by segments: what the alphabet of GSM holds packs tighter than what it does not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from shared.contract.segments import GSM, reach, segments
from shared.contract.text import split

LETTERS = st.sampled_from([*"aZ9 \n@£é€[]{}~^|\\`", "ខ", "្", "😀", "\u200b", "á", "\t"])
TEXTS = st.lists(LETTERS, max_size=12).flatmap(lambda some: st.integers(1, 60).map(lambda often: "".join(some) * often))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("a", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 80 + "a", 2),
        ("€" * 153, 3),  # two escapes never part: 76 of them in 153
        ("a" * 1530, 10),
        ("`", 1),
        ("`" * 71, 2),  # no letter of GSM's
        ("a" * 159 + "`", 3),  # which makes all of it UCS-2
        ("ខ" * 70, 1),
        ("ខ" * 71, 2),
        ("ខ" * 134, 2),
        ("ខ" * 135, 3),
        ("ខ" * 670, 10),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 67, 3),  # 33 pairs in 67
        ("é" * 160, 1),
        ("á" * 71, 2),
        ("a\tb" * 30, 2),  # a tab is none of GSM's
    ],
)
def test_a_text_takes_as_many_segments_as_its_letters_need(text: str, count: int) -> None:
    assert segments(text) == count


def test_the_alphabet_has_the_letters_of_the_standard() -> None:
    assert len(GSM) == 127 + 10  # 128 places, one of which is the escape; ten letters behind it


@settings(max_examples=300)
@given(text=TEXTS, limit=st.integers(1, 5))
def test_what_is_cut_off_is_as_long_as_fits_and_no_longer(text: str, limit: int) -> None:
    end = reach(text, limit)
    assert segments(text[:end]) <= limit
    assert end == len(text) or segments(text[: end + 1]) > limit


def test_a_text_is_cut_at_its_words_and_each_piece_is_packed_by_its_own_letters() -> None:
    plain, khmer = "one two three. " * 12, "ខ្ញុំចង់ទិញទំនិញ។ " * 9
    pieces = split(plain + khmer, 1, "segments")
    assert all(segments(piece) == 1 for piece in pieces)
    assert len(pieces[0]) > 140 > 70 >= len(pieces[-1])
    assert "".join("".join(pieces).split()) == "".join((plain + khmer).split())
