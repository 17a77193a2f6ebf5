"""What is WhatsApp's own, beyond the suite that every channel passes."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from pydantic import SecretStr, ValidationError

from services.chat_adapter.channels.whatsapp import CHANNEL
from services.chat_adapter.channels.whatsapp.outbound import recipient
from services.chat_adapter.channels.whatsapp.tables import SUBSCRIBED
from services.cli.wire import parse_http
from shared.contract.channel import Context, Malformed, Message, Piece, Request, Response, SendFailed, TypingMark
from shared.contract.envelope import Media, Party, Text, Unsupported
from shared.inbound import translate
from shared.inbound.translate import stamp

CONTEXT = Context(now=datetime(2026, 2, 3, tzinfo=UTC))
APP = CHANNEL.app(name="main", secret="app-secret", verify_token="tonle-sap", app_id="700")
ACCOUNT = CHANNEL.account(name="main", phone_number_id="410", waba_id="520", token="EAAG-x")
PICTURE = Media(media="image", state="stored", blob="default/ab/abcd", mime_type="image/png", size=7, name="a.png")


def ended(steps, *answers):
    """The requests that an exchange makes, and what it comes to."""
    asked = [next(steps)]
    for answer in answers:
        try:
            asked.append(steps.send(answer))
        except StopIteration as end:
            return asked, end.value
    raise AssertionError("the exchange wants more answers")


def body(*messages, **value):
    metadata = {"display_phone_number": "85523900100", "phone_number_id": "410"}
    content = {"metadata": metadata, "messages": list(messages), **value}
    change = {"field": "messages", "value": content}
    payload = {"object": "whatsapp_business_account", "entry": [{"id": "520", "changes": [change]}]}
    return Request(body=json.dumps(payload).encode())


def text(name, words="hi", **more):
    return {
        "from": "85512345678",
        "id": name,
        "timestamp": "1770091500",
        "type": "text",
        "text": {"body": words},
        **more,
    }


def test_an_account_is_its_phone_number_id_and_several_share_an_app():
    assert (ACCOUNT.key, ACCOUNT.receiver) == ("410", "main")
    assert (
        CHANNEL.account(name="second", app="main", phone_number_id="411", waba_id="520", token="x").receiver == "main"
    )


@pytest.mark.parametrize(
    "wrong", [{"phone_number_id": "410/../me"}, {"waba_id": "me"}, {"version": "26"}, {"token": ""}]
)
def test_settings_that_would_ask_for_something_else_are_refused(wrong):
    good = {"name": "main", "phone_number_id": "410", "waba_id": "520", "token": "x"}
    with pytest.raises(ValidationError):
        CHANNEL.account.model_validate({**good, **wrong})


def test_register_tells_where_to_send_and_for_which_account_and_looks_at_the_number():
    address = "https://parley.example.org/hooks/whatsapp/main"
    asked, _ = ended(
        CHANNEL.register(APP, ACCOUNT, replace(CONTEXT, hook=address)), *[Response.of_json({"success": True})] * 3
    )
    assert [(one.method, one.url) for one in asked] == [
        ("POST", "https://graph.facebook.com/v26.0/700/subscriptions"),
        ("POST", "https://graph.facebook.com/v26.0/520/subscribed_apps"),
        ("GET", "https://graph.facebook.com/v26.0/410?fields=display_phone_number%2Cverified_name"),
    ]
    assert json.loads(asked[0].body) == {
        "object": "whatsapp_business_account",
        "callback_url": address,
        "fields": ",".join(SUBSCRIBED),
        "verify_token": "tonle-sap",
    }
    assert [one.headers["authorization"] for one in asked] == ["Bearer 700|app-secret", *["Bearer EAAG-x"] * 2]
    assert not any(one.commits for one in asked), "to register again does no harm"


def test_an_upload_says_the_bare_type_and_lives_less_than_thirty_days():
    voice = PICTURE.model_copy(update={"media": "audio", "mime_type": "Audio/OGG; codecs=opus"})
    (asked,), handle = ended(CHANNEL.upload(ACCOUNT, voice, CONTEXT), Response.of_json({"id": "9001"}))
    fields = {field.name: field.value for field in asked.body}
    assert (fields["messaging_product"], fields["type"], fields["file"].mime_type) == ("whatsapp", *["audio/ogg"] * 2)
    assert (asked.url, asked.commits) == ("https://graph.facebook.com/v26.0/410/media", False)
    assert handle.value == "9001"
    assert timedelta(days=28) < handle.expires_in < timedelta(days=30)


def test_a_file_that_is_not_stored_is_not_uploaded():
    with pytest.raises(SendFailed):
        next(CHANNEL.upload(ACCOUNT, PICTURE.model_copy(update={"blob": None}), CONTEXT))


def fetched(url, account=ACCOUNT):
    media = Media(media="image", handle="275/../me", mime_type="image/png", name="a.png")
    answer = Response.of_json({"url": url, "mime_type": "image/jpeg", "id": "275"})
    return ended(CHANNEL.fetch(account, media, CONTEXT), answer)


def test_a_file_is_fetched_by_a_link_with_the_token():
    (asked,), download = fetched("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=275")
    assert asked.url == "https://graph.facebook.com/v26.0/275%2F..%2Fme?phone_number_id=410"
    assert download.request.headers == {"authorization": "Bearer EAAG-x"}
    assert (download.mime_type, download.name, download.request.commits) == ("image/jpeg", "a.png", False)


def test_the_token_leaves_in_clear_only_to_the_host_that_the_account_names():
    with pytest.raises(SendFailed):
        fetched("http://lookaside.example/attachments?mid=275")
    local = ACCOUNT.model_copy(update={"api": "http://127.0.0.1:9000"})
    _, download = fetched("http://127.0.0.1:9000/attachments?mid=275", local)
    assert download.request.url == "http://127.0.0.1:9000/attachments?mid=275"
    with pytest.raises(SendFailed):
        fetched("http://127.0.0.1:9001/attachments?mid=275", local)


def test_the_window_is_a_day_and_then_templates_go_on():
    at = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
    message = Message(
        account_key="410",
        event_key="1",
        peer="855",
        sender=Party(address="855"),
        parts=(Text(text="x"),),
        occurred_at=at,
    )
    window = CHANNEL.window(ACCOUNT, message)
    assert (window.until, window.allows) == (at + timedelta(hours=24), ("free_text", "template"))
    assert CHANNEL.capabilities.starts == "template"


@pytest.mark.parametrize(
    ("sample", "opens"),
    [
        ("text_khmer", True),
        ("text_without_phone", True),
        ("button_reply", True),
        ("unsupported", True),
        ("call", True),
        ("call_missed", True),
        ("reaction", False),
        ("reaction_removed", False),
        ("edit_text", False),
        ("revoke", False),
        ("system_number_changed", False),
        ("system_user_id_changed", False),
        ("user_id_update", False),
        ("echo_text", False),
    ],
)
def test_only_what_a_person_writes_or_a_call_of_theirs_opens_the_window(sample, opens):
    request = parse_http((Path(__file__).parent / f"{sample}.in.http").read_bytes())
    (message,) = CHANNEL.inbound(APP, request, CONTEXT)
    stamped = stamp(message, channel=CHANNEL, account=ACCOUNT, received_at=message.occurred_at)
    assert (stamped.window is not None) == opens


@pytest.mark.parametrize("sample", ["status_sent", "status_failed_window", "call_begins", "call_of_the_business"])
def test_what_says_nothing_of_a_person_is_no_message_that_could_open_a_window(sample):
    request = parse_http((Path(__file__).parent / f"{sample}.in.http").read_bytes())
    assert [one for one in CHANNEL.inbound(APP, request, CONTEXT) if isinstance(one, Message)] == []


def test_typing_names_the_message_answered_and_marks_it_read():
    request = next(CHANNEL.typing(ACCOUNT, TypingMark(to="855", reply_to="wamid.1"), CONTEXT))
    assert request.url == "https://graph.facebook.com/v26.0/410/messages"
    assert json.loads(request.body) == {
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": "wamid.1",
        "typing_indicator": {"type": "text"},
    }
    assert list(CHANNEL.typing(ACCOUNT, TypingMark(to="855"), CONTEXT)) == []


def test_what_cannot_be_read_is_said_to_be_so_and_holds_up_nothing_beside_it():
    torn = text("wamid.1")
    del torn["text"]
    status = {"id": "wamid.9", "status": "read", "timestamp": "1"}
    records = CHANNEL.inbound(APP, body(torn, text("wamid.2"), statuses=[status]), CONTEXT)
    first, second, third = records
    assert (first.parts, second.parts) == ((Unsupported(type="text"),), (Text(text="hi"),))
    assert isinstance(third, Malformed), "nobody is named"


@pytest.mark.parametrize("junk", [None, 7, {}, "", "x" * 999])
@pytest.mark.parametrize("name", ["type", "from_user_id", "from_parent_user_id"])
def test_who_wrote_is_shown_whatever_is_said_of_them_and_of_the_kind(name, junk):
    records = tuple(CHANNEL.inbound(APP, body(text("wamid.1", **{name: junk})), CONTEXT))
    (written,) = records
    assert (written.peer, written.sender.address, written.external_id) == ("85512345678", "85512345678", "wamid.1")
    assert written.sender.aliases == ()
    translate.stamp(written, channel=CHANNEL, account=ACCOUNT, received_at=CONTEXT.now)


@pytest.mark.parametrize("junk", [None, 7, {}, "", "x" * 999])
@pytest.mark.parametrize("name", ["wa_id", "user_id", "parent_user_id", "profile"])
def test_a_contact_that_cannot_be_read_takes_no_message_along(name, junk):
    contact = {"profile": {"name": "Dara"}, "wa_id": "85512345678", name: junk}
    (written,) = CHANNEL.inbound(APP, body(text("wamid.1"), contacts=[contact]), CONTEXT)
    assert (written.peer, written.sender.aliases, written.parts) == ("85512345678", (), (Text(text="hi"),))


def test_who_wrote_is_found_among_several_contacts():
    contacts = [
        {"profile": {"name": "Sok"}, "wa_id": "85599999999", "user_id": "KH.9"},
        {"profile": {"name": "Dara"}, "wa_id": "85512345678", "user_id": "KH.1"},
    ]
    (message,) = CHANNEL.inbound(APP, body(text("wamid.1"), contacts=contacts), CONTEXT)
    assert (message.sender.name, message.sender.aliases) == ("Dara", ("KH.1",))
    strangers = [replace_wa(one, "8551111") for one in contacts]
    (message,) = CHANNEL.inbound(APP, body(text("wamid.1"), contacts=strangers), CONTEXT)
    assert (message.sender.name, message.sender.aliases) == (None, ()), "none of several is guessed"


def test_an_only_contact_is_the_sender_only_where_nothing_says_otherwise():
    lupe = {"profile": {"name": "Lupe"}, "wa_id": "525512345678"}

    def names(*messages, contact=lupe):
        return [one.sender.name for one in CHANNEL.inbound(APP, body(*messages, contacts=[contact]), CONTEXT)]

    spelled = text("wamid.1", **{"from": "5215512345678"})
    assert names(spelled) == ["Lupe"]
    assert names(spelled, text("wamid.2")) == [None, None]
    assert names({**spelled, "from_user_id": "MX.1"}, contact={**lupe, "user_id": "MX.2"}) == [None]


def replace_wa(contact, prefix):
    return {**contact, "wa_id": prefix + contact["wa_id"][-4:], "user_id": "KH.0"}


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=30))
def test_every_peer_is_a_number_an_id_or_a_group(peer):
    found = recipient(peer)
    assert peer in (found.get("to"), found.get("recipient"))
    assert ("recipient" in found) + ("to" in found) == 1


@pytest.mark.parametrize(
    ("peer", "found"),
    [
        ("85512345678", {"recipient_type": "individual", "to": "85512345678"}),
        ("KH.1502576394655843", {"recipient_type": "individual", "recipient": "KH.1502576394655843"}),
        ("US.ENT.11815799212886844830", {"recipient_type": "individual", "recipient": "US.ENT.11815799212886844830"}),
        ("Y2FwaV9ncm91cDo4NTU", {"recipient_type": "group", "to": "Y2FwaV9ncm91cDo4NTU"}),
    ],
)
def test_whom_a_peer_means(peer, found):
    assert recipient(peer) == found


def test_the_token_and_the_secret_are_in_no_address():
    piece = Piece(id="p", to="855", part=Text(text="hi"))
    request = next(CHANNEL.outbound(ACCOUNT, piece, CONTEXT))
    assert "EAAG-x" not in request.url
    assert replace(request, headers={}).shown_url == request.url
    assert isinstance(APP.secret, SecretStr)
