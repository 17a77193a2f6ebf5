"""What may be sent when: the window of the last message, how a channel lets one begin, private answers."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.router.fold.facts import Facts
from shared.contract.channel import Capabilities
from shared.contract.envelope import Template, Text, Visibility, Window
from shared.contract.requests import Send
from tests.promises.house import Customer, House, as_read

LATER = datetime.now(UTC) + timedelta(days=1)
BEFORE = datetime.now(UTC) - timedelta(seconds=1)
POST = "page_post"
ABLE = Capabilities(text=100, template="full", private_reply=True, comment=Capabilities(text=300))


def outcome(facts: Facts) -> dict[str, Any]:
    """What became of the one request: the order to the adapter, or the failure."""
    told = {event.name: orjson.loads(event.value) for event in facts.emissions}
    return told["outbound"] if "outbound" in told else told["request.refused"]["failure"]


async def asked(house: House, customer: Customer, conversation: uuid.UUID, **more: Any) -> dict[str, Any]:
    house.allows(customer, ABLE)
    return outcome(await house.take(as_read(customer.reply(conversation).model_copy(update=more))))


async def begun(house: House, customer: Customer, starts: str, part: Any) -> dict[str, Any]:
    house.allows(customer, Capabilities(text=100, template="full", starts=starts))  # type: ignore[arg-type]
    send = Send(tenant=customer.tenant, channel="webhook", account="main", address=uuid.uuid4().hex, parts=(part,))
    return outcome(await house.take(as_read(send)))


TEMPLATE = Template(name="hello_again", language="km")
TEXT = Text(text="hello")


async def test_after_a_day_only_a_person_may_answer_who_says_so(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, customer.says(window=Window(until=BEFORE, human_agent_until=LATER)))
    refused = await asked(house, customer, conversation)
    assert refused["code"] == "window_closed"
    assert "name the author" in refused["detail"]
    named_program = await asked(house, customer, conversation, author="Bot", automatic=True)
    assert named_program["code"] == "window_closed"
    for person in ({"author": "Sokha"}, {"automatic": False}, {"author": "Sokha", "automatic": False}):
        assert (await asked(house, customer, conversation, **person))["way"] == "human_agent"


@pytest.mark.parametrize("late", [True, False])
async def test_a_message_that_comes_late_closes_no_window(house: House, late: bool) -> None:
    customer = Customer()
    now, before = customer.says(window=Window(until=LATER)), customer.says(minutes=-60, window=Window(until=BEFORE))
    first, second = (now, before) if late else (before, now)
    conversation = await house.opened(customer, first)
    await house.take(second)
    assert (await asked(house, customer, conversation))["way"] == "free_text"


async def test_after_a_week_no_person_may_either(house: House) -> None:
    customer = Customer()
    window = Window(until=BEFORE, human_agent_until=BEFORE)
    conversation = await house.opened(customer, customer.says(window=window))
    assert (await asked(house, customer, conversation, author="Sokha"))["code"] == "window_closed"


async def test_inside_the_window_nobody_needs_a_permission(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, customer.says(window=Window(until=LATER, human_agent_until=LATER)))
    assert (await asked(house, customer, conversation, author="Sokha"))["way"] == "free_text"
    assert (await asked(house, customer, conversation, parts=(TEMPLATE,)))["way"] == "template"


async def test_how_a_channel_lets_one_begin(house: House) -> None:
    customer = Customer()
    assert (await begun(house, customer, "free_text", TEXT))["way"] == "free_text"
    assert (await begun(house, customer, "template", TEXT))["code"] == "template_required"
    assert (await begun(house, customer, "template", TEMPLATE))["way"] == "template"
    assert (await begun(house, customer, "nothing", TEXT))["code"] == "window_closed"
    assert (await begun(house, customer, "nothing", TEMPLATE))["code"] == "window_closed"


async def test_a_comment_is_answered_in_public_or_in_private(house: House) -> None:
    customer = Customer(container=POST)
    comment = customer.says(name="c1", surface="comment", window=Window(private_until=LATER))
    conversation = await house.opened(customer, comment)
    public = await asked(house, customer, conversation, in_reply_to=comment.id)
    assert (public["surface"], public["way"], public["thread"]["reply_to"]) == ("comment", "free_text", "c1")
    assert (await asked(house, customer, conversation, private=True))["way"] == "private"


async def test_a_private_answer_goes_to_who_wrote_last_where_it_names_nobody(house: House) -> None:
    customer = Customer(container=POST)
    window, thread = Window(private_until=LATER), {"thread_key": "c1"}
    first = customer.says(name="c1", surface="comment", window=window, thread=thread)
    conversation = await house.opened(customer, first)
    await house.take(customer.says(name="c2", surface="comment", window=window, thread=thread))
    assert (await asked(house, customer, conversation, private=True))["thread"]["reply_to"] == "c2"
    named = await asked(house, customer, conversation, private=True, in_reply_to=first.id)
    assert named["thread"]["reply_to"] == "c1"
    assert "reply_to" not in (await asked(house, customer, conversation))["thread"], (
        "in public it stands under the first comment"
    )


async def test_in_public_and_in_private_there_is_room_for_different_lengths(house: House) -> None:
    customer = Customer(container=POST)
    conversation = await house.opened(customer, customer.says(surface="comment"))
    long = {"parts": (Text(text="word " * 500),)}
    house.allows(customer, ABLE)
    assert "way" in await asked(house, customer, conversation, **long), "nine pieces of 300"
    refused = await asked(house, customer, conversation, private=True, **long)
    assert refused["code"] == "too_long", "it is one message or none"


async def test_a_private_answer_has_its_own_end(house: House) -> None:
    customer = Customer(container=POST)
    conversation = await house.opened(customer, customer.says(surface="comment", window=Window(private_until=BEFORE)))
    assert (await asked(house, customer, conversation, private=True))["code"] == "window_closed"
    assert (await asked(house, customer, conversation))["way"] == "free_text"


async def test_only_comments_are_answered_in_private(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    assert (await asked(house, customer, conversation, private=True))["code"] == "unsupported"


async def test_a_comment_that_is_hidden_is_shown_as_such(house: House) -> None:
    customer = Customer(container=POST)
    conversation = await house.opened(customer, customer.says(name="c1", surface="comment"))
    hidden = customer.echo("hide c1").model_copy(update={"parts": (Visibility(target="c1", hidden=True),)})
    await house.take(hidden)
    *_, last = await house.story(conversation)
    assert (last["type"], last["external_id"], last["hidden"]) == ("message.visibility", "c1", True)


async def test_what_nobody_wrote_neither_opens_a_window_nor_closes_one(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, customer.says(window=Window(until=BEFORE)))
    await house.take(customer.says("Dara has another number", minutes=1, window=None))
    assert (await asked(house, customer, conversation))["code"] == "window_closed"
    await house.take(customer.says(window=Window(until=LATER)))
    await house.take(customer.says("Dara has another number", minutes=2, window=None))
    assert (await asked(house, customer, conversation))["way"] == "free_text"


@pytest.mark.parametrize(
    ("starts", "allows"), [("free_text", ["free_text"]), ("template", ["template"]), ("nothing", [])]
)
async def test_who_has_not_written_may_be_sent_what_the_channel_lets_one_begin_with(
    house: House, starts: Any, allows: list[str]
) -> None:
    customer = Customer()
    house.allows(customer, Capabilities(text=100, template="full", starts=starts))
    conversation = await house.opened(customer, customer.says("Dara has another number", window=None))
    opened, _ = await house.story(conversation)
    assert opened["window"]["allows"] == allows
    refused = outcome(await house.take(as_read(customer.reply(conversation))))
    assert (
        refused.get("code") == {"free_text": None, "template": "template_required", "nothing": "window_closed"}[starts]
    )
    await house.take(customer.says(window=Window(until=LATER)))
    assert outcome(await house.take(as_read(customer.reply(conversation))))["way"] == "free_text"


async def test_a_conversation_that_a_template_began_says_that_only_templates_follow(house: House) -> None:
    customer = Customer()
    assert (await begun(house, customer, "template", TEMPLATE))["way"] == "template"
    (conversation,) = await house.conversations(customer)
    window = await house.pool.fetchval('SELECT "window" FROM conversation WHERE id = $1', conversation)
    assert window == {"allows": ["template"]}
    opened, _ = await house.story(conversation)
    assert opened["window"] == window
