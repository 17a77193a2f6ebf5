"""What is Slack's own, beyond the suite that every channel passes."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from slack_sdk.models.blocks import Block
from slack_sdk.signature import Clock, SignatureVerifier

from services.chat_adapter.channels.slack import CHANNEL
from services.chat_adapter.channels.slack.outbound import compose
from services.chat_adapter.channels.slack.words import plain
from shared.contract.channel import (
    Close,
    Context,
    Frame,
    Malformed,
    Piece,
    Publish,
    Receive,
    Refusal,
    Request,
    Response,
    SendFailed,
)
from shared.contract.envelope import Choice, Choices, Edit, Media, Notice, Option, Text
from shared.contract.errors import Unverified
from shared.contract.fit import fit
from shared.provider.drive import drive
from tests.channels.conformance.bench import bench, requests, told
from tests.channels.conformance.tampering import tree_of

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
CONTEXT = Context(now=NOW)
TEAM, APP, BOT, PERSON, CHAT, PLACE = "T1", "A1", "UBOT", "U1", "D1", "C1"
ACCOUNT = CHANNEL.account(name="main", team=TEAM + "00", token="xoxb-the-token")
SEEN = {"team_id": TEAM, "user_id": BOT, "is_bot": True, "is_enterprise_install": False}


def read(event, **more):
    body = {
        "type": "event_callback",
        "api_app_id": APP,
        "team_id": TEAM,
        "authorizations": [SEEN],
        "event": event,
        **more,
    }
    return tuple(CHANNEL.inbound(None, Request(body=json.dumps(body).encode()), CONTEXT))


def said(ts="1770091500.000001", channel=CHAT, **more):
    return {"type": "message", "channel": channel, "channel_type": "im", "user": PERSON, "ts": ts, "text": "hi", **more}


def driven(steps, *answers):
    """What an exchange comes to as the sender drives it, and the requests that it makes."""
    asked, given = [], list(answers)

    async def ask(request):
        asked.append(request)
        answer = given.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run():
        try:
            return await drive(steps, channel=CHANNEL, ask=ask)
        except SendFailed as failed:
            return failed

    return asyncio.run(run()), asked


def ok(**body):
    return Response.of_json({"ok": True, **body})


# in


class _Then(Clock):
    def now(self):
        return NOW.timestamp()


@pytest.mark.parametrize("number", range(len(requests("slack"))))
def test_what_is_believed_here_slacks_own_verifier_believes(number):
    request = requests("slack")[number]
    theirs = SignatureVerifier(bench("slack").app.secret.get_secret_value(), clock=_Then())
    assert theirs.is_valid_request(request.body, dict(request.headers))
    bench("slack").verify(request)


@pytest.mark.parametrize("away", [timedelta(minutes=-5, seconds=-1), timedelta(minutes=5, seconds=1)])
def test_what_was_signed_five_minutes_ago_is_refused(away):
    on = bench("slack")
    for within in (away * 0.99, timedelta(0)):
        replace(on, context=replace(on.context, now=on.context.now + within)).verify(requests("slack")[0])
    with pytest.raises(Unverified):
        replace(on, context=replace(on.context, now=on.context.now + away)).verify(requests("slack")[0])


def test_a_message_that_is_told_as_a_mention_too_or_again_is_one():
    message = said(channel=PLACE, channel_type="channel", text=f"<@{BOT}> hi")
    mention = {**{k: v for k, v in message.items() if k != "channel_type"}, "type": "app_mention"}
    assert read(message) == read(mention) == read(message, event_id="another")


def test_two_workspaces_behind_one_app_are_two_accounts():
    (first,), (second,) = (read(said(), authorizations=[{**SEEN, "team_id": team}]) for team in ("T1", "T2"))
    assert (first.account_key, second.account_key) == ("T1", "T2")


def test_the_same_time_in_two_channels_is_two_messages():
    (one,), (other,) = read(said(channel="C1")), read(said(channel="C2"))
    assert one.external_id != other.external_id
    assert one.event_key != other.event_key


def test_an_echo_is_at_the_address_that_its_piece_was_sent_to():
    carried = {"event_type": "parley_piece", "event_payload": {"piece": "p/0", "to": PERSON}}
    (echo,) = read(said(user=BOT, app_id=APP, bot_id="B1", metadata=carried))
    assert (echo.echo, echo.peer, echo.join_key, echo.sender.aliases) == (True, PERSON, "p/0", ())


def test_nobody_else_is_taken_for_us_by_what_they_carry():
    carried = {"event_type": "parley_piece", "event_payload": {"piece": "p/0", "to": "D9"}}
    (message,) = read(said(bot_id="B2", app_id="A2", metadata=carried))
    assert (message.echo, message.peer, message.join_key) == (False, CHAT, None)
    assert not message.assessment.may_auto_answer


def test_a_second_edit_is_another_event_and_what_only_grows_a_preview_is_none():
    def change(at, text, **more):
        old = {**said(), "text": "one"}
        event = {"type": "message", "subtype": "message_changed", "channel": CHAT, "ts": at, "event_ts": at}
        return read({**event, "previous_message": old, "message": {**old, "text": text, **more}})

    (first,), (second,) = change("1770091501.1", "two"), change("1770091502.1", "three")
    assert first.event_key != second.event_key
    assert first.parts == (Edit(target=f"{CHAT}:1770091500.000001"), Text(text="two"))
    assert change("1770091503.1", "one", attachments=[{"from_url": "https://a.example", "title": "A"}]) == ()


def test_a_file_that_slack_hides_and_one_event_of_nobody_take_nothing_along():
    (message,) = read(said(text="look", files=[{"id": "F1", "mode": "hidden_by_limit"}, {"no": "id"}, 7]))
    assert [part.kind for part in message.parts] == ["text", "media", "unsupported", "unsupported"]
    assert message.parts[1].state == "unavailable"


@pytest.mark.parametrize("kind", ["app_uninstalled", "tokens_revoked"])
def test_what_is_of_the_app_is_nobodys(kind):
    assert read({"type": kind, "event_ts": "1770091500.1", "tokens": {"bot": [BOT]}}) == ()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a &amp;lt; b", "a &lt; b"),
        ("<https://a.example|https://a.example>", "https://a.example"),
        ("<https://a.example/?q=1|here>", "here (https://a.example/?q=1)"),
        ("<@U1|dara> <#C1> <!channel> <!subteam^S1>", "@dara #C1 @channel @subteam"),
        ("1 < 2 > 0", "1 < 2 > 0"),
        ("<" * 5000, "<" * 5000),
    ],
)
def test_marks_are_read_as_slack_shows_them(text, shown):
    assert plain(text) == shown


def test_what_a_person_formats_is_safe_html_however_they_nest_it():
    deep = {"type": "text", "text": "<script>"}
    for _ in range(50):
        deep = {
            "type": "rich_text_list",
            "style": "bullet",
            "elements": [{"type": "rich_text_section", "elements": [deep]}],
        }
    bad = {"type": "link", "url": "javascript:alert(1)", "text": "click"}
    line = {"type": "rich_text_section", "elements": [{"type": "text", "text": "<b>", "style": {"bold": True}}, bad]}
    (message,) = read(said(blocks=[{"type": "rich_text", "elements": [line, deep]}]))
    html = message.parts[0].html
    assert html.startswith("<b>&lt;b&gt;</b>click")
    assert "<script" not in html
    assert "javascript" not in html


NOTICES = {
    "joined": "channel_join group_join",
    "left": "channel_leave group_leave",
    "renamed": "channel_name group_name",
    "pinned": "pinned_item",
    "other": """channel_topic channel_purpose channel_archive channel_unarchive channel_convert_to_private
        channel_convert_to_public channel_posting_permissions group_topic group_purpose group_archive group_unarchive
        unpinned_item ekm_access_denied bot_add bot_remove bot_enable bot_disable reminder_add joiner_notification
        joiner_notification_for_inviter sh_room_created huddle_thread sh_room_shared tabbed_canvas_updated
        document_comment_root""",
}


@pytest.mark.parametrize(("kind", "subtype"), [(kind, one) for kind, words in NOTICES.items() for one in words.split()])
def test_what_a_message_tells_of_its_channel_is_a_notice(kind, subtype):
    """https://docs.slack.dev/reference/events/message#subtypes."""
    (message,) = read(said(channel=PLACE, subtype=subtype, name="new", old_name="old"))
    assert message.parts[0].type == kind
    assert message.container == PLACE


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("joined", {"type": "member_joined_channel", "channel": PLACE, "user": PERSON}),
        ("left", {"type": "member_left_channel", "channel": PLACE, "user": PERSON}),
        ("left", {"type": "channel_left", "channel": PLACE}),
        ("left", {"type": "group_left", "channel": PLACE}),
        ("renamed", {"type": "channel_rename", "channel": {"id": PLACE, "name": "new"}}),
        ("renamed", {"type": "group_rename", "channel": {"id": PLACE, "name": "new"}}),
        ("moved", {"type": "channel_id_changed", "old_channel_id": PLACE, "new_channel_id": "C9", "channel": PLACE}),
        ("pinned", {"type": "pin_added", "channel_id": PLACE, "user": PERSON}),
        ("pinned", {"type": "pin_added", "item": {"channel": PLACE}, "user_id": PERSON}),
        ("other", {"type": "something_new", "channel": PLACE}),
    ],
)
def test_what_an_event_tells_of_a_channel_is_a_notice(kind, event):
    (message,) = read({**event, "event_ts": "1770091500.000001"})
    assert (message.parts[0].type, message.peer) == (kind, PLACE)


