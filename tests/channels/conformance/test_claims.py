"""What a channel claims to show, it sends whole, at the limits that its provider documents; the same piece however often."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import orjson
import pytest
from pydantic import TypeAdapter

from shared.contract.channel import Capabilities, Context, Handle, Http, Piece, Refusal, SendFailed
from shared.contract.envelope import Choices, Contact, Location, Media, MediaKind, Option, Part, Template, Text
from shared.contract.fit import fit
from shared.contract.text import measure
from tests.channels.conformance.bench import CHANNELS, SENDERS, bench, plain, samples
from tests.channels.conformance.exchanges import said

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
    request = next(on.channel.outbound(on.account, piece, on.context))
    if request.commits:
        whole = "\n".join(said(request))
        assert not [word for word in words(part) if word not in whole], "not all of it is sent"


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, field) for name in SENDERS for field in FULL if getattr(CHANNELS[name].capabilities, field) != "full"],
)
def test_what_a_channel_does_not_claim_is_unsupported_where_it_comes_all_the_same(name, field):
    on = bench(name)
    try:
        next(on.channel.outbound(on.account, Piece(id="p/0", to=on.to, part=FULL[field]), on.context))
    except (Refusal, SendFailed) as no:
        assert no.reason == "unsupported"


@pytest.mark.parametrize("name", [name for name in SENDERS if CHANNELS[name].capabilities.media.get("file") == "full"])
def test_whoever_takes_any_file_takes_every_kind_of_media_as_one_at_least(name):
    assert CHANNELS[name].capabilities.media.keys() == {*get_args(MediaKind)}


def words(part: Part) -> list[str]:
    """What must be found in the request that sends this part."""
    match part:
        case Text(text=text):
            return [text]
        case Choices(text=text, options=options):
            return [text, *(one.title for one in options), *(one.id for one in options)]
        case Location(latitude=latitude, longitude=longitude):
            return [str(latitude), str(longitude)]
        case Contact(name=name, phones=phones):
            return [name or "", *phones]
        case Template(name=name, parameters=parameters):
            return [name, *parameters]
        case Media(caption=caption):
            return [caption or ""]
    raise AssertionError(part)


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


@pytest.mark.parametrize("name", [name for name in SENDERS if CHANNELS[name].capabilities.idempotent_for])
def test_a_piece_has_a_key_of_its_own_that_neither_time_nor_chance_changes(name):
    """By which the provider knows it again: something in the request is the same at another time, and another piece has another."""
    on = bench(name)
    later = replace(on.context, now=on.context.now + timedelta(minutes=7), nonce="fedcba9876543210")

    def request(piece: str, context: Context) -> set[str]:
        part = Text(text="hi")
        return said(next(on.channel.outbound(on.account, Piece(id=piece, to=on.to, part=part), context)))

    assert (request("p/0", on.context) & request("p/0", later)) - request("p/1", on.context)


ANSWERS = [one for one in samples(SENDERS, ".out.json") if b'"reply_to"' in one.values[1].read_bytes()]


@pytest.mark.parametrize(("name", "path"), ANSWERS)
def test_a_message_that_is_sent_otherwise_as_an_answer_is_claimed_to_be_one(name, path):
    """Or nobody's answer would ever be shown as one: only who claims it is told what is answered."""
    on, sample = bench(name), orjson.loads(path.read_bytes())
    piece = Piece.model_validate(sample["piece"])

    def begun(piece: Piece) -> object:
        try:
            return next(on.channel.outbound(on.account_of(sample), piece, on.context))
        except (Refusal, SendFailed) as no:
            return no.reason

    if begun(piece) != begun(piece.model_copy(update={"reply_to": None})):
        assert on.channel.capabilities.shown(piece.surface, piece.way).reply_to


LIMITS = [
    "text",
    "unit",
    "caption",
    "media_bytes",
    "question",
    "options",
    "option_title",
    "option_title_unit",
    "option_id",
    "option_id_unit",
    "linked",
    "link_text",
    "attachments",
    "album",
    "starts",
    "pieces",
    "per_second",
    "per_peer_second",
    "idempotent_for",
]


def limits(able: Capabilities, within: str = "") -> dict[str, object]:
    """What the channel says of itself in numbers and units, as JSON."""
    own = {
        f"{within}{field}": plain(able.model_dump(mode="json")[field])
        for field in LIMITS
        if field in able.model_fields_set
    }
    return own | (limits(able.comment, "comment.") if able.comment else {})


@pytest.mark.parametrize("name", SENDERS)
def test_every_limit_is_what_the_provider_documents(name):
    """limits.json: {limit: [value, the page that says it]}, written from that page and not from the channel."""
    file = bench(name).folder / "limits.json"
    assert file.exists(), (
        f"write tests/channels/{name}/limits.json: {{limit: [value, page]}} for {limits(CHANNELS[name].capabilities)}"
    )
    told = orjson.loads(file.read_bytes())
    assert {limit: value for limit, (value, _) in told.items()} == limits(CHANNELS[name].capabilities)
    assert all(page.startswith("https://") or " " in page for _, page in told.values()), "a page, or why none says it"


def test_the_parts_of_a_claim_are_all_that_can_be_claimed():
    media = {media for name in SENDERS for media in CHANNELS[name].capabilities.media}
    assert media <= set(get_args(MediaKind))
    assert all(TypeAdapter(Part).validate_python(part.model_dump()) == part for part in FULL.values())
