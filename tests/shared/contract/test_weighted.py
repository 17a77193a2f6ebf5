"""A post on X is measured by what its letters, emoji and links weigh."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings, strategies as st

from shared.contract.text import measure, split
from shared.contract.weighted import LEAST, weight

FAMILY = "👨\u200d👩\u200d👧\u200d👦"
LUMPS = st.sampled_from(
    [FAMILY, "🇰🇭", "🙋🏽", "e\u0301", "ខ្ញុំ", "ទិញ", "\u0958", "の", "word ", "\n", ". ", "-", "a.bc", "shop.example.com", "https://a.example/b/c?d=e", "@", "x" * 30, "©\ufe0f", "1\ufe0f\u20e3", "\u1100\u1161"]
)  # fmt: skip
TEXTS = st.lists(LUMPS | st.characters(codec="utf-8"), max_size=60).map("".join)


@pytest.mark.parametrize(
    ("text", "weighs"),
    [
        ("", 0),
        ("hello", 5),
        ("សួស្តី", 12),
        ("\u10ff\u1100", 3),
        ("\u200d\u200e\u2010\u201f\u2020\u2032\u2037\u2038", 1 + 2 + 1 + 1 + 2 + 1 + 1 + 2),
        ("café", 4),
        ("cafe\u0301", 4),
        ("\u0958", 2),  # which NFC writes as two letters
        ("👾", 2),
        ("🙋🏽", 2),
        (FAMILY, 2),
        (FAMILY + FAMILY, 4),
        ("🇰🇭🇺🇸", 4),
        ("#\ufe0f\u20e3", 2),
        ("\u00a9", 1),
        ("\u00a9\ufe0f", 2),
        ("https://example.com", 23),
        ("http://example.com/very/long/path/that/takes/more?than=23", 23),
        ("https://example.com.", 24),
        ("(https://example.com/a)", 25),
        ("https://example.comの", 25),
        ("one https://a.example two https://b.example", 4 + 23 + 5 + 23),
        ("t.co", 23),
        ("a" * 30 + ".com", 34),
        ("3.14, e.g. 1.5", 14),
        ("https://localhost", 17),
    ],
)
def test_a_text_weighs_what_x_counts(text: str, weighs: int) -> None:
    assert measure(text, "weighted") == weighs


@settings(max_examples=300)
@given(text=TEXTS, limit=st.integers(LEAST, 90))
@example(text="https://a.example/b.e\u0301" + "x" * 60, limit=46)
@example(text="word " * 9 + "a.bc-" + "x" * 60, limit=50)
def test_every_piece_fits_and_only_white_space_is_lost(text: str, limit: int) -> None:
    pieces = split(text, limit, "weighted")
    assert all(weight(piece) <= limit for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_a_link_is_whole_in_one_piece() -> None:
    link = "https://shop.example.com/" + "/".join(["orders"] * 40)
    pieces = split(f"{'ខ្ញុំចង់ទិញ ' * 20}{link} {'ទំនិញ ' * 60}", 280, "weighted")
    assert len(pieces) > 2
    assert [link in piece for piece in pieces].count(True) == 1


def test_a_limit_that_holds_no_link_is_refused() -> None:
    with pytest.raises(ValueError, match="45 weighted"):
        split("x" * 90, LEAST - 1, "weighted")