@pytest.mark.parametrize(
    "subtype", ["bot_message", "me_message", "file_share", "thread_broadcast", "assistant_app_thread"]
)
def test_what_somebody_says_in_another_way_is_said(subtype):
    assert read(said(subtype=subtype))[0].parts == (Text(text="hi"),)


@pytest.mark.parametrize(
    ("element", "words", "html"),
    [
        ({"type": "text", "text": "a", "style": {"bold": True}}, "a", "<b>a</b>"),
        ({"type": "text", "text": "a", "style": {"italic": True}}, "a", "<i>a</i>"),
        ({"type": "text", "text": "a", "style": {"strike": True}}, "a", "<s>a</s>"),
        ({"type": "text", "text": "a", "style": {"underline": True}}, "a", "<u>a</u>"),
        ({"type": "text", "text": "a", "style": {"code": True}}, "a", "<code>a</code>"),
        ({"type": "user", "user_id": "U2"}, "@U2", None),
        ({"type": "usergroup", "usergroup_id": "S1"}, "@S1", None),
        ({"type": "team", "team_id": "T1"}, "@T1", None),
        ({"type": "channel", "channel_id": "C2"}, "#C2", None),
        ({"type": "broadcast", "range": "here"}, "@here", None),
        ({"type": "emoji", "name": "wave", "unicode": "1f44b-1f3fd"}, "👋🏽", None),
        ({"type": "emoji", "name": "tada"}, "🎉", None),
        ({"type": "emoji", "name": "partyparrot"}, ":partyparrot:", None),
        ({"type": "date", "timestamp": 1, "format": "{date}", "fallback": "1 January"}, "1 January", None),
        ({"type": "color", "value": "#fff"}, "#fff", None),
        ({"type": "something_new", "text": "x"}, "x", None),
        (
            {"type": "link", "url": "mailto:a@b.example"},
            "a@b.example",
            '<a href="mailto:a@b.example">mailto:a@b.example</a>',
        ),
    ],
)
def test_each_piece_of_a_line_is_read(element, words, html):
    line = {"type": "rich_text_section", "elements": [element]}
    (message,) = read(said(text="no", blocks=[{"type": "rich_text", "elements": [line]}]))
    assert message.parts == (Text(text=words, html=html),)


