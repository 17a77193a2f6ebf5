"""What a channel claims to show, it sends whole, at the limits that its provider documents; the same piece however often."""

from __future__ import annotations

from typing import get_args

import pytest
from pydantic import TypeAdapter

from shared.contract.channel import Capabilities, Handle, Http, Piece, Refusal, Smtp
from shared.contract.envelope import Choices, Contact, Location, Media, MediaKind, Option, Part, Template, Text
from shared.contract.fit import fit
from shared.contract.text import measure
from tests.channels.conformance.bench import CHANNELS, SENDERS, bench

OPTION = Option(id="a", title="A")
FULL: dict[str, Part] = {
    "choices": Choices(text="Which?", options=(OPTION,)),
    "location": Location(latitude=11.5564, longitude=104.9282, name="Wat Phnom", address="Phnom Penh"),
    "contact": Contact(name="Sok Dara", phones=("+85512345678",), emails=("sok@example.com",)),
    "template": Template(name="hello", language="km", parameters=("Sok",)),
}


def longest_id(able: Capabilities, name: str) -> str:
    """An option's id that the channel still takes, in letters that count most."""
    letter = "ខ" if able.option_id_unit == "bytes" else "i"
    room = (able.option_id or 998) - measure(name, able.option_id_unit)
    return name + letter * (room // measure(letter, able.option_id_unit))


def claimed(name: str) -> list[Part]:
    """A part of every kind that the channel claims to show in full, at its limits."""
    able = CHANNELS[name].capabilities
    options = tuple(
        Option(id=longest_id(able, str(number)), title="t" * able.option_title) for number in range(able.options)
    )
    parts = [part for field, part in FULL.items() if getattr(able, field) == "full"]
    parts += [Choices(text="Which?", options=options)] if able.choices == "full" else []
    parts += [
        Media(media=media, state="stored", blob="b/1", mime_type="application/x-test", size=able.media_bytes, name="n", caption="c" * able.caption)
        for media, level in able.media.items()
        if level == "full"
    ]  # fmt: skip
    return [Text(text="x" * able.text), *parts]


@pytest.mark.parametrize(
    ("name", "part"), [pytest.param(name, part, id=f"{name}-{part.kind}") for name in SENDERS for part in claimed(name)]
)
def test_what_a_channel_claims_to_show_in_full_it_renders(name, part):
    on = bench(name)
    assert fit([part], on.channel.capabilities).pieces == (part,)
    handle = None
    if on.channel.upload and isinstance(part, Media):
        assert isinstance(next(on.channel.upload(on.account, part, on.context)), Http)
        handle = Handle(value="H1").value
    piece = Piece(id="p/0", to=on.to, part=part, reply_to="12345:1", handle=handle)
    assert isinstance(next(on.channel.outbound(on.account, piece, on.context)), Http | Smtp)


@pytest.mark.parametrize("name", [name for name in SENDERS if CHANNELS[name].capabilities.option_id])
def test_an_option_whose_id_cannot_come_back_is_refused_before_anything_is_sent(name):
    able = CHANNELS[name].capabilities
    long = Option(id=longest_id(able, "1") + "ខ", title="t")
    with pytest.raises(Refusal) as refused:
        fit([Choices(text="Which?", options=(OPTION, long))], able)
    assert (refused.value.reason, str(able.option_id) in refused.value.detail) == ("too_long", True)
    fit([Choices(text="Which?", options=(long.model_copy(update={"url": "https://a.example"}),))], able)


@pytest.mark.parametrize("name", SENDERS)
def test_the_same_piece_is_the_same_request_however_often(name):
    on, piece = bench(name), Piece(id="p/0", to=bench(name).to, part=Text(text="hi"))
    first, again = (next(on.channel.outbound(on.account, piece, on.context)) for _ in range(2))
    assert first == again


def test_the_parts_of_a_claim_are_all_that_can_be_claimed():
    media = {media for name in SENDERS for media in CHANNELS[name].capabilities.media}
    assert media <= set(get_args(MediaKind))
    assert all(TypeAdapter(Part).validate_python(part.model_dump()) == part for part in FULL.values())
