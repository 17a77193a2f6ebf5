"""What is Telegram's own, beyond the suite that every channel passes."""

import html
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from services.chat_adapter.channels.telegram import CHANNEL
from services.chat_adapter.channels.telegram.formatting import as_html
from services.chat_adapter.channels.telegram.tables import ALLOWED_UPDATES, TAGS
from shared.contract.channel import Context, Malformed, Piece, Request, Response, SendFailed, TypingMark, Unverified
from shared.contract.envelope import Media, Notice, Text, Window

CONTEXT = Context(now=datetime(2026, 2, 3, tzinfo=UTC))
ACCOUNT = CHANNEL.account(name="main", token="7654321:AAH-x", receive="poll")
ADMINISTRATOR = ACCOUNT.model_copy(update={"administrator": True})
APP = CHANNEL.app(name="main", secret="a-word")
PERSON = {"id": 5, "is_bot": False, "first_name": "Dara"}


def page(*updates):
    return Response.of_json({"ok": True, "result": list(updates)})


def text(update_id, words):
    chat = {"id": 5, "type": "private"}
    return {
        "update_id": update_id,
        "message": {"message_id": update_id, "date": 1, "chat": chat, "from": PERSON, "text": words},
    }


def ended(steps, *answers):
    """The requests that an exchange makes, and what it comes to."""
    asked = [next(steps)]
    for answer in answers:
        try:
            asked.append(steps.send(answer))
        except StopIteration as end:
            return asked, end.value
    raise AssertionError("the exchange wants more answers")


@pytest.mark.parametrize("strange", [{"type": "emoji"}, {}, 7, {"type": "hologram", "id": 1}])
def test_a_reaction_that_cannot_be_read_takes_no_other_along(strange):
    about = {"chat": {"id": 5, "type": "private"}, "message_id": 3, "user": PERSON, "date": 1}
    reaction = {**about, "old_reaction": [], "new_reaction": [strange, {"type": "emoji", "emoji": "👍"}]}
    asked = Request(body=json.dumps({"update_id": 1, "message_reaction": reaction}).encode())
    found = list(CHANNEL.inbound(APP, asked, CONTEXT))
    assert [one.parts[0].emoji for one in found][1:] == ["👍"]
    assert len(found) == 2


@pytest.mark.parametrize("strange", [{}, 7, None])
def test_a_member_who_cannot_be_read_takes_no_other_name_along(strange):
    told = {"message_id": 3, "date": 1, "chat": {"id": -1009, "type": "group", "title": "Shop"}, "from": PERSON}
    update = {"update_id": 1, "message": told | {"new_chat_members": [strange, PERSON]}}
    (found,) = CHANNEL.inbound(APP, Request(body=json.dumps(update).encode()), CONTEXT)
    assert found.parts[0] == Notice(type="joined", text="Dara")


def test_a_poll_asks_behind_its_cursor_and_longer_than_it_waits():
    (asked,), polled = ended(CHANNEL.poll(ACCOUNT, {"offset": 7}, CONTEXT), page(text(7, "a"), text(8, "b")))
    question = json.loads(asked.body)
    assert (question["offset"], question["allowed_updates"]) == (7, list(ALLOWED_UPDATES))
    assert asked.timeout > timedelta(seconds=question["timeout"])
    assert (not asked.commits, polled.cursor) == (True, {"offset": 9})


def test_an_empty_poll_leaves_the_cursor():
    _, polled = ended(CHANNEL.poll(ACCOUNT, {"offset": 7}, CONTEXT), page())
    assert (polled.records, polled.cursor) == ((), {"offset": 7})


def moves(**more):
    message = {"message_id": 7, "date": 1, "from": PERSON, **more}
    (told,) = CHANNEL.inbound(APP, Request(body=json.dumps({"update_id": 1, "message": message}).encode()), CONTEXT)
    return told