# Socket Mode


def heard(*frames):
    """What is published of these frames on one connection, what is sent when that is durable, and how it ends."""
    steps, published, acknowledged = CHANNEL.socket(ACCOUNT, {}, CONTEXT), [], []
    given = iter(
        [frame if isinstance(frame, Frame) else Frame(now=NOW, data=json.dumps(frame).encode()) for frame in frames]
    )
    step = next(steps)
    try:
        while True:
            if isinstance(step, Publish):
                published += step.records
                acknowledged += [json.loads(step.then.frame)] if step.then else []
            step = steps.send(next(given, Frame(now=NOW, stop=True)) if isinstance(step, Receive) else Frame(now=NOW))
    except StopIteration as end:
        return published, acknowledged, end.value


def enveloped(body, name="e1", kind="events_api"):
    return {"type": kind, "envelope_id": name, "payload": body, "accepts_response_payload": False}


def test_a_socket_says_what_a_webhook_says_and_is_acknowledged_behind_it():
    """Every sample, by the other way."""
    for number, request in enumerate(requests("slack")):
        body, kind = unpacked(request)
        published, acknowledged, _ = heard({"type": "hello"}, enveloped(body, f"e{number}", kind))
        assert [told(one) for one in published] == [told(one) for one in bench("slack").read_each(request)]
        assert acknowledged == [{"envelope_id": f"e{number}"}]


