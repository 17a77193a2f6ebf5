"""X Chat is opened as X's own kit seals it: the other side of each conversation here is that kit."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from chat_xdk import Chat
from pydantic import SecretStr

from services.social_adapter.channels.x import CHANNEL, Account, App
from shared.contract.channel import Context, Request, Response, StaysSealed
from shared.contract.envelope import Deletion, Edit, Notice, Reaction, Text, Unsupported
from shared.inbound import translate

SHOP, DARA, SOK = "1570001112223334445", "1688000111222333444", "1688000111222333555"
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)


def text(number: int, value: str | bytes) -> bytes:
    """A field of Thrift's binary protocol, in which X writes an event: …/specs/thrift-binary-protocol.md."""
    value = value.encode() if isinstance(value, str) else value
    return b"\x0b" + number.to_bytes(2, "big") + len(value).to_bytes(4, "big") + value


def struct(number: int, *fields: bytes) -> bytes:
    return b"\x0c" + number.to_bytes(2, "big") + b"".join(fields) + b"\0"


class Person:
    """Somebody with the kit in their hands, and the keys that X tells of them."""

    def __init__(self, name: str) -> None:
        self.name, self.kit, self.version = name, Chat(), f"v{name[-3:]}"
        self.told = self.kit.generate_keypairs().public_key
        self.kit.set_identity(name, self.version)

    @property
    def public(self) -> dict[str, str]:
        """As GET /2/users/{id}/public_keys."""
        names = ("public_key", "signing_public_key", "identity_public_key_signature")
        return {"public_key_version": self.version, **{name: getattr(self.told, name) for name in names}}

    @property
    def secret(self) -> str:
        return base64.b64encode(bytes(self.kit.export_keys())).decode()


class Conversation:
    """What X makes of what `by` says to the others."""

    def __init__(self, by: Person, *others: Person, place: str | None = None) -> None:
        keys = [
            {"user_id": one.name, "public_key": one.told.public_key, "key_version": one.version}
            for one in (by, *others)
        ]
        self.by, self.key = by, by.kit.prepare_conversation_key_change(keys, conversation_id=place)
        self.place, self.sent = self.key["conversation_id"], 0
        (act,) = self.key["action_signatures"]
        self.change = self.event(act["encoded_message_event_detail"], act)

    def event(self, detail: str, act: dict[str, str]) -> str:
        self.sent += 1
        signed = [
            text(number, act[name])
            for number, name in enumerate(("signature", "public_key_version", "signature_version"), 1)
        ]
        head = [str(self.sent), act["message_id"], self.by.name, self.place, "token", "1795147195000"]
        fields = [text(number, value) for number, value in enumerate(head, 1)]
        inner = base64.b64decode(detail)
        return base64.b64encode(b"".join(fields) + b"\x0c\x00\x07" + inner + struct(9, *signed) + b"\0").decode()

    def says(self, act: str, *words: object, **more: object) -> str:
        """By one of the kit's `encrypt_…`."""
        key = {
            "conversation_key": self.key["conversation_key"],
            "conversation_key_version": self.key["conversation_key_version"],
        }
        made = getattr(self.by.kit, f"encrypt_{act}")(*words, **more, **key)
        signed = {
            "message_id": made.message_id,
            "signature": made.signature,
            "public_key_version": self.by.version,
            "signature_version": "7",
        }
        created = b"\x0c\x00\x01" + base64.b64decode(made.encrypted_content) + b"\0"
        return self.event(base64.b64encode(created).decode(), signed)


@pytest.fixture(scope="module")
def people() -> dict[str, Person]:
    return {name: Person(name) for name in (SHOP, DARA, SOK)}


@pytest.fixture(scope="module")
def talk(people):
    return Conversation(people[DARA], people[SHOP])


def account(people, **more):
    shop = people[SHOP]
    given = {"chat_keys": SecretStr(shop.secret), "chat_key_version": shop.version, **more}
    return Account(name="main", user_id=SHOP, client_id="c", client_secret="s", refresh_token="r", **given)


def known(people, *names):
    return {
        f"keys/{name}": looked_up(people, f"keys/{name}", Response.of_json({"data": [people[name].public]}))
        for name in names
    }


def looked_up(people, name, answer):
    steps = CHANNEL.lookup(account(people), name, Context(now=NOW, token=SecretStr("t")))
    return translate.answer(steps, given=lambda _: answer, outcome=CHANNEL.outcome).value


def received(talk, event, *, change=True, sender=None, place=None):
    """As the webhook brings it."""
    payload = {"id": "e4f4d3fc", "created_at_msec": "1795147195000", "sender_id": sender or talk.by.name,
               "conversation_id": place or talk.place, "encoded_event": event}  # fmt: skip
    payload |= {"conversation_key_change_event": talk.change} if change else {}
    data = {"event_uuid": "-7", "filter": {"user_id": SHOP}, "event_type": "chat.received", "payload": payload}
    app = App(name="main", client_secret="s")
    (message,) = translate.read_each(CHANNEL, app, Request(body=orjson.dumps({"data": data})), Context(now=NOW))
    return message


def opened(people, talk, event, **how):
    return CHANNEL.unseal(account(people), received(talk, event, **how), known(people, SHOP, talk.by.name))


SEQ = "11"


