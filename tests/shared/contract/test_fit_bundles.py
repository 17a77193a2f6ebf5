"""Where one send carries files beside its text, what belongs together goes together."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from shared.contract.channel import Capabilities
from shared.contract.envelope import Choices, Location, Media, Option, Part, Text
from shared.contract.fit import Bundle, fit

MAIL = Capabilities(text=40, media={"image": "full", "file": "full"}, media_bytes=1000, attachments=2, caption=0)
HELLO, BYE = Text(text="hello"), Text(text="bye")
PICTURE, BILL, LIST = (Media(media="image", blob=f"b{n}", size=300) for n in range(3))
QUESTION = Choices(text="Really?", options=(Option(id="y", title="Yes"),))


@pytest.mark.parametrize(
    ("parts", "pieces"),
    [
        ([HELLO], [HELLO]),
        ([PICTURE], [PICTURE]),
        ([HELLO, PICTURE], [Bundle(part=HELLO, files=(PICTURE,))]),
        ([PICTURE, HELLO], [Bundle(part=HELLO, files=(PICTURE,))]),
        ([PICTURE, BILL], [Bundle(part=PICTURE, files=(BILL,))]),
        ([HELLO, BYE], [Text(text="hello\n\nbye")]),
        ([HELLO, PICTURE, BYE, BILL], [Bundle(part=Text(text="hello\n\nbye"), files=(PICTURE, BILL))]),
        ([HELLO, PICTURE, BILL, LIST], [Bundle(part=HELLO, files=(PICTURE, BILL)), LIST]),
        ([HELLO, Text(text="x" * 38)], [HELLO, Text(text="x" * 38)]),
    ],
    ids=lambda parts: "-".join(part.kind for part in parts),
)
def test_what_one_send_can_carry_goes_in_one(parts: list[Part], pieces: list[Part | Bundle]) -> None:
    assert fit(parts, MAIL).pieces == tuple(pieces)


def test_a_text_of_its_own_form_stays_as_it_is() -> None:
    formatted = Text(text="hello", html="<b>hello</b>")
    assert fit([formatted, PICTURE], MAIL).pieces == (Bundle(part=formatted, files=(PICTURE,)),)


def test_a_caption_stands_in_the_text() -> None:
    shown = PICTURE.model_copy(update={"caption": "the lamp"})
    assert fit([HELLO, shown], MAIL).pieces == (Bundle(part=Text(text="hello\n\nthe lamp"), files=(PICTURE,)),)


def test_files_that_are_too_much_together_go_one_after_the_other() -> None:
    big = PICTURE.model_copy(update={"size": 800})
    assert fit([HELLO, big, BILL], MAIL).pieces == (Bundle(part=HELLO, files=(big,)), BILL)


def test_what_has_a_form_of_its_own_stands_alone() -> None:
    able = MAIL.model_copy(update={"choices": "full", "location": "full"})
    place = Location(latitude=11.5564, longitude=104.9282)
    assert fit([HELLO, QUESTION, place, PICTURE], able).pieces == (HELLO, QUESTION, place, PICTURE)


def test_a_channel_that_carries_no_files_beside_its_text_is_left_alone() -> None:
    able = MAIL.model_copy(update={"attachments": 0})
    assert fit([HELLO, BYE, PICTURE, BILL], able).pieces == (HELLO, BYE, PICTURE, BILL)


@given(st.lists(st.sampled_from([HELLO, BYE, PICTURE, BILL, LIST, QUESTION]), min_size=1, max_size=12))
def test_nothing_is_lost_and_every_send_is_within_the_limits(parts: list[Part]) -> None:
    pieces = fit(parts, MAIL).pieces
    files = [file for piece in pieces for file in _files(piece)]
    assert files == [part for part in parts if isinstance(part, Media)]
    words = " ".join(one.text for piece in pieces if isinstance(one := _head(piece), Text))
    asked = [part for part in parts if not isinstance(part, Media)]
    assert sum(words.count(word) for word in ("hello", "bye", "Really?")) == len(asked)
    for piece in pieces:
        assert len(_files(piece)) - isinstance(_head(piece), Media) <= 2
        assert sum(file.size or 0 for file in _files(piece)) <= 1000


def _head(piece: Part | Bundle) -> Part:
    return piece.part if isinstance(piece, Bundle) else piece


def _files(piece: Part | Bundle) -> list[Media]:
    beside = piece.files if isinstance(piece, Bundle) else ()
    return [one for one in (_head(piece), *beside) if isinstance(one, Media)]


ALBUM = MAIL.model_copy(
    update={"attachments": 0, "album": 2, "media_bytes": 300, "media": {"image": "full", "file": "full"}}
)
PAPER = Media(media="file", blob="b9", size=300)


@pytest.mark.parametrize(
    ("parts", "pieces"),
    [
        ([PICTURE, BILL], [Bundle(part=PICTURE, files=(BILL,))]),
        ([PICTURE, BILL, LIST], [Bundle(part=PICTURE, files=(BILL,)), LIST]),
        ([HELLO, PICTURE, BILL, BYE], [HELLO, Bundle(part=PICTURE, files=(BILL,)), BYE]),
        ([PICTURE, HELLO, BILL], [PICTURE, HELLO, BILL]),
        ([PICTURE, PAPER, BILL], [PICTURE, PAPER, BILL]),
    ],
    ids=lambda parts: "-".join(part.kind for part in parts),
)
def test_pictures_without_words_go_as_an_album(parts: list[Part], pieces: list[Part | Bundle]) -> None:
    assert fit(parts, ALBUM).pieces == tuple(pieces)