def test_a_group_and_the_supergroup_that_it_becomes_tell_one_event():
    old = moves(chat={"id": -5, "type": "group", "title": "g"}, migrate_to_chat_id=-1006)
    new = moves(chat={"id": -1006, "type": "supergroup", "title": "g"}, migrate_from_chat_id=-5)
    assert (old.event_key, old.peer, old.container, old.parts) == (new.event_key, new.peer, new.container, new.parts)
    other = moves(chat={"id": -1007, "type": "supergroup", "title": "h"}, migrate_from_chat_id=-8)
    assert other.event_key != old.event_key


ALONE = "-1009:ephemeral:5"


def says_alone():
    chat, bot = {"id": -1009, "type": "supergroup", "title": "g"}, {"id": 9, "is_bot": True, "first_name": "Shop"}
    return moves(message_id=0, chat=chat, ephemeral_message_id=3, receiver_user=bot, text="/price")


def test_what_one_person_of_a_group_alone_sees_is_answered_for_fifteen_seconds_or_by_an_administrator():
    asked = says_alone()
    assert (asked.peer, asked.container, asked.sender.address) == (ALONE, ALONE, "5")
    assert CHANNEL.window(ACCOUNT, asked) == Window(until=asked.occurred_at + timedelta(seconds=15))
    assert CHANNEL.window(ADMINISTRATOR, asked) == Window()
    plain = moves(chat={"id": 5, "type": "private"}, text="hello")
    assert CHANNEL.window(ACCOUNT, plain) == Window()


@pytest.mark.parametrize("administrator", [True, False])
def test_only_an_administrator_writes_there_without_naming_what_is_answered(administrator):
    account = ADMINISTRATOR if administrator else ACCOUNT
    piece = Piece(id="1/0", to=ALONE, part=Text(text="5$"), references=(f"{ALONE}:2", f"{ALONE}:3"))
    told = json.loads(next(CHANNEL.outbound(account, piece, CONTEXT)).body)
    assert told["ephemeral_message_parameters"] == {"receiver_user_id": 5}
    assert told.get("reply_parameters") == (None if administrator else {"ephemeral_message_id": 3})


def pressed(update_id, query):
    return {"update_id": update_id, "callback_query": {"id": query, "from": PERSON, "chat_instance": "1", "data": "L"}}


def test_what_was_pressed_is_answered_when_it_is_durable_and_then_forgotten():
    _, polled = ended(CHANNEL.poll(ACCOUNT, {}, CONTEXT), page(pressed(7, "q1"), text(8, "b"), pressed(9, "q2")))
    assert polled.cursor == {"offset": 10, "pressed": ["q1", "q2"]}
    steps = CHANNEL.poll(ACCOUNT, polled.cursor, CONTEXT)
    asked, polled = ended(steps, page(), page(), page())
    assert [json.loads(request.body).get("callback_query_id") for request in asked] == ["q1", "q2", None]
    assert json.loads(asked[-1].body)["offset"] == 10
    assert not any(request.commits for request in asked)
    assert polled.cursor == {"offset": 10}


def test_a_press_that_cannot_be_answered_now_is_answered_later_and_one_too_old_never():
    steps = CHANNEL.poll(ACCOUNT, {"offset": 7, "pressed": ["q1"]}, CONTEXT)
    next(steps)
    assert steps.throw(SendFailed("refused", "query is too old")).url.endswith("/getUpdates")
    steps = CHANNEL.poll(ACCOUNT, {"offset": 7, "pressed": ["q1"]}, CONTEXT)
    next(steps)
    with pytest.raises(SendFailed):
        steps.throw(SendFailed("unreachable"))


def test_an_update_that_cannot_be_read_holds_up_none_behind_it():
    torn = {"update_id": 7, "message": {"text": "no chat"}}
    _, polled = ended(CHANNEL.poll(ACCOUNT, {}, CONTEXT), page(torn, text(8, "after")))
    kept, after = polled.records
    assert isinstance(kept, Malformed)
    assert after.parts[0].text == "after"
    assert (json.loads(polled.page)["result"][0], polled.cursor["offset"]) == (torn, 9)


