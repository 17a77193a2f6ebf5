"""Facebook on the whole stack: people on phones and under posts at one end, an agent's requests and events at the other."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pytest

from tests.customers import Phone
from tests.e2e import letters
from tests.e2e.agent import Json, at_work, text
from tests.e2e.meta import Meta
from tests.pictures import PIXEL

LIMIT: Final = 2000  # characters of one message


@dataclass
class Shop(Meta):
    """One page, the people around it, and the agent behind it."""

    def person(self) -> Phone:
        return Phone(self.town, str(random.randrange(10**9, 10**10)), "facebook", LIMIT)

    async def acts(self, **act: Any) -> str:
        return str((await self.town.post(f"/post/facebook/{self.key}/act", act))["id"])

    async def comments(self, person: Phone, words: str, *, post: str = "", parent: str = "") -> Json:
        """A comment, under a new post where none is given; its event."""
        post = post or await self.acts(write={"text": "កាហ្វេថ្មី"})
        said = {"post": post, "user": person.user, "name": "សុខ ដារ៉ា", "text": words}
        await self.acts(comment=said | ({"parent": parent} if parent else {}))
        return await self.hears(words)

    async def under(self, post: str) -> list[Json]:
        """The comments that stand under a post."""
        posts = (await self.town.get(f"/post/facebook/{self.key}"))["posts"]
        return list(next(one["comments"] for one in posts if one["id"] == post))

    async def event(self, kind: str, about: Json) -> Json:
        """What happened to the message of this event."""
        return await self.listener.first(kind, lambda event: event.get("message_id") == about["message"]["id"])

    async def posts(self, *entries: Json, secret: str = "") -> int:
        """A webhook with these entries; its status."""
        body = self.body(*entries)
        return await self.post(body, self.sign(body, secret))

    def entry(self, *events: Json, page: str = "") -> Json:
        return {"id": page or self.key, "time": stamp(), "messaging": list(events)}

    def message(self, user: str, words: str, *, page: str = "") -> Json:
        about = {"mid": f"m_{uuid.uuid4().hex}", "text": words}
        return {"sender": {"id": user}, "recipient": {"id": page or self.key}, "timestamp": stamp(), "message": about}


def stamp() -> int:
    return int(time.time() * 1000)


@pytest.fixture(scope="module")
async def opened(stack: Any) -> AsyncIterator[Shop]:
    async with at_work(stack, partial(Shop, channel="facebook")) as shop:
        await shop.is_known(shop.key)
        yield shop


@pytest.fixture
async def shop(opened: Shop) -> AsyncIterator[Shop]:
    yield opened
    await opened.control(reset=True)


# Messenger


async def test_khmer_arrives_and_its_long_answer_is_cut_between_words_delivered_and_read(shop: Shop) -> None:
    person, question, answer = shop.person(), letters.khmer(3, 1500), letters.khmer(7, 2 * LIMIT + 100)
    await person.writes(question)
    heard = await shop.hears(question)
    assert (heard["message"]["sender"]["address"], heard["message"]["surface"]) == (person.user, "direct")
    assert heard["message"]["window"]["human_agent_until"] > heard["message"]["window"]["until"]
    message = await shop.answers(heard, text(answer))
    delivered = await shop.status(message, "delivered")
    pieces = [one.text for one in await person.reads()]
    assert (len(pieces), "".join(pieces)) == (3, answer)
    assert len(delivered["external_ids"]) == 3
    await shop.town.post(f"{person.chat}/read", {})
    await shop.status(message, "read")


async def test_receipts_in_any_order_and_twice_never_turn_a_status_back(shop: Shop) -> None:
    for order in ("backwards", "early"):
        person, words = shop.person(), f"{order} {uuid.uuid4()}"
        await person.writes(words)
        heard = await shop.hears(words)
        await shop.control(meta={"receipts": order}, twice=True)
        message = await shop.answers(heard, text("hi"))
        await shop.status(message, "sent", "delivered")
        await shop.town.post(f"{person.chat}/read", {})
        await shop.status(message, "read")
        after = uuid.uuid4().hex
        await person.writes(after)
        await shop.hears(after)
        seen = shop.statuses(message)
        assert seen == sorted(seen, key=["queued", "sent", "delivered", "read"].index)
        assert shop.received(heard["conversation"]) == [words, after], "our own echo is no second message"


async def test_what_a_person_presses_changes_and_takes_back_is_seen(shop: Shop) -> None:
    person, words = shop.person(), f"menu {uuid.uuid4()}"
    await person.writes(words)
    heard = await shop.hears(words)
    options = [{"id": "S", "title": "តូច"}, {"id": "L", "title": "ធំ"}]
    message = await shop.answers(
        heard, {"kind": "choices", "text": "ទំហំ?", "style": "quick_replies", "options": options}
    )
    (asked,) = (await shop.status(message, "delivered"))["external_ids"]
    chat = person.chat
    mine = heard["message"]["external_id"]
    await shop.town.post(f"{chat}/send", {"press": {"message": asked, "id": "L"}})
    await shop.town.post(f"{chat}/send", {"react": {"message": asked, "emoji": "❤️"}})
    await shop.town.post(f"{chat}/send", {"edit": {"message": mine, "text": "menu, please"}})
    await shop.town.post(f"{chat}/send", {"remove": {"message": mine}})
    await shop.event("message.deleted", heard)
    edited = await shop.event("message.edited", heard)
    assert edited["message"]["parts"][1]["text"] == "menu, please"
    reaction = await shop.listener.first("message.reaction", lambda event: event["message_id"] == message)
    assert reaction["emoji"] == "❤️"
    pressed = await shop.listener.first(
        "message.received",
        lambda event: (
            (event["conversation"], event["message"]["parts"][0]["kind"]) == (heard["conversation"], "choice")
        ),
    )
    assert (pressed["message"]["parts"][0]["id"], pressed["message"]["parts"][0]["title"]) == ("L", "ធំ")


async def test_files_go_both_ways(shop: Shop) -> None:
    person, words = shop.person(), f"picture {uuid.uuid4()}"
    await shop.sends_picture(person, words)
    heard = await shop.hears(words)
    told = await shop.listener.first(
        "message.media", lambda event: event["media"]["message_id"] == heard["message"]["id"]
    )
    stored = told["media"]
    assert (stored["state"], stored["size"]) == ("stored", len(PIXEL))
    part = {
        "kind": "media",
        "media": "image",
        "state": "stored",
        "blob": stored["blob"],
        "mime_type": "image/png",
        "name": "a.png",
    }
    message = await shop.answers(heard, {**part, "size": len(PIXEL)})
    await shop.status(message, "delivered")
    views = (await shop.town.get(f"{person.chat}/messages"))["messages"]
    assert [(view["direction"], view["media"]["size"]) for view in views] == [("out", len(PIXEL)), ("in", len(PIXEL))]


async def test_a_picture_is_shown_under_a_comment(shop: Shop) -> None:
    address = f"{shop.stack.http('router')}/api/media"
    async with shop.town.client.post(
        address, data=PIXEL, headers={**shop.stack.bearer, "Content-Type": "image/png"}
    ) as answer:
        assert answer.status == 201, await answer.text()
        part = await answer.json()
    heard = await shop.comments(shop.person(), f"តម្លៃ {uuid.uuid4()}")
    message = await shop.answers(
        heard, {"kind": "media", "media": "image", "state": "stored", "caption": "ដូចនេះ", **part}
    )
    await shop.status(message, "sent")
    shown = (await shop.under(heard["message"]["container"]))[-1]
    assert (shown["text"], shown["media"]["size"]) == ("ដូចនេះ", len(PIXEL))


async def test_who_has_blocked_the_page_is_told_to_the_agent_in_words(shop: Shop) -> None:
    person, words = shop.person(), f"bye {uuid.uuid4()}"
    await person.writes(words)
    heard = await shop.hears(words)
    await shop.town.post(f"{person.chat}/send", {"block": True})
    failed = await shop.status(await shop.answers(heard, text("wait")), "failed")
    assert failed["failure"]["code"] == "blocked"
    assert "isn't available" in failed["failure"]["detail"]


async def test_a_send_whose_answer_is_lost_is_known_by_its_echo(shop: Shop) -> None:
    person, words = shop.person(), f"lost {uuid.uuid4()}"
    await person.writes(words)
    heard = await shop.hears(words)
    await shop.control(drop=1)
    message = await shop.answers(heard, text("did it arrive?"))
    await shop.status(message, "unknown")
    await shop.status(message, "delivered")
    assert [one.text for one in await person.reads()] == ["did it arrive?"]
    after = uuid.uuid4().hex
    await person.writes(after)
    await shop.hears(after)
    assert shop.received(heard["conversation"]) == [words, after], "its echo is no second message"


async def test_after_a_day_only_a_template_goes(shop: Shop) -> None:
    person, words = shop.person(), f"written the day before yesterday {uuid.uuid4()}"
    assert await person.reads() == []
    old = shop.message(person.user, words) | {"timestamp": stamp() - 2 * 24 * 3600 * 1000}
    assert await shop.posts(shop.entry(old)) == 200
    heard = await shop.hears(words)
    await shop.control(meta={"window_hours": 0})
    await shop.answers(heard, text("too late"))
    refused = await shop.listener.first("request.refused", lambda event: event["conversation"] == heard["conversation"])
    assert refused["failure"]["code"] == "window_closed"
    template = {"kind": "template", "name": "order_ready", "language": "km", "parameters": ["#17"]}
    await shop.status(await shop.answers(heard, template), "delivered")
    assert [one.text for one in await person.reads()] == ["ការកម្ម៉ង់ #17 របស់អ្នករួចរាល់ហើយ។"]
    unknown = await shop.status(await shop.answers(heard, {**template, "name": "order_lost"}), "failed")
    assert (unknown["failure"]["code"], "#100" in unknown["failure"]["detail"]) == ("refused", True)


async def test_what_a_colleague_writes_in_the_page_s_inbox_is_part_of_the_conversation(shop: Shop) -> None:
    person, words, told = shop.person(), f"hi {uuid.uuid4()}", f"from the inbox {uuid.uuid4()}"
    await person.writes(words)
    heard = await shop.hears(words)
    echo = shop.message(shop.key, told)
    echo |= {
        "recipient": {"id": person.user},
        "message": {**echo["message"], "is_echo": True, "app_id": 263902037430900},
    }
    assert await shop.posts(shop.entry(echo)) == 200
    found = await shop.hears(told)
    assert (found["conversation"], found["message"]["direction"]) == (heard["conversation"], "outbound")


# comments


async def test_a_comment_opens_a_conversation_on_its_post_and_all_that_becomes_of_it_is_seen(shop: Shop) -> None:
    person = shop.person()
    heard = await shop.comments(person, f"តម្លៃប៉ុន្មាន {uuid.uuid4()}")
    message = heard["message"]
    name, post = message["external_id"], message["container"]
    assert (message["surface"], message["peer"], message["sender"]["name"]) == ("comment", post, "សុខ ដារ៉ា")
    assert message["window"]["private_until"]
    opening = await shop.listener.first(
        "conversation.opened", lambda event: event["conversation"] == heard["conversation"]
    )
    assert (opening["surface"], opening["container"]) == ("comment", post)
    other = await shop.comments(shop.person(), f"ខ្ញុំដែរ {uuid.uuid4()}", post=post, parent=name)
    assert other["conversation"] == heard["conversation"], "an answer to a comment is in its conversation"
    apart = await shop.comments(shop.person(), f"ល្អណាស់ {uuid.uuid4()}", post=post)
    assert apart["conversation"] != heard["conversation"], "another comment on the post is another one"
    await shop.acts(edit={"comment": name, "text": "តម្លៃ?"})
    await shop.acts(hide={"comment": name, "hidden": True})
    await shop.acts(hide={"comment": name, "hidden": False})
    await shop.acts(react={"comment": name, "user": "7420016630002", "emoji": "👍"})
    await shop.acts(remove={"comment": name})
    await shop.event("message.deleted", heard)
    assert (await shop.event("message.edited", heard))["message"]["parts"][1]["text"] == "តម្លៃ?"
    shown = await shop.listener.all("message.visibility", lambda event: event["message_id"] == message["id"], count=2)
    assert [one["hidden"] for one in shown] == [True, False]
    assert (await shop.event("message.reaction", heard))["emoji"] == "👍"


async def test_a_public_reply_stands_under_the_comment_and_a_private_one_is_in_messenger_once(shop: Shop) -> None:
    person = shop.person()
    heard = await shop.comments(person, f"តម្លៃប៉ុន្មាន {uuid.uuid4()}")
    name, post = heard["message"]["external_id"], heard["message"]["container"]
    public = await shop.answers(heard, text("$2.00"))
    await shop.status(public, "sent")
    ours = [one for one in await shop.under(post) if one["from"]["id"] == shop.key]
    assert [(one["text"], one["parent"]) for one in ours] == [("$2.00", name)]
    private = await shop.answers(heard, text("សូមផ្ញើអាសយដ្ឋាន"), private=True)
    await shop.status(private, "delivered")
    assert [one.text for one in await person.reads()] == ["សូមផ្ញើអាសយដ្ឋាន"]
    await shop.town.post(f"{person.chat}/read", {})
    await shop.status(private, "read")
    assert shop.statuses(public) == ["sent"], "what stands in public is not read by one person"
    await shop.answers(heard, text("again"), private=True)
    again = await shop.listener.first("request.refused", lambda event: event["conversation"] == heard["conversation"])
    assert (again["failure"]["code"], "private answer" in again["failure"]["detail"]) == ("refused", True)
    words = f"ភ្នំពេញ {uuid.uuid4()}"
    await person.writes(words)
    written = await shop.hears(words)
    assert written["message"]["surface"] == "direct"
    assert written["customer"] == heard["customer"], "it is the same person"
    assert len(shop.received(heard["conversation"])) == 1, "our own echoes are no messages"


async def test_public_replies_whose_answers_are_lost_are_known_by_their_echoes_even_if_they_are_alike(
    shop: Shop,
) -> None:
    heard = await shop.comments(shop.person(), f"ថ្លៃទេ {uuid.uuid4()}")
    await shop.control(drop=2)
    lost = [await shop.answers(heard, text("$2.00")) for _ in range(2)]
    answered = await shop.answers(heard, text("$2.00"))
    told = [await shop.status(message, "sent") for message in (*lost, answered)]
    for message in lost:
        assert shop.statuses(message) == ["unknown", "sent"]
    under = await shop.under(heard["message"]["container"])
    ours = [one["id"] for one in under if one["from"]["id"] == shop.key]
    names = [name for event in told for name in event["external_ids"]]
    assert (sorted(names), len(set(names))) == (sorted(ours), 3), "each is one of those that stand there"
    assert names[2] == ours[2], "who got an answer is known by it"
    again = f"អរគុណ {uuid.uuid4()}"
    await shop.comments(
        shop.person(), again, post=heard["message"]["container"], parent=heard["message"]["external_id"]
    )
    assert len(shop.received(heard["conversation"])) == 2, "no echo is a second message"


async def test_a_public_reply_to_a_visitor_s_post_is_known_by_its_echo_too(shop: Shop) -> None:
    person, words = shop.person(), f"អរគុណ {uuid.uuid4()}"
    await shop.acts(write={"text": words, "user": person.user, "name": "ដារ៉ា"})
    heard = await shop.hears(words)
    await shop.control(drop=1)
    message = await shop.answers(heard, text("សូមអរគុណ!"))
    await shop.status(message, "sent")
    assert shop.statuses(message) == ["unknown", "sent"]
    openings = [one for one in shop.listener.events if one["type"] == "conversation.opened"]
    assert len([one for one in openings if one.get("container") == heard["message"]["container"]]) == 1


async def test_a_comment_under_a_deleted_post_is_kept_and_cannot_be_answered(shop: Shop) -> None:
    heard = await shop.comments(shop.person(), f"late {uuid.uuid4()}")
    await shop.acts(remove={"post": heard["message"]["container"]})
    for private in (False, True):
        failed = await shop.status(await shop.answers(heard, text("hi"), private=private), "failed")
        assert failed["failure"]["code"] == "bad_address"
    words = f"later still {uuid.uuid4()}"
    value = {
        "item": "comment",
        "verb": "add",
        "comment_id": f"1_{stamp()}",
        "parent_id": "1_1",
        "post_id": f"{shop.key}_1",
    }
    value |= {"message": words, "from": {"id": "7420016630003", "name": "Chan"}, "created_time": int(time.time())}
    entry = {"id": shop.key, "time": int(time.time()), "changes": [{"field": "feed", "value": value}]}
    assert await shop.posts(entry) == 200
    gone = await shop.hears(words)
    failed = await shop.status(await shop.answers(gone, text("hi")), "failed")
    assert failed["failure"]["code"] == "bad_address"


# bad input, and batches


async def test_two_pages_in_one_body_each_get_their_own(shop: Shop) -> None:
    second = str(random.randrange(10**14, 10**15))
    shop.add("second", second)
    await shop.is_known(second)
    one, two = f"one {uuid.uuid4()}", f"two {uuid.uuid4()}"
    await shop.control(meta={"batch": 2})
    await shop.town.post(f"/phone/facebook/{second}/7420016630009/send", {"text": two})
    await shop.person().writes(one)
    first, last = await shop.hears(one), await shop.hears(two)
    assert [event["message"]["account"] for event in (first, last)] == ["sandbox", "second"]
    await shop.control(reset=True)
    await shop.status(await shop.answers(last, text("from the second page")), "delivered")
    views = (await shop.town.get(f"/phone/facebook/{second}/7420016630009/messages"))["messages"]
    assert [view["text"] for view in views] == [two, "from the second page"]


async def test_a_receipt_for_a_message_that_was_never_sent_does_no_harm(shop: Shop) -> None:
    user, words = str(random.randrange(10**9, 10**10)), f"still here {uuid.uuid4()}"
    about = {"sender": {"id": user}, "recipient": {"id": shop.key}, "timestamp": stamp()}
    told = {"mids": ["m_that_nobody_sent"], "watermark": stamp()}
    assert await shop.posts(shop.entry({**about, "delivery": told}, {**about, "read": {"watermark": stamp()}})) == 200
    assert await shop.posts(shop.entry(shop.message(user, words))) == 200
    heard = await shop.hears(words)
    assert not [
        one
        for one in shop.listener.events
        if one["type"] == "message.status" and one["conversation"] == heard["conversation"]
    ]


async def test_what_cannot_be_read_is_set_aside_and_what_is_not_signed_is_refused(shop: Shop) -> None:
    words = f"beside it {uuid.uuid4()}"
    torn: Json = {"sender": {}, "message": {"mid": 7}}
    assert await shop.posts(shop.entry(torn, shop.message("7420016630004", words))) == 200
    await shop.hears(words)
    assert await shop.post(b"{") == 200, "signed, so it is what Meta sent: kept aside, not asked for again"
    assert await shop.posts(shop.entry(shop.message("7420016630004", "x")), secret="another") == 401
    stranger = shop.entry(shop.message("7420016630004", "x", page="404"), page="404")
    assert await shop.posts(stranger) == 200, "no such page here: kept aside until there is one"
    async with shop.town.client.get(shop.hook, params={"hub.mode": "subscribe", "hub.verify_token": "no"}) as answer:
        assert answer.status == 401
