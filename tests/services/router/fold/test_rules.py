"""What each record means, as events that say what their schema promises."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import orjson

from services.router.batch import needs
from services.router.fold.facts import Facts, RefKey
from services.router.fold.outbound import CARRIED_OUT
from services.router.fold.rules import decide
from shared.contract.channel import Capabilities
from shared.contract.deliveries import Growing, MediaUpdate, Outbound, Typing
from shared.contract.envelope import Deletion, Media, Model, Party, Reaction, Template, Text, Window
from shared.contract.events import MessageGrowing, MessageReaction
from shared.contract.records import EVENTS, RECORDS, outbound_topic
from shared.contract.requests import Erase, Grow, Hop, Request, Send, SendTyping
from tests.promises.house import NOON, Customer, House, as_read, at

LATER = datetime.now(UTC) + timedelta(days=1)
BEFORE = datetime.now(UTC) - timedelta(seconds=1)


def refusal(facts: Facts) -> dict[str, object]:
    (event,) = [event for event in facts.emissions if event.name == "request.refused"]
    assert all(other.name == "request.refused" for other in facts.emissions), "and nothing else happens"
    return orjson.loads(event.value)  # type: ignore[no-any-return]


async def refused(house: House, customer: Customer, asked: Model) -> str:
    """The code with which a request is refused."""
    house.allows(customer, Capabilities(text=100, pieces=2, media={"image": "full"}))
    return refusal(await house.take(as_read(asked)))["failure"]["code"]  # type: ignore[index, return-value]


def test_every_request_is_carried_out() -> None:
    asked = {one.model for one in RECORDS.values() if issubclass(one.model, Request)}
    assert asked == CARRIED_OUT.keys()


# the fold is a function -------------------------------------------------------------------------------------------------


def test_the_same_records_make_the_same_events_again() -> None:
    customer = Customer(tenant="t")
    records = [
        as_read(customer.says(name="m1")),
        as_read(customer.says(name="m2")),
        as_read(customer.edits("m1", minutes=3)),
    ]

    def fold() -> list[tuple[str, uuid.UUID, int, bytes]]:
        facts = Facts(now=NOON)
        asked = needs.of(records, b"")
        facts.fresh = set(asked.ids)
        facts.customers = facts.homes = {key: uuid.UUID(int=9) for key in asked.identities}
        for key, claim in asked.refs.items():
            facts.ref(key).message_id = claim.message_id
        for record in records:
            decide(facts, record)
        return [(event.name, event.id, event.sequence, event.value) for event in facts.emissions]

    first = fold()
    assert [name for name, *_ in first] == [
        "conversation.opened",
        "message.received",
        "message.received",
        "message.edited",
    ]
    assert fold() == first


def test_looking_at_a_name_writes_nothing() -> None:
    facts = Facts(now=NOON)
    assert facts.ref(RefKey("t", "webhook", "main", "message", "m1")).changed is False


async def test_every_event_reads_as_its_schema_says(house: House) -> None:
    customer = Customer()
    house.allows(customer)
    conversation = await house.opened(customer, customer.says(name="m1", parts=(Media(media="image", handle="h"),)))
    hello = customer.says(name="m1")
    message = await house.queued(customer, conversation)
    facts = [
        await house.take(as_read(one))
        for one in (
            customer.edits("m1", minutes=2),
            customer.says(parts=(Reaction(target="m1", emoji="👍"),)),
            customer.says(parts=(Deletion(target="m1"),)),
            update(customer, hello.id),
            customer.report(message, "sent", "p1"),
            customer.reply(uuid.uuid4()),
            customer.reply(conversation, expires_at=BEFORE),
        )
    ]
    told = {event.name for one in facts for event in one.emissions}
    assert told == {
        "message.edited",
        "message.reaction",
        "message.deleted",
        "message.media",
        "message.status",
        "request.refused",
    }
    for one in facts:
        for event in one.emissions:
            read = RECORDS[event.name].model.model_validate_json(event.value)
            assert (read.sequence or 0) == event.sequence  # type: ignore[attr-defined]
            assert read.tenant == customer.tenant  # type: ignore[attr-defined]


def update(customer: Customer, message: uuid.UUID, state: str = "stored") -> MediaUpdate:
    place = {"tenant": customer.tenant, "channel": "webhook", "account": "main", "peer": "ann"}
    return MediaUpdate(**place, message_id=message, part=0, state=state, blob="b", occurred_at=NOON)  # type: ignore[arg-type]


async def test_what_became_of_a_file_is_told_once(house: House) -> None:
    customer = Customer()
    hello = customer.says()
    conversation = await house.opened(customer, hello)
    await house.take(update(customer, hello.id), update(customer, hello.id))
    await house.take(update(customer, hello.id))
    assert (await house.types(conversation)).count("message.media") == 1


async def test_a_reaction_is_no_message(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, customer.says(name="m1"))
    await house.take(customer.says(parts=(Reaction(target="m1", emoji="👍"),)))
    assert await house.types(conversation) == ["conversation.opened", "message.received", "message.reaction"]


async def test_each_change_of_a_persons_reactions_is_told_as_the_channel_told_it(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, customer.says(name="m1"))
    changes = (
        Reaction(target="m1", emoji="👍"),
        Reaction(target="m1", emoji="🔥"),
        Reaction(target="m1", emoji="👍", removed=True),
        Reaction(target="m1", emoji="🎉", replaces=True),
        Reaction(target="m1"),
    )
    for change in changes:
        await house.take(customer.says(parts=(change,)))
    told = [event for event in await house.story(conversation) if event["type"] == "message.reaction"]
    read = [MessageReaction.model_validate(event) for event in told]
    assert [(one.emoji, one.removed, one.replaces) for one in read] == [
        (change.emoji, change.removed, change.replaces) for change in changes
    ]


# fleeting ---------------------------------------------------------------------------------------------------------------


async def test_typing_takes_no_sequence_and_is_not_stored(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    seen = Typing(tenant=customer.tenant, channel="webhook", account="main", peer="ann", occurred_at=NOON)
    record = as_read(update(customer, uuid.uuid4()))
    facts = await house.take(
        type(record)(**{f: getattr(record, f) for f in record.__slots__} | {"model": seen, "name": "typing"})
    )
    asked = await house.take(as_read(SendTyping(tenant=customer.tenant, conversation=conversation)))
    assert [(e.name, e.topic, e.sequence) for e in facts.fleeting] == [("conversation.typing", EVENTS, 0)]
    assert [(e.name, e.topic) for e in asked.fleeting] == [("outbound.typing", outbound_topic("chat"))]
    assert "thread_key" not in orjson.loads(asked.fleeting[0].value)
    assert await house.types(conversation) == ["conversation.opened", "message.received"]


async def test_typing_in_a_conversation_that_is_none_is_refused(house: House) -> None:
    facts = await house.take(as_read(SendTyping(tenant=Customer().tenant, conversation=uuid.uuid4())))
    (refused,) = facts.emissions
    assert (refused.name, facts.fleeting) == ("request.refused", [])
    assert orjson.loads(refused.value)["failure"]["code"] == "unknown_conversation"


async def test_typing_names_the_customers_newest_message_and_the_topic(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, customer.says(name="m1", thread={"thread_key": "t1"}))
    await house.take(customer.says(name="m2", thread={"thread_key": "t1"}))
    asked = await house.take(as_read(SendTyping(tenant=customer.tenant, conversation=conversation)))
    mark = Typing.model_validate_json(asked.fleeting[0].value)
    assert (mark.peer, mark.reply_to, mark.thread_key) == ("ann", "m2", "t1")


async def test_typing_in_another_tenants_conversation_goes_nowhere(house: House) -> None:
    conversation = await house.opened(Customer())
    facts = await house.take(as_read(SendTyping(tenant="another", conversation=conversation)))
    assert facts.fleeting == []


async def test_an_answer_that_grows_is_passed_by_under_the_name_that_it_will_have(house: House) -> None:
    customer = Customer()
    hello = customer.says(name="m1", thread={"thread_key": "t1"})
    conversation = await house.opened(customer, hello)
    about = {"tenant": customer.tenant, "conversation": conversation, "author": "sokha"}
    asked = Grow(**about, answer="answer-7", text="We open", in_reply_to=hello.id)
    for _ in range(2):
        facts = await house.take(as_read(asked, id_="grow-1"))
        passed, told_to_all = facts.fleeting
        assert (passed.name, passed.topic, facts.emissions) == ("outbound.growing", outbound_topic("chat"), [])
    assert (told_to_all.name, told_to_all.topic) == ("message.growing", EVENTS)
    growing = Growing.model_validate_json(passed.value)
    told = await house.take(as_read(customer.reply(conversation, author="sokha"), id_="answer-7"))
    (order,) = [Outbound.model_validate_json(one.value) for one in told.emissions if one.name == "outbound"]
    assert (growing.id, growing.request_id, growing.peer) == (order.id, "answer-7", order.peer)
    seen = MessageGrowing.model_validate_json(told_to_all.value)
    assert (seen.message_id, seen.text, seen.author) == (order.id, "We open", "sokha")
    assert growing.parts == (Text(text="We open"),)
    assert (growing.thread.reply_to, growing.thread.thread_key, growing.author) == ("m1", "t1", "sokha")
    assert await house.types(conversation) == ["conversation.opened", "message.received", "message.queued"]


async def test_an_answer_that_grows_is_refused_as_its_end_would_be_without_a_sequence(house: House) -> None:
    customer, stranger = Customer(), Customer()
    conversation = await house.opened(customer)
    theirs = stranger.says()
    await house.opened(stranger, theirs)
    house.allows(customer, Capabilities(text=10, pieces=2))
    asked = Grow(tenant=customer.tenant, conversation=conversation, answer="a", text="x")
    for code, change in {
        "too_long": {"text": "x " * 20},
        "malformed": {"in_reply_to": theirs.id},
        "expired": {"expires_at": BEFORE},
        "unsupported": {"not_before": LATER},
        "unknown_conversation": {"conversation": uuid.uuid4()},
    }.items():
        facts = await house.take(as_read(asked.model_copy(update=change)))
        assert refusal(facts)["failure"]["code"] == code  # type: ignore[index]
        assert ([one.sequence for one in facts.emissions], facts.fleeting) == ([0], [])
    await house.pool.execute("UPDATE conversation SET status = 'closed' WHERE id = $1", conversation)
    assert refusal(await house.take(as_read(asked)))["failure"]["code"] == "refused"  # type: ignore[index]
    assert await house.types(conversation) == ["conversation.opened", "message.received"]


# requests ---------------------------------------------------------------------------------------------------------------


async def test_a_reply_goes_where_the_customer_wrote_from_and_answers_it(house: House) -> None:
    customer = Customer()
    house.allows(customer)
    hello = customer.says(name="m1")
    conversation = await house.opened(customer, hello)
    facts = await house.take(as_read(customer.reply(conversation, in_reply_to=hello.id)))
    (order,) = [orjson.loads(e.value) for e in facts.emissions if e.name == "outbound"]
    assert (order["channel"], order["account"], order["peer"]) == ("webhook", "main", "ann")
    assert order["thread"]["reply_to"] == "m1"
    assert order["sequence"] == 3


async def test_a_first_message_opens_a_conversation_that_the_answer_comes_to(house: House) -> None:
    customer = Customer()
    house.allows(customer)
    facts = await house.take(as_read(first_message(customer)))
    (conversation,) = facts.opened
    assert await house.types(conversation.id) == ["conversation.opened", "message.queued"]
    await house.take(customer.says("thanks"))
    assert (await house.types(conversation.id))[-1] == "message.received"


def first_message(customer: Customer, **more: object) -> Send:
    words = (Text(text="your order is ready"),)
    return Send(
        **{"tenant": customer.tenant, "channel": "webhook", "account": "main", "address": "ann", "parts": words} | more
    )  # type: ignore[arg-type]


async def test_refused_in_words_that_programs_understand(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    hello = Customer().says()
    await house.take(hello)
    asked: dict[str, list[Model]] = {
        "unknown_conversation": [
            customer.reply(uuid.uuid4()),
            Customer(tenant="another").reply(conversation),
        ],
        "expired": [customer.reply(conversation, expires_at=BEFORE)],
        "unsupported": [
            customer.reply(conversation).model_copy(
                update={"parts": (Media(media="video", state="stored", blob="b"),)}
            ),
        ],
        "unknown_customer": [Erase(tenant=customer.tenant, customer=uuid.uuid4(), reason="asked")],
        "too_long": [customer.reply(conversation, "x " * 200)],
        "malformed": [customer.reply(conversation, in_reply_to=hello.id)],
        "unknown_account": [
            customer.reply(conversation, fallback=(Hop(channel="sms"),)),
            first_message(customer, account="other"),
            first_message(customer, channel="carrier-pigeon"),
        ],
    }
    codes = {code: [await refused(house, customer, one) for one in those] for code, those in asked.items()}
    assert codes == {code: [code] * len(those) for code, those in asked.items()}


async def test_a_refusal_without_a_conversation_has_no_sequence_and_its_own_key(house: House) -> None:
    customer = Customer()
    facts = await house.take(as_read(customer.reply(uuid.uuid4()), id_="r1"))
    (event,) = facts.emissions
    assert (event.sequence, event.conversation_id) == (0, event.id)
    assert "sequence" not in orjson.loads(event.value)
    assert orjson.loads(event.value)["request_id"] == "r1"


async def test_a_closed_window_lets_only_templates_through(house: House) -> None:
    customer = Customer()
    window = Window(until=BEFORE, allows=("free_text", "template"))
    conversation = await house.opened(customer, customer.says(window=window))
    assert await refused(house, customer, customer.reply(conversation)) == "window_closed"
    house.allows(customer, Capabilities(text=100, template="full"))
    template = Template(name="hello_again", language="km")
    facts = await house.take(as_read(customer.reply(conversation).model_copy(update={"parts": (template,)})))
    assert [event.name for event in facts.emissions] == ["message.queued", "outbound"]


async def test_the_newest_message_opens_the_window_again(house: House) -> None:
    customer = Customer()
    house.allows(customer)
    conversation = await house.opened(customer, customer.says(window=Window(until=BEFORE)))
    assert await refused(house, customer, customer.reply(conversation)) == "window_closed"
    await house.take(customer.says(window=Window(until=LATER)))
    assert "message.queued" in [e.name for e in (await house.take(as_read(customer.reply(conversation)))).emissions]
    await house.take(customer.says(minutes=1))
    assert "message.queued" in [e.name for e in (await house.take(as_read(customer.reply(conversation)))).emissions]


async def test_a_closed_conversation_takes_no_reply(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer)
    await house.pool.execute("UPDATE conversation SET status = 'closed' WHERE id = $1", conversation)
    assert await refused(house, customer, customer.reply(conversation)) == "refused"


# what a conversation shows ---------------------------------------------------------------------------------------------


async def test_a_conversation_shows_its_newest_message(house: House) -> None:
    customer = Customer()
    conversation = await house.opened(customer, customer.says("first", sender=Party(address="ann", name="Ann")))
    await house.take(customer.says("សួស្តី", name="m2", minutes=5))
    row = await house.pool.fetchrow("SELECT * FROM conversation WHERE id = $1", conversation)
    assert (row["preview"], row["last_at"], row["last_external_id"], row["name"]) == ("សួស្តី", at(5), "m2", "Ann")