def unpacked(request):
    tree = tree_of(request)
    if "payload" in tree:
        return json.loads(tree["payload"]), "interactive"
    return tree, "slash_commands" if "command" in tree else "events_api"


@pytest.mark.parametrize("reason", ["warning", "refresh_requested", "something_new"])
def test_a_connection_that_is_to_go_is_left_for_the_next(reason):
    late = enveloped({"type": "url_verification"})
    assert heard({"type": "disconnect", "reason": reason}, late) == ([], [], Close())


def test_socket_mode_that_is_switched_off_is_a_persons_matter():
    with pytest.raises(SendFailed) as failed:
        heard({"type": "disconnect", "reason": "link_disabled"})
    assert failed.value.reason == "auth"


@pytest.mark.parametrize("end", [{"closed": 1006}, {"closed": 1000}, {"stop": True}, {}])
def test_however_it_ends_it_is_opened_anew(end):
    assert heard(Frame(now=NOW, **end)) == ([], [], Close())


@pytest.mark.parametrize(
    "junk", [[], 7, None, {}, {"type": "events_api", "envelope_id": 7}, enveloped(None), enveloped({"type": 1})]
)
def test_a_frame_that_cannot_be_read_is_set_aside_and_those_behind_it_are_read(junk):
    event = {"type": "event_callback", "api_app_id": APP, "team_id": TEAM, "event": said()}
    published, acknowledged, _ = heard(junk, enveloped(event, "e9"))
    assert [isinstance(one, Malformed) for one in published] == [True, False]
    assert acknowledged[-1] == {"envelope_id": "e9"}


@pytest.mark.parametrize(
    ("given", "sockets"), [({}, 0), ({"app_token": "xapp-1"}, 1), ({"app_token": "xapp-1", "connections": 3}, 3)]
)
def test_who_has_an_app_token_listens(given, sockets):
    assert CHANNEL.shards(CHANNEL.account(name="main", team="T100", token="t", **given)) == sockets


# presses and commands


def form(body):
    given = {"payload": json.dumps(body)} if "actions" in body else body
    return tuple(CHANNEL.inbound(None, Request(body=urlencode(given).encode()), CONTEXT))


