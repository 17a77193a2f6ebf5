"""Small inputs of strangers, each the smallest that once was read wrongly: what is right of each, by its id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from shared.contract.channel import Message, Receipt, Request
from shared.contract.envelope import Choices, Deletion, Edit, Media, Notice, Reaction, Text, Unsupported
from tests.channels.conformance.bench import bench

CASES: Final = Path(__file__).parents[3] / "shared" / "cases"
Right = Callable[[Any], bool]


def read(channel: str) -> dict[str, Any]:
    """By its id what a case comes to: the one record that each of them is, or a tuple where it is several."""
    path = CASES / f"{channel}.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is not here: these inputs are kept beside the project")
    cases = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    found = {one["id"]: bench(channel).read_each(Request(body=orjson.dumps(one["body"]))) for one in cases}
    return {name: records[0] if len(records) == 1 else records for name, records in found.items()}


def part(record: Message) -> Any:
    return record.parts[0]


def is_notice(kind: str) -> Right:
    """Nobody's message: no conversation opens by it, and no bot answers it."""
    return lambda record: isinstance(part(record), Notice) and len(record.parts) == 1 and part(record).type == kind


def says(words: str) -> Right:
    return lambda record: any(isinstance(one, Text) and one.text == words for one in record.parts)


def is_place(name: str, person: str) -> Right:
    """A conversation of that person alone, beside their private chat."""
    return lambda record: (
        (record.peer, record.container, record.surface, record.sender.address) == (name, name, "direct", person)
    )


def both(*rights: Right) -> Right:
    return lambda record: all(right(record) for right in rights)


RIGHT: Final[dict[str, dict[str, Right]]] = {
    "telegram": {
        "ephemeral_first": both(
            says("/order 1"),
            lambda record: record.peer == "-100500:ephemeral:701" and record.external_id == "-100500:ephemeral:701:51",
        ),
        "ephemeral_second": both(
            says("/order 2"),
            lambda record: record.peer == "-100500:ephemeral:702" and record.external_id == "-100500:ephemeral:702:52",
        ),
        "channel_direct_a": is_place("-100600:direct:701", "701"),
        "channel_direct_b": is_place("-100600:direct:702", "702"),
        "blocked": both(is_notice("blocked"), lambda record: record.sender.address == "701"),
        "joined": is_notice("joined"),
        "pinned": is_notice("pinned"),
        "migrate_to": both(is_notice("moved"), lambda record: (record.peer, part(record).to) == ("-500", "-100501")),
        "migrate_from": both(is_notice("moved"), lambda record: (record.peer, part(record).to) == ("-500", "-100501")),
        "forwarded": both(
            says("I will pay tomorrow"),
            lambda record: record.context.forwarded and record.context.forwarded_from.name == "Boss",
        ),
        "external_reply": both(
            says("how much is this?"),
            lambda record: (record.context.quoted.text, record.context.quoted.container) == ("Red bag 12$", "-1009"),
        ),
        "album_first": lambda record: (record.context.group, part(record).caption) == ("g1", "all broken"),
        "album_second": lambda record: isinstance(part(record), Media) and record.context.group == "g1",
        "edit_of_unknown": lambda record: (
            isinstance(part(record), Edit) and says("I changed an old message: call me at 5")(record)
        ),
        "two_reactions": lambda records: (
            {part(one).emoji for one in records} == {"👍", "🔥"}
            and len({one.event_key for one in records}) == 2
            and not any(part(one).replaces for one in records)
        ),
    },
    "whatsapp": {
        "first": both(
            says("my password is 1234"),
            lambda record: (record.external_id, record.sender.aliases) == ("wamid.1", ("85512000111",)),
        ),
        "revoked_under_other_name": lambda record: (
            part(record) == Deletion(target="wamid.1") and record.sender.address == "KH.1349"
        ),
        "reacted_under_other_name": lambda record: (
            part(record) == Reaction(target="wamid.1", emoji="❤", replaces=True) and record.sender.address == "KH.1349"
        ),
        "interactive_empty": lambda record: isinstance(part(record), Unsupported) and record.peer == "KH.1349",
        "order_without_price": lambda record: (
            "SKU7" in orjson.dumps([one.model_dump() for one in record.parts]).decode()
            and "fast please" in orjson.dumps([one.model_dump() for one in record.parts]).decode()
        ),
        "forwarded": both(says("win a car"), lambda record: record.context.forwarded),
        "from_an_advertisement": lambda record: (
            (
                record.context.referral.source,
                record.context.referral.id,
                record.context.referral.title,
                record.context.referral.click_id,
            )
            == ("ad", "66", "Red bag", "clid1")
        ),
        "address": says("Dara, #5 St 1, Phnom Penh"),
        "another_responder_has_it": both(says("hello?"), lambda record: bool(record.responder)),
        "parent_user_id": lambda record: (
            (record.sender.address, record.sender.aliases, record.sender.username)
            == ("KH.1349", ("KH.ENT.999",), "@dara")
        ),
        "status_with_price": lambda record: (
            isinstance(record, Receipt) and (record.cost.category, record.cost.billable) == ("service", True)
        ),
    },
    "facebook": {
        "echo_of_button_template": lambda record: (
            record.echo
            and part(record).text == "Which size?"
            and isinstance(part(record), Choices)
            and [(one.id, one.title) for one in part(record).options] == [("S", "Small")]
        ),
        "location_without_place": both(
            says("I am here"), lambda record: any(isinstance(one, Unsupported) for one in record.parts)
        ),
        "from_an_advertisement": lambda record: (
            (record.context.referral.id, record.context.referral.title) == ("66", "Red bag")
        ),
        "postback_with_ref": lambda record: record.context.referral.ref == "spring",
        "thread_given_away": both(is_notice("responder"), lambda record: part(record).to == "123"),
    },
}


@pytest.mark.parametrize(("channel", "case"), [(channel, case) for channel, cases in RIGHT.items() for case in cases])
def test_a_case_is_read_rightly(channel: str, case: str) -> None:
    record = read(channel)[case]
    assert RIGHT[channel][case](record), record


@pytest.mark.parametrize("channel", RIGHT)
def test_every_case_is_told_apart_and_has_its_row(channel: str) -> None:
    found = read(channel)
    assert found.keys() == RIGHT[channel].keys()
    flat: Sequence[Any] = [
        one for records in found.values() for one in (records if isinstance(records, tuple) else (records,))
    ]
    keys = [one.event_key for one in flat if isinstance(one, Message)]
    told_twice = [found[name].event_key for name in ("migrate_to", "migrate_from") if name in found]
    assert len(set(told_twice)) <= 1
    assert len(keys) == len(set(keys)) + bool(told_twice)