def test_two_edits_within_one_second_are_two_events():
    app = CHANNEL.app(name="main", secret="x")
    edits = [{"update_id": n, "edited_message": {**text(1, "x")["message"], "edit_date": 9}} for n in (1, 2)]
    keys = {
        record.event_key
        for edit in edits
        for record in CHANNEL.inbound(app, Request(body=json.dumps(edit).encode()), CONTEXT)
    }
    assert len(keys) == 2


@pytest.mark.parametrize("given_secret", ["", "wrong", "Secret", "\udce9", "secret "])
def test_a_wrong_secret_is_refused_whatever_it_is_made_of(given_secret):
    app = CHANNEL.app(name="main", secret="secret")
    with pytest.raises(Unverified):
        CHANNEL.verify(app, Request(headers={"x-telegram-bot-api-secret-token": given_secret}), CONTEXT)


def test_an_empty_secret_would_let_everyone_in_and_is_no_setting():
    with pytest.raises(ValidationError):
        CHANNEL.app(name="main", secret="")


def test_throttling_says_for_how_long():
    body = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 14}}
    with pytest.raises(SendFailed) as failed:
        CHANNEL.outcome(Response.of_json(body, status=429))
    assert (failed.value.reason, failed.value.retry_after) == ("throttled", timedelta(seconds=14))


@pytest.mark.parametrize(("surface", "waits"), [("group", "peer"), ("direct", "account")])
def test_a_throttle_in_a_group_is_the_groups_and_else_the_bots(surface, waits):
    piece = Piece(id="p/0", to="-1005", part=Text(text="hi"), surface=surface)
    assert next(CHANNEL.outbound(ACCOUNT, piece, CONTEXT)).throttles == waits


def test_typing_shows_in_the_topic_that_is_answered():
    request = next(CHANNEL.typing(ACCOUNT, TypingMark(to="-1005", reply_to="-1005:9", thread_key="-1005:7"), CONTEXT))
    assert json.loads(request.body) == {"chat_id": "-1005", "message_thread_id": 7, "action": "typing"}


def test_a_group_that_moved_says_where_to():
    body = {"ok": False, "description": "group chat was upgraded to a supergroup chat"}
    with pytest.raises(SendFailed, match="it is -1009 now"):
        CHANNEL.outcome(Response.of_json({**body, "parameters": {"migrate_to_chat_id": -1009}}, status=400))


def test_a_file_that_bots_cannot_have_is_not_asked_for():
    with pytest.raises(SendFailed) as failed:
        next(CHANNEL.fetch(ACCOUNT, Media(media="file", handle="x", size=20 * 1024 * 1024 + 1), CONTEXT))
    assert failed.value.reason == "too_long"


def test_who_polls_has_no_webhook():
    (asked,), _ = ended(
        CHANNEL.register(CHANNEL.app(name="main", secret="x"), ACCOUNT, CONTEXT),
        Response.of_json({"ok": True, "result": True}),
    )
    assert asked.url.endswith("/deleteWebhook")
    assert json.loads(asked.body) == {"drop_pending_updates": False}


ENTITIES = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from([*TAGS, "mention"]), "offset": st.integers(0, 30), "length": st.integers(1, 30)}
    ),
    max_size=4,
)


@given(st.text(alphabet="a<&\"'\nក្👨‍👩‍👧🇰🇭ع", max_size=30), ENTITIES)
def test_formatting_adds_tags_and_takes_nothing(words, entities):
    units = len(words.encode("utf-16-le")) // 2
    inside = [entity for entity in entities if entity["offset"] + entity["length"] <= units]
    whole = [entity for entity in inside if _on_characters(words, entity)]
    shown = as_html(words, whole)
    if shown is not None:
        assert html.unescape(re.sub(r"<[^>]+>", "", shown.replace("<br>", "\n"))) == words


def _on_characters(words, entity):
    edges = {len(words[:index].encode("utf-16-le")) // 2 for index in range(len(words) + 1)}
    return {entity["offset"], entity["offset"] + entity["length"]} <= edges


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", " https://example.org"])
def test_only_links_that_open_pages_become_links(address):
    assert as_html("x", [{"type": "text_link", "offset": 0, "length": 1, "url": address}]) is None