def test_each_of_several_presses_is_one_event_and_what_is_pressed_is_our_id():
    (sent,) = (json.loads(json.dumps(compose(Piece(id="p/0", to=CHAT, part=question(options=2))))),)
    buttons = sent["blocks"][-1]["elements"]
    stands = {"message_ts": "1770091400.1", "channel_id": CHAT}
    about = {
        "type": "block_actions",
        "user": {"id": PERSON},
        "team": {"id": TEAM},
        "container": stands,
        "channel": {"id": CHAT},
    }
    pressed = [{**button, "action_ts": f"1770091500.{n}"} for n, button in enumerate(buttons)]
    first, broken, second = form({**about, "actions": [pressed[0], 7, pressed[1]]})
    assert isinstance(broken, Malformed)
    assert [one.parts[0] for one in (first, second)] == [
        Choice(id=f"n{n}", title="t", target=f"{CHAT}:1770091400.1") for n in range(2)
    ]
    assert first.event_key != second.event_key


@pytest.mark.parametrize("address", [None, "", "ftp://x", "javascript:1", "https://" + "x" * 5000])
def test_an_address_that_is_none_takes_no_command_along(address):
    given = {
        "command": "/order",
        "text": "1",
        "trigger_id": "t1",
        "user_id": PERSON,
        "channel_id": PLACE,
        "team_id": TEAM,
    }
    (message,) = form({**given, **({} if address is None else {"response_url": address})})
    assert (message.parts, message.route) == ((Text(text="/order 1"),), None)


@pytest.mark.parametrize(
    ("action", "name", "title"),
    [
        ({"value": "v", "text": {"text": "T"}}, "v", "T"),
        ({"selected_option": {"value": "v", "text": {"text": "T"}}}, "v", "T"),
        ({"selected_options": [{"value": n, "text": {"text": n.upper()}} for n in "ab"]}, "a, b", "A, B"),
        ({"selected_date": "2026-03-01"}, "what", "2026-03-01"),
        ({"selected_time": "08:00"}, "what", "08:00"),
        ({"selected_user": "U2"}, "what", "U2"),
        ({"selected_channel": "C2"}, "what", "C2"),
        ({"selected_conversation": "C3"}, "what", "C3"),
        ({"text": {"text": "T"}}, "what", "T"),
    ],
)
def test_what_was_picked_is_told(action, name, title):
    body = {"type": "block_actions", "user": {"id": PERSON}, "team": {"id": TEAM}, "channel": {"id": CHAT}}
    (message,) = form({**body, "actions": [{"action_id": "what", "action_ts": "1770091500.1", **action}]})
    assert message.parts == (Choice(id=name, title=title),)


# out


FAILURES = {
    "auth": """not_authed invalid_auth account_inactive token_revoked token_expired missing_scope no_permission
        not_allowed_token_type org_login_required ekm_access_denied access_denied accesslimited two_factor_setup_required
        team_access_not_granted""",
    "bad_address": """channel_not_found user_not_found users_not_found user_not_visible user_disabled not_in_channel
        cannot_dm_bot invalid_channel invalid_users channel_type_not_supported message_not_found thread_not_found
        invalid_thread_ts cannot_reply_to_message duplicate_channel_not_found user_not_in_channel""",
    "blocked": "messages_tab_disabled user_is_restricted",
    "too_long": "msg_too_long msg_blocks_too_long file_upload_size_restricted file_too_large",
    "malformed": """no_text invalid_arguments invalid_arg_name invalid_array_arg invalid_charset invalid_form_data invalid_json
        json_not_object invalid_post_type missing_post_type missing_argument invalid_blocks invalid_blocks_format
        invalid_attachments too_many_attachments invalid_metadata_format invalid_metadata_schema invalid_name""",
    "expired": "edit_window_closed used_url expired_url",
    "throttled": "ratelimited rate_limited",
    "unreachable": """fatal_error internal_error service_unavailable request_timeout team_added_to_org
        external_channel_migrating""",
    "refused": "is_archived restricted_action posting_to_channel_denied something_new",
}


@pytest.mark.parametrize(("code", "word"), [(code, one) for code, words in FAILURES.items() for one in words.split()])
def test_each_no_that_slack_documents_has_its_code(code, word):
    with pytest.raises(SendFailed) as failed:
        CHANNEL.outcome(Response.of_json({"ok": False, "error": word}))
    assert failed.value.reason == code
    assert word in failed.value.detail or code == "unreachable"