@pytest.mark.parametrize(
    ("act", "words", "more", "parts"),
    [
        ("message", ("Is it still open?",), {}, (Text(text="Is it still open?"),)),
        ("message", ("ម៉ោង ៨ ព្រឹក",), {}, (Text(text="ម៉ោង ៨ ព្រឹក"),)),
        (
            "message",
            ("See",),
            {"attachments": [{"attachment_type": "media", "media_hash_key": "h", "width": 1, "height": 2, "filesize_bytes": 3, "filename": "a.jpg", "media_type": 1}]},
            (Text(text="See"), Unsupported(type="image", text="a.jpg")),
        ),
        ("message", ("",), {"attachments": [{"attachment_type": "url", "url": "https://krusa.example/"}]}, (Unsupported(type="Url", text="https://krusa.example/"),)),
        ("edit", (), {"updated_text": "At nine", "target_message_sequence_id": SEQ}, (Edit(target=SEQ), Text(text="At nine"))),
        ("add_reaction", (None, "👍"), {"target_message_sequence_id": SEQ}, (Reaction(target=SEQ, emoji="👍"),)),
        ("remove_reaction", (None, "👍"), {"target_message_sequence_id": SEQ}, (Reaction(target=SEQ, emoji="👍", removed=True),)),
    ],
)  # fmt: skip
def test_what_the_kit_seals_is_opened(people, talk, act, words, more, parts):
    where = {"conversation_id": talk.place} if act != "message" else {}
    first = (talk.place,) if act == "message" else ()
    found = opened(people, talk, talk.says(act, *first, *words, **where, **more))
    assert found.parts == parts
    assert found.external_ids == ("e4f4d3fc", str(talk.sent)), "X names messages by their number too"
    assert (found.peer, found.sender.address) == (DARA, DARA)


def test_an_answer_names_what_it_answers(people, talk):
    event = talk.says(
        "reply", talk.place, "At nine", reply_to_sequence_id=SEQ, reply_to_sender_id=int(SHOP), reply_to_text="When?"
    )
    found = opened(people, talk, event)
    assert (found.parts, found.thread.reply_to) == ((Text(text="At nine"),), SEQ)


def test_what_was_deleted_for_all_is_gone(people, talk):
    act = talk.by.kit.prepare_message_delete(talk.place, [SEQ], True)
    found = opened(people, talk, talk.event(act["encoded_message_event_detail"], act))
    assert found.parts == (Deletion(target=SEQ),)


def test_a_new_key_is_told_and_nobodys_words(people, talk):
    found = opened(people, talk, talk.change)
    assert found.parts == (Notice(type="other", text="KeyChange"),)
    assert not found.assessment.may_auto_answer


def test_the_key_of_a_conversation_is_asked_for_where_it_does_not_come_along(people, talk):
    message = received(talk, talk.says("message", talk.place, "Hello"), change=False)
    place = f"conversation/{talk.place}"
    assert message.sealed.needs == (f"keys/{DARA}", f"keys/{SHOP}", place)
    answer = Response.of_json({"data": [], "meta": {"conversation_key_events": [talk.change]}})
    found = {**known(people, SHOP, DARA), place: looked_up(people, place, answer)}
    assert CHANNEL.unseal(account(people), message, found).parts == (Text(text="Hello"),)


def test_in_a_group_who_has_given_the_key_is_one_of_those_whose_keys_are_known(people):
    group = Conversation(people[SOK], people[SHOP], people[DARA], place="g1795000000000000001")
    found = opened(people, group, group.says("message", group.place, "Both of you"))
    assert (found.parts, found.peer, found.surface) == ((Text(text="Both of you"),), group.place, "group")


def closed(people, message, found=None, **more):
    with pytest.raises(StaysSealed) as stays:
        CHANNEL.unseal(account(people, **more), message, known(people, SHOP, DARA) if found is None else found)
    return stays.value.detail


def test_what_does_not_open_says_why_and_none_of_its_words(people, talk):
    event = talk.says("message", talk.place, "a word of theirs")
    message = received(talk, event)
    bad = bytearray(base64.b64decode(event))
    bad[bad.index(b"\x0b\x00\x64") + 40] ^= 1
    broken = received(talk, base64.b64encode(bytes(bad)).decode())
    whys = [
        closed(people, message, {}),
        closed(people, received(talk, event, change=False)),
        closed(people, message, known(people, SHOP)),
        closed(people, broken),
        closed(people, received(talk, "AAAA")),
        closed(people, received(talk, event, sender=SOK)),
        closed(people, received(talk, event, place=f"{SOK}:{SHOP}")),
        closed(people, message, chat_keys=SecretStr(people[SOK].secret)),
        closed(people, message, chat_keys=SecretStr("no keys")),
    ]
    assert all(whys)
    assert not any("word of theirs" in why or people[SHOP].secret in why for why in whys)


def test_a_key_of_theirs_that_cannot_be_used_leaves_the_others_usable(people):
    answer = Response.of_json({"data": [{"public_key_version": "v0"}, people[DARA].public]})
    assert list(looked_up(people, f"keys/{DARA}", answer)) == [people[DARA].version]


def test_only_an_account_with_keys_opens_anything(people):
    assert CHANNEL.unseals(account(people))
    assert not CHANNEL.unseals(account(people, chat_keys=SecretStr("")))
    with pytest.raises(ValueError, match="chat_key_version"):
        account(people, chat_key_version="")


def test_private_keys_are_shown_to_nobody(people):
    one = account(people)
    message = received(Conversation(people[DARA], people[SHOP]), "AAAA")
    assert people[SHOP].secret not in repr(one) + repr(replace(message))
