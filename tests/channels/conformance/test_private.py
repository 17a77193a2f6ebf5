"""What somebody writes in private is answered in private: nothing that goes back to them can be read by everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from services.cli.wire import parse_http
from shared.contract.channel import Asked, Http, Message, Piece
from shared.contract.envelope import PUBLIC, Text
from shared.contract.errors import Refusal, SendFailed
from tests.channels.conformance.bench import SENDERS, WEBHOOKS, Bench, bench
from tests.channels.conformance.exchanges import KINDS, Provider

Shape = tuple[str, str]


def shape(request: Asked, piece: Piece) -> Shape:
    """Where it goes, whatever the names in it: of people, posts, comments and accounts."""
    url = request.url if isinstance(request, Http) else f"smtp://{request.host}"
    names = {name for name in (piece.to, piece.thread_key, piece.reply_to) if name}
    path = [
        "*" if part in names or re.search(r"\d{4}", part) else part for part in urlsplit(url).path.split("/") if part
    ]
    return request.method, "/".join(path)


@cache
def samples(name: str) -> tuple[tuple[Piece, dict[str, Any]], ...]:
    """What goes out by the samples and is sent, with each of them."""
    told = [orjson.loads(path.read_bytes()) for path in sorted(bench(name).folder.glob("*.out.json"))]
    return tuple((Piece.model_validate(one["piece"]), one) for one in told if "sent" in one)


def public_ones(name: str) -> list[tuple[Piece, dict[str, Any]]]:
    return [(piece, one) for piece, one in samples(name) if piece.surface in PUBLIC and piece.way != "private"]


def asked(name: str, sample: dict[str, Any]) -> list[Asked]:
    provider = Provider(sample["exchange"])
    on = bench(name)
    steps = KINDS["outbound"].began(on, sample)
    request = next(steps)
    with pytest.raises(StopIteration):
        while True:
            request = steps.send(provider(request))
    return provider.asked


def public_shapes(name: str) -> set[Shape]:
    """Where what everybody can read goes to, by the samples."""
    return {shape(asked(name, one)[-1], piece) for piece, one in public_ones(name)}


SPEAKING_IN_PUBLIC = [name for name in SENDERS if public_ones(name)]
BOTH = [name for name in SPEAKING_IN_PUBLIC if bench(name).channel.capabilities.private_reply]


def first_request(on: Bench, account: Any, piece: Piece) -> Asked | None:
    """None: it is refused."""
    try:
        return next(on.channel.outbound(account, piece, on.context))
    except (SendFailed, Refusal):
        return None


def written(name: str) -> Iterator[Message]:
    paths: list[Path] = sorted(bench(name).folder.glob("*.in.http")) if name in WEBHOOKS else []
    for path in paths:
        yield from (one for one in bench(name).read(parse_http(path.read_bytes())) if isinstance(one, Message))


@pytest.mark.parametrize("name", WEBHOOKS)
def test_what_everybody_can_read_is_of_a_container_that_no_private_chat_is_called_by(name):
    """So the router can mix up neither: who writes without a container only enters conversations that have none."""
    public = {one.peer for one in written(name) if one.surface in PUBLIC}
    assert all(one.container == one.peer for one in written(name) if one.surface in PUBLIC)
    assert public.isdisjoint({one.peer for one in written(name) if one.surface not in PUBLIC})


@pytest.mark.parametrize("name", BOTH)
def test_an_answer_to_a_private_message_goes_to_no_public_place(name):
    on, public = bench(name), public_shapes(name)
    private = [one for one in written(name) if one.surface not in PUBLIC and not one.echo]
    assert public
    assert private
    for one in private:
        piece = Piece(
            id="p/0", to=one.peer, part=Text(text="for you alone"), surface=one.surface,
            thread_key=one.thread.thread_key, reply_to=one.external_id,
        )  # fmt: skip
        request = first_request(on, on.account, piece)
        assert request is None or shape(request, piece) not in public


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("change", [{"way": "private"}, {"surface": "direct"}, {"surface": "story_reply"}], ids=str)
def test_a_private_answer_is_none_in_public_whatever_names_it_carries(name, change):
    on = bench(name)
    for piece, sample in public_ones(name):
        apart = piece.model_copy(update=change)
        request = first_request(on, on.account_of(sample), apart)
        assert request is None or shape(request, apart) not in public_shapes(name)


def test_those_that_speak_both_ways_are_among_them():
    assert {"facebook", "instagram"} <= {*BOTH}