@pytest.mark.parametrize(
    ("status", "code"), [(403, "refused"), (404, "bad_address"), (413, "too_long"), (429, "throttled")]
)
def test_a_no_without_a_word_is_judged_by_its_status(status, code):
    with pytest.raises(SendFailed) as failed:
        CHANNEL.outcome(Response(status=status, body=b"no"))
    assert failed.value.reason == code


def test_every_kind_of_file_is_shown():
    assert CHANNEL.capabilities.media == dict.fromkeys(("image", "audio", "video", "file", "sticker"), "full")


def question(*, options=1, title="t", name="n", text="Which?"):
    return Choices(text=text, options=tuple(Option(id=f"{name}{n}", title=title) for n in range(options)))


@pytest.mark.parametrize(
    ("part", "becomes"),
    [
        (Text(text="🍎" * 4000), ["text"]),
        (Text(text="🍎" * 4001), ["text", "text"]),
        (question(options=25), ["choices"]),
        (question(options=26), ["text"]),
        (question(title="t" * 76), ["text"]),
        (question(name="n" * 1998), ["choices"]),
    ],
)
def test_what_slack_allows_is_sent_whole_and_no_more(part, becomes):
    assert [piece.kind for piece in fit([part], CHANNEL.capabilities).pieces] == becomes


def test_an_id_that_slack_would_not_hand_back_is_refused_early():
    with pytest.raises(Refusal) as refused:
        fit([question(name="n" * 2000)], CHANNEL.capabilities)
    assert refused.value.reason == "too_long"


@pytest.mark.parametrize("part", [question(options=25, title="t" * 75, name="n" * 1998, text="x" * 4000), question()])
def test_what_we_offer_is_what_slacks_own_models_take(part):
    blocks = compose(Piece(id="p/0", to=CHAT, part=part))["blocks"]
    for block in blocks:
        Block.parse(block).validate_json()
    assert "".join(block["text"]["text"] for block in blocks[:-1]) == part.text


def test_words_mention_nobody_and_are_no_links():
    assert compose(Piece(id="p/0", to=CHAT, part=Text(text="<!channel> <@U1> & *x*")))["text"] == (
        "&lt;!channel&gt; &lt;@U1&gt; &amp; *x*"
    )


def test_an_agent_answers_each_message_in_its_own_thread():
    piece = Piece(id="p/0", to=CHAT, part=Text(text="hi"), references=(f"{CHAT}:1.1", f"{CHAT}:2.2"))
    posts = [
        json.loads(next(CHANNEL.outbound(ACCOUNT.model_copy(update={"agent": agent}), piece, CONTEXT)).body)
        for agent in (False, True)
    ]
    assert [one.get("thread_ts") for one in posts] == [None, "2.2"]


def test_a_thread_of_another_channel_is_not_answered_here():
    piece = Piece(id="p/0", to=CHAT, part=Text(text="hi"), reply_to="D9:1.1:0.1", references=("D9:2.2:0.1",))
    assert "thread_ts" not in json.loads(next(CHANNEL.outbound(ACCOUNT, piece, CONTEXT)).body)


def test_an_address_that_came_with_a_command_is_a_public_one_and_sees_no_token():
    route = "https://hooks.slack.com/commands/T1/1/x"
    piece = Piece(id="p/0", to=f"{PLACE}:only:{PERSON}", part=Text(text="hi"), route=route)
    asked = next(CHANNEL.outbound(ACCOUNT, piece, CONTEXT))
    assert (asked.url, asked.stranger, "authorization" in asked.headers) == (route, True, False)
    assert asked.shown_url == "https://hooks.slack.com***"


def test_who_must_wait_is_the_channel():
    piece = Piece(id="p/0", to=CHAT, part=Text(text="hi"))
    no = Response(status=429, headers={"retry-after": "7"}, body=b'{"ok":false,"error":"ratelimited"}')
    failed, _ = driven(CHANNEL.outbound(ACCOUNT, piece, CONTEXT), no)
    assert (failed.reason, failed.scope, failed.retry_after) == ("throttled", "peer", timedelta(seconds=7))


