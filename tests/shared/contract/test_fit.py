"""A message goes out in pieces that the channel can show, or is refused early with a typed reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from shared.contract.channel import Capabilities
from shared.contract.envelope import (
    Call,
    Choice,
    Choices,
    Contact,
    Deletion,
    Edit,
    Location,
    Media,
    Option,
    Part,
    Reaction,
    Template,
    Text,
    Unsupported,
)
from shared.contract.errors import Refusal
from shared.contract.fit import CUT, Fitted, fit
from shared.contract.text import Unit, measure

PLAIN = Capabilities(text=40)
RICH = Capabilities(
    text=40,
    caption=10,
    media={"image": "full", "file": "full", "sticker": "degraded"},
    media_bytes=1000,
    choices="full",
    options=3,
    option_title=8,
    location="full",
    contact="full",
    template="full",
    pieces=3,
)
IMAGE = Media(media="image", blob="b1", size=10)
TEMPLATE = Template(name="hello", language="km")
YES_NO = Choices(text="Really?", options=(Option(id="y", title="Yes"), Option(id="n", title="No")))


@pytest.mark.parametrize(
    ("option", "limit", "unit", "fits"),
    [
        (Option(id="a" * 64, title="A"), 64, "bytes", True),
        (Option(id="a" * 65, title="A"), 64, "bytes", False),
        (Option(id="ខ" * 22, title="A"), 64, "bytes", False),
        (Option(id="ខ" * 64, title="A"), 64, "code_points", True),
        (Option(id="ខ" * 64, title="A"), None, "bytes", True),
        (Option(id="a" * 65, title="A", url="https://a.example"), 64, "bytes", True),
        (Option(id="a" * 65, title="too long to press"), 64, "bytes", True),
    ],
)
def test_the_id_of_what_is_pressed_is_measured_in_the_channels_own_unit(
    option: Option, limit: int | None, unit: Unit, fits: bool
) -> None:
    able = RICH.model_copy(update={"option_id": limit, "option_id_unit": unit, "text": 200})
    asked = Choices(text="Which?", options=(option,))
    if fits:
        assert fit([asked], able).pieces
    else:
        assert refused(asked, able).reason == "too_long"


@pytest.mark.parametrize("unit", [None, "code_points"])
def test_a_title_is_measured_in_a_unit_of_its_own(unit: Unit | None) -> None:
    asked = Choices(text="?", options=(Option(id="a", title="បាទ"),))
    able = RICH.model_copy(update={"unit": "bytes", "option_title_unit": unit})
    assert isinstance(fit([asked], able).pieces[0], Choices if unit else Text)


@pytest.mark.parametrize(
    ("words", "url", "pressed"),
    [
        ("Which one do you want?", None, True),
        ("Which one do you want, now?", None, False),
        ("Where?", "https://a.example", False),
    ],
)
def test_a_question_longer_than_fits_above_options_and_one_with_links_go_as_a_list(
    words: str, url: str | None, *, pressed: bool
) -> None:
    asked = Choices(text=words, options=(Option(id="a", title="A"), Option(id="b", title="B", url=url)))
    (shown,) = fit([asked], RICH.model_copy(update={"question": 22})).pieces
    assert shown == asked if pressed else isinstance(shown, Text) and shown.text.startswith(words)


def texts(fitted: Fitted) -> list[str]:
    return [piece.text for piece in fitted.pieces if isinstance(piece, Text)]


def refused(part: Part, capabilities: Capabilities) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        fit([part], capabilities)
    assert refusal.value.detail
    return refusal.value


@pytest.mark.parametrize(
    "part",
    [
        Text(text="hello", html="<b>hello</b>"),
        IMAGE.model_copy(update={"caption": "a cup"}),
        YES_NO,
        Location(latitude=11.5564, longitude=104.9282),
        Contact(name="Sok", phones=("+85512345678",)),
        TEMPLATE,
    ],
    ids=lambda part: part.kind,
)
def test_what_fits_is_untouched_and_needs_no_note(part):
    assert fit([part], RICH) == Fitted((part,))


def test_parts_keep_their_order():
    assert [piece.kind for piece in fit([IMAGE, Text(text="hi"), YES_NO], RICH).pieces] == ["media", "text", "choices"]


def test_a_long_text_is_split_and_said_so():
    fitted = fit([Text(text="word " * 20)], RICH)
    assert " ".join(texts(fitted)).split() == ["word"] * 20
    assert len(fitted.pieces) == 3
    assert fitted.notes == ("The text is split into 3 pieces.",)


def test_more_pieces_than_allowed_are_refused_with_the_number():
    refusal = refused(Text(text="word " * 40), RICH)
    assert refusal.reason == "too_long"
    assert "5 pieces" in refusal.detail


def test_a_caption_that_does_not_fit_follows_as_text():
    fitted = fit([IMAGE.model_copy(update={"caption": "a cup of coffee"})], RICH)
    assert fitted.pieces == (IMAGE, Text(text="a cup of coffee"))
    assert fitted.notes


def test_a_kind_that_is_degraded_goes_as_a_file():
    assert fit([IMAGE.model_copy(update={"media": "sticker"})], RICH).pieces == (
        IMAGE.model_copy(update={"media": "file"}),
    )


def test_choices_degrade_to_a_numbered_list():
    fitted = fit([YES_NO], PLAIN)
    assert texts(fitted) == ["Really?\n\n1. Yes\n2. No"]
    assert fitted.notes


@pytest.mark.parametrize("options", [[("a", "A long title"), ("b", "B")], [(letter, letter) for letter in "abcd"]])
def test_choices_beyond_the_limits_degrade(options):
    choices = Choices(text="Which?", options=tuple(Option(id=key, title=title) for key, title in options))
    lines = texts(fit([choices], RICH))[0].splitlines()
    assert lines[2:] == [f"{number}. {title}" for number, (_, title) in enumerate(options, 1)]


def test_a_long_question_is_split_and_its_last_piece_carries_the_choices():
    fitted = fit([YES_NO.model_copy(update={"text": "Tell us please. " * 4 + "Really?"})], RICH)
    assert [piece.kind for piece in fitted.pieces] == ["text", "choices"]
    assert fitted.pieces[-1].options == YES_NO.options


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (
            Location(latitude=11.5564, longitude=-0.0, name="Wat Phnom"),
            "Wat Phnom\ngeo:11.5564,0",
        ),
        (Location(latitude=1e-7, longitude=104.00000049), "geo:0,104"),
        (Contact(name="Sok", phones=("+855 12",), emails=("s@example.com",)), "Sok\n+855 12\ns@example.com"),
    ],
)
def test_places_and_people_degrade_to_words(part, words):
    assert texts(fit([part], PLAIN)) == [words]


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (Text(text=" \n"), "malformed"),
        (YES_NO.model_copy(update={"text": ""}), "malformed"),
        (Media(media="image"), "malformed"),
        (IMAGE.model_copy(update={"state": "unavailable"}), "malformed"),
        (IMAGE.model_copy(update={"size": 1001}), "too_long"),
        (IMAGE.model_copy(update={"media": "video"}), "unsupported"),
        (Reaction(target="1", emoji="👍"), "unsupported"),
        (Choice(id="y"), "unsupported"),
        (Edit(target="1"), "unsupported"),
        (Deletion(target="1"), "unsupported"),
        (Call(outcome="missed"), "unsupported"),
        (Unsupported(type="poll"), "unsupported"),
    ],
    ids=lambda value: getattr(value, "kind", value),
)
def test_what_cannot_be_sent_is_refused_with_its_reason(part, code):
    assert refused(part, RICH).reason == code


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (YES_NO, "choices"),
        (Location(latitude=0, longitude=0), "location"),
        (Contact(name="Sok"), "contact"),
        (TEMPLATE, "template"),
    ],
)
def test_what_the_channel_refuses_is_refused_early(part, field):
    assert refused(part, RICH.model_copy(update={field: "refused"})).reason == "unsupported"


def test_an_empty_message_is_refused():
    with pytest.raises(Refusal) as refusal:
        fit([], RICH)
    assert refusal.value.reason == "malformed"


PARTS = st.one_of(
    st.builds(Text, text=st.text(max_size=300)),
    st.builds(Media, media=st.sampled_from(["image", "sticker"]), blob=st.just("b"), caption=st.none() | st.text()),
    st.builds(
        Choices,
        text=st.text(max_size=60),
        options=st.lists(st.builds(Option, id=st.just("x"), title=st.text(max_size=12)), min_size=1).map(tuple),
    ),
    st.builds(Location, latitude=st.floats(-90, 90), longitude=st.floats(-180, 180), name=st.none() | st.text()),
    st.builds(Contact, name=st.text(), phones=st.lists(st.text()).map(tuple)),
)


@settings(max_examples=200)
@given(
    parts=st.lists(PARTS, max_size=4),
    unit=st.sampled_from(["code_points", "utf16", "bytes", "graphemes"]),
    rich=st.booleans(),
)
def test_whatever_is_asked_every_piece_is_within_the_limits_or_a_refusal_says_why(parts, unit, rich):
    capabilities = (RICH if rich else PLAIN).model_copy(update={"unit": unit})
    try:
        fitted = fit(parts, capabilities)
    except Refusal as refusal:
        assert refusal.reason in {"malformed", "too_long", "unsupported"}
        return
    assert 1 <= len(fitted.pieces) <= capabilities.pieces
    for piece in fitted.pieces:
        assert measure(getattr(piece, "text", ""), unit) <= capabilities.text
        assert measure(getattr(piece, "caption", None) or "", unit) <= capabilities.caption


LINK = Option(id="", title="Map", url="https://example.org/map")
LINKED = RICH.model_copy(update={"linked": 1, "link_text": 10, "text": 60})


def test_a_question_with_a_link_is_measured_as_it_will_stand_beside_it() -> None:
    (first, *_, last) = fit([Choices(text="Do you know the way?", options=(LINK,))], LINKED).pieces
    assert isinstance(first, Text)
    assert isinstance(last, Choices)
    assert measure(last.text, "code_points") <= 10


def test_links_that_no_button_can_show_stand_in_the_words_and_are_measured_with_them() -> None:
    (*before, last) = fit([Choices(text="w" * 50, options=(LINK, *YES_NO.options))], LINKED).pieces
    assert isinstance(last, Choices)
    assert [option.id for option in last.options] == ["y", "n"]
    said = [piece.text for piece in (*before, last) if isinstance(piece, Text | Choices)]
    assert all(measure(text, "code_points") <= 60 for text in said)
    assert "https://example.org/map" in " ".join(said)


@pytest.mark.parametrize("ids", [("a", "a"), ("", "b"), (" ", "b")])
def test_what_is_pressed_needs_an_id_of_its_own(ids: tuple[str, str]) -> None:
    question = Choices(text="?", options=tuple(Option(id=name, title="t") for name in ids))
    assert refused(question, RICH).reason == "malformed"
    assert refused(question, PLAIN).reason == "malformed"


def test_a_text_that_would_take_long_to_cut_is_refused_before_anybody_looks_for_places(monkeypatch):
    from shared.contract import fit as fitting

    monkeypatch.setattr(fitting, "split", lambda *_: pytest.fail("it was looked through"))
    for text in ("\n" * CUT + "xy", "word " * CUT, "e\u0301" * CUT):
        assert refused(Text(text=text), RICH).reason == "too_long"


def test_options_beyond_all_measure_are_checked_in_a_moment():
    """In the square of them it would take minutes."""
    options = tuple(Option(id=str(number), title="x") for number in range(40_000))
    assert refused(Choices(text="?", options=(*options, options[0])), RICH).reason == "malformed"