def test_a_post_that_nobody_answered_is_unknown_and_is_not_repeatable():
    piece = Piece(id="p/0", to=CHAT, part=Text(text="hi"))
    failed, _ = driven(CHANNEL.outbound(ACCOUNT, piece, CONTEXT), ok(ok=False, error="fatal_error"))
    assert (failed.reason, CHANNEL.capabilities.idempotent_for, CHANNEL.join_key(piece)) == ("unknown", None, "p/0")


# files

FILE = Media(media="image", state="stored", blob="b/1", mime_type="image/png", name="map.png", size=9)
UPLOADED = (ok(upload_url="https://files.slack.com/upload/v1/k", file_id="F1"), Response(body=b"OK - 9"))
LOST = SendFailed("unknown", "ServerDisconnectedError")


@pytest.mark.parametrize(
    ("answers", "comes_to"),
    [
        ([LOST, ok(file={"shares": {"private": {CHAT: [{"ts": "3.3"}, {"ts": "4.4"}]}}})], (f"{CHAT}:3.3",)),
        ([LOST, ok(file={"shares": {"public": {PLACE: [{"ts": "3.3", "thread_ts": "2.2"}]}}})], (f"{PLACE}:3.3:2.2", f"{PLACE}:3.3")),
        ([LOST, ok(file={"id": "F1"})], "unknown"),
        ([LOST, SendFailed("unreachable", "TimeoutError")], "unknown"),
        ([Response(status=503), ok(file={"shares": {}})], "unknown"),
        ([SendFailed("unreachable", "ClientConnectorError")], "unreachable"),
        ([ok(ok=False, error="channel_not_found")], "bad_address"),
    ],
)  # fmt: skip
def test_a_file_whose_answer_was_lost_is_asked_about(answers, comes_to):
    steps = CHANNEL.outbound(ACCOUNT, Piece(id="p/0", to=CHAT, part=FILE), CONTEXT)
    found, asked = driven(steps, *UPLOADED, *answers)
    assert (found.reason if isinstance(found, SendFailed) else found.external_ids) == comes_to
    assert sum(one.commits for one in asked) == 1


def test_an_upload_is_made_without_the_token_and_shown_in_no_log():
    steps = CHANNEL.outbound(ACCOUNT, Piece(id="p/0", to=CHAT, part=FILE), CONTEXT)
    _, asked = driven(steps, *UPLOADED, ok())
    assert (dict(asked[1].headers), asked[1].body.ref) == ({}, "b/1")
    assert asked[1].shown_url == "https://files.slack.com***"


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("https://files.slack.com/files-pri/T1-F1/a.png", True),
        ("https://slack.com/files-pri/T1-F1/a.png", True),
        ("http://files.slack.com/a.png", False),
        ("https://files.slack.com.evil.example/a.png", False),
        ("https://files.slack.com@evil.example/a.png", False),
        ("https://evil.example@files.slack.com/a.png", False),
        ("https://evil.example/?files.slack.com", False),
        ("https://notslack.com/a.png", False),
        ("//files.slack.com/a.png", False),
    ],
)
def test_only_slack_is_shown_the_token(address, ours):
    steps = CHANNEL.fetch(ACCOUNT, Media(media="image", handle="F1"), CONTEXT)
    download, _ = driven(steps, ok(file={"url_private_download": address}))
    assert ("authorization" in download.request.headers, download.request.stranger) == (ours, not ours)


@pytest.mark.parametrize("who", [PERSON, BOT])
def test_a_notice_of_a_channel_is_nobodys_message_not_ours_either(who):
    (joined,) = read(said(channel=PLACE, subtype="channel_join", text="x", user=who))
    assert not joined.echo
    assert joined.parts == (Notice(type="joined"),)
    assert not joined.assessment.may_auto_answer
