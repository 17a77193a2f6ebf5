"""What every channel must hold, over the samples in its folder; a new channel needs no test code.

`NAME.in.http`: a request as the provider sends it, or `NAME.eml`: a mail, with `NAME.json`: the records that it becomes
(of a mail also its envelope, where that matters, and its files).
`NAME.out.json`: a piece, the exchange that sends it, and what came of it. `NAME.profile.json`: someone's address and,
where it is another, the peer of what they wrote, the
exchange that asks who it is, and what is known then; `account`: settings that differ. `NAME.amend.json`: a change of a
message that stands there (`amendment`), the exchange that makes it, and `done` or how it `failed`. `settings.json`: app, account and the time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given, settings as tuned, strategies as st
from pydantic import BaseModel, SecretStr, TypeAdapter

from services.chat_adapter import registry as chat
from services.cli.wire import parse_http
from services.email_adapter import registry as email
from services.social_adapter import registry as social
from shared.contract import codes
from shared.contract.channel import (
    Account,
    Amendment,
    App,
    Asked,
    Blob,
    Capabilities,
    Channel,
    Context,
    Encoded,
    Handle,
    Http,
    Incoming,
    Mail,
    MailRead,
    Message,
    Piece,
    Receipt,
    Request,
    Response,
    Sent,
    Smtp,
    TypingMark,
    TypingSeen,
)
from shared.contract.codes import CODES, FAMILIES
from shared.contract.envelope import (
    AMENDS,
    Choices,
    Contact,
    Envelope,
    Location,
    Media,
    MediaKind,
    Notice,
    Option,
    Part,
    Party,
    Template,
    Text,
)
from shared.contract.errors import AlreadySent, Malformed, Refusal, SendFailed, Torn, Unverified
from shared.contract.fit import fit
from shared.contract.readable import readable
from shared.contract.text import measure
from shared.inbound import translate

HERE = Path(__file__).parent
REGISTRIES = {"chat": chat.CHANNELS, "social": social.CHANNELS, "email": email.CHANNELS}
CHANNELS: dict[str, Channel] = {name: channel for registry in REGISTRIES.values() for name, channel in registry.items()}
WEBHOOKS = [name for name, channel in CHANNELS.items() if channel.inbound]
MAILS = [name for name, channel in CHANNELS.items() if channel.mail]
ASKED = [name for name, channel in CHANNELS.items() if channel.profile]
SENDERS = [name for name in (*WEBHOOKS, *MAILS) if CHANNELS[name].outbound]
AMENDERS = [name for name in SENDERS if CHANNELS[name].amend]
UNPROVING = {"host", "content-type", "content-length", "user-agent", "accept", "accept-encoding", "connection"}
TYPES = {Message: "message", Receipt: "receipt", TypingSeen: "typing"}


@dataclass(frozen=True)
class Bench:
    """One channel on the bench: its settings, its samples."""

    channel: Channel
    app: App
    account: Account
    context: Context
    to: str = "12345"

    @property
    def folder(self) -> Path:
        return HERE / self.channel.name

    def read(self, request: Request) -> tuple[Incoming, ...]:
        """Those of its events that can be read."""
        return tuple(one for one in self.read_each(request) if not isinstance(one, Malformed))

    def read_each(self, request: Request) -> tuple[Incoming | Malformed, ...]:
        return translate.read_each(self.channel, self.app, request, self.context)

    def read_mail(self, mail: Mail) -> MailRead:
        return translate.read_mail(self.channel.mail, self.account, mail, self.context)

    def verify(self, request: Request) -> None:
        translate.verify(self.channel, self.app, request, self.context)

    def stamp(self, incoming: Incoming) -> BaseModel:
        return translate.stamp(incoming, channel=self.channel, account=self.account, received_at=self.context.now)

    def secrets(self) -> list[str]:
        values = (*vars(self.app).values(), *vars(self.account).values())
        return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]


@cache
def bench(name: str) -> Bench:
    channel = CHANNELS[name]
    told = orjson.loads((HERE / name / "settings.json").read_bytes())
    return Bench(
        channel,
        channel.app.model_validate({"name": "main", **told["app"]}),
        channel.account.model_validate({"name": "main", **told["account"]}),
        Context(
            now=datetime.fromisoformat(told["now"]),
            nonce="0123456789abcdef",
            secret=SecretStr(told.get("secret", "")),
        ),
        told.get("to", "12345"),
    )


def samples(names: list[str], suffix: str) -> list[Any]:
    paths = [(name, path) for name in names for path in sorted((HERE / name).glob(f"*{suffix}"))]
    return [pytest.param(name, path, id=f"{name}-{path.name.removesuffix(suffix)}") for name, path in paths]


@cache
def requests(name: str) -> tuple[Request, ...]:
    return tuple(parse_http(path.read_bytes()) for path in sorted((HERE / name).glob("*.in.http")))


def mail_of(path: Path) -> Mail:
    """A sample's mail, in the envelope that its NAME.json names."""
    envelope = orjson.loads(path.with_suffix(".json").read_bytes()).get("envelope", {})
    return Mail(path.read_bytes(), envelope.get("sender", ""), tuple(envelope.get("recipients", ())))


def plain(value: Any) -> Any:
    """A value as JSON, without what was left at its default."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return orjson.loads(orjson.dumps(value, option=orjson.OPT_UTC_Z))


def told(record: Incoming | Malformed) -> dict[str, Any]:
    """A record in the words of a sample's NAME.json."""
    if isinstance(record, Malformed):
        return {"type": "malformed"}
    values = {field.name: getattr(record, field.name) for field in fields(record) if _is_told(record, field)}
    return {"type": TYPES[type(record)], **{name: plain(value) for name, value in values.items()}}


def _is_told(record: Incoming, field: Any) -> bool:
    return field.default is MISSING or getattr(record, field.name) != field.default


# the suite itself


def test_every_channel_is_registered_once_in_its_own_family():
    assert sum(map(len, REGISTRIES.values())) == len(CHANNELS)
    for family in FAMILIES:
        for name, channel in REGISTRIES[family].items():
            assert (name, codes.CHANNELS[name]) == (channel.name, family)


@pytest.mark.parametrize("name", [*WEBHOOKS, *MAILS])
def test_every_channel_brings_samples_of_both_directions(name):
    assert requests(name) or samples([name], ".eml"), f"add samples to tests/channels/{name}"
    assert bench(name).channel.verify or name in MAILS, "what comes by webhook must prove itself"
    if bench(name).channel.outbound:
        assert list(bench(name).folder.glob("*.out.json")), f"add NAME.out.json to tests/channels/{name}"


@pytest.mark.parametrize("name", [*WEBHOOKS, *MAILS])
def test_every_sample_in_has_its_expected_records(name):
    paths = {path.name.removesuffix(".in.http") for path in bench(name).folder.glob("*.in.http")}
    paths |= {path.stem for path in bench(name).folder.glob("*.eml")}
    expected = {path.name.removesuffix(".json") for path in bench(name).folder.glob("*.json")}
    assert paths == {one for one in expected if not one.endswith((".out", ".profile", ".amend")) and one != "settings"}


# in


@pytest.mark.parametrize(("name", "path"), samples(WEBHOOKS, ".in.http"))
def test_a_sample_is_verified_and_becomes_the_expected_records(name, path):
    request = parse_http(path.read_bytes())
    bench(name).verify(request)
    expected = orjson.loads(path.with_name(path.name.replace(".in.http", ".json")).read_bytes())
    found = bench(name).read_each(request)
    assert [told(record) for record in found] == expected["records"]
    assert [told(record) for record in bench(name).read_each(request)] == expected["records"]
    for record in bench(name).read(request):
        assert bench(name).stamp(record).model_dump_json()


@pytest.mark.parametrize("name", WEBHOOKS)
def test_what_comes_names_the_account_as_its_settings_do(name):
    named = {record.account_key for request in requests(name) for record in bench(name).read(request)}
    assert bench(name).account.key in named


@pytest.mark.parametrize("name", WEBHOOKS)
def test_what_was_taken_is_answered_with_a_yes(name):
    for request in requests(name):
        answer = bench(name).channel.accepted(bench(name).app, request, bench(name).context)
        assert 200 <= answer.status < 300


@pytest.mark.parametrize(("name", "path"), samples(MAILS, ".eml"))
def test_a_mail_becomes_the_expected_records_and_files(name, path):
    expected = orjson.loads(path.with_suffix(".json").read_bytes())
    found = bench(name).read_mail(mail_of(path))
    assert [told(record) for record in found.records] == expected["records"]
    assert {handle: shown_file(data) for handle, data in found.files.items()} == expected.get("files", {})
    assert bench(name).read_mail(mail_of(path)) == found
    for record in found.records:
        assert bench(name).stamp(record).model_dump_json()


def shown_file(data: bytes) -> dict[str, Any]:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@pytest.mark.parametrize("name", MAILS)
def test_every_mail_of_the_samples_has_a_key_of_its_own(name):
    mails = [bench(name).read_mail(mail_of(path)) for path in bench(name).folder.glob("*.eml")]
    keys = [record.event_key for mail in mails for record in mail.records]
    assert keys
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("name", WEBHOOKS)
def test_every_event_of_the_samples_has_a_key_of_its_own(name):
    keys = [
        record.event_key
        for request in requests(name)
        for record in bench(name).read(request)
        if isinstance(record, Message)
    ]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(("name", "path"), samples(WEBHOOKS, ".in.http"))
def test_what_proves_the_sender_cannot_be_left_out_or_changed(name, path):
    request = parse_http(path.read_bytes())
    proving = request.headers.keys() - UNPROVING
    assert proving
    for forged in forgeries(request, proving):
        with pytest.raises(Unverified):
            bench(name).verify(forged)


def forgeries(request: Request, proving: set[str]) -> Iterator[Request]:
    for header in proving:
        yield replace(request, headers={name: value for name, value in request.headers.items() if name != header})
        for changed in (*flipped(request.headers[header]), "", "é", "\ud800", "v1,"):
            yield replace(request, headers={**request.headers, header: changed})


def flipped(value: str) -> Iterator[str]:
    """With another character anywhere, or in the other case."""
    yield from (value[:at] + chr(ord(old) ^ 1) + value[at + 1 :] for at, old in enumerate(value))
    yield from {value.lower(), value.upper()} - {value}


@pytest.mark.parametrize("name", [name for name in WEBHOOKS if CHANNELS[name].signed])
def test_no_byte_of_a_signed_body_can_be_changed_added_or_cut(name):
    for request in requests(name):
        body = request.body
        changed = [body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] for at in range(len(body))]
        for forged in (*changed, body + b" ", body[:-1], b""):
            with pytest.raises(Unverified):
                bench(name).verify(replace(request, body=forged))


@pytest.mark.parametrize("name", [name for name in WEBHOOKS if not CHANNELS[name].signed])
def test_a_body_that_nothing_signs_is_torn_when_it_is_cut(name):
    for request in requests(name):
        with pytest.raises(Torn):
            bench(name).read(replace(request, body=request.body[: len(request.body) // 2]))


PERSON = ("name", "displayName", "language", "first_name", "last_name", "username", "locale", "timezone", "id", "error")
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["", "\x00", "9" * 400, "2026-01-01", "2026-01-01T00:00:00Z", 10**15, -1, 2**63, [], {}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def changed(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The tree with the value at the path; the value `...` takes away what is there."""
    if not path:
        return {} if value is ... else value
    key, rest = path[0], path[1:]
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    if not rest and value is ...:
        del copy[key]
    else:
        copy[key] = changed(copy[key], rest, value)
    return copy


@pytest.mark.parametrize("name", WEBHOOKS)
@tuned(max_examples=400)
@given(data=st.data())
def test_a_payload_of_another_shape_becomes_records_or_is_malformed_and_nothing_else(name, data):
    request = data.draw(st.sampled_from(requests(name)))
    try:
        tree = orjson.loads(request.body)
    except ValueError:
        pytest.skip("not a JSON channel")
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(tree))))
        tree = changed(tree, path, data.draw(JUNK | st.just(...)))
    check_translation(name, replace(request, body=orjson.dumps(tree)))


@pytest.mark.parametrize("name", WEBHOOKS)
@tuned(max_examples=150)
@given(data=st.data())
def test_bytes_of_any_kind_become_records_or_are_malformed_or_torn(name, data):
    request = data.draw(st.sampled_from(requests(name)))
    at = data.draw(st.integers(0, len(request.body)))
    noise = data.draw(
        st.binary(max_size=8) | st.sampled_from([b"[" * 5000, b"\\u0000", b'"\\ud800"', b"\xff", b"1e999"])
    )
    check_translation(name, replace(request, body=request.body[:at] + noise + request.body[at + len(noise) :]))


def check_translation(name: str, request: Request) -> None:
    try:
        found = bench(name).read(request)
        for one in bench(name).read_each(request):
            assert not isinstance(one, Malformed) or len(one.detail) < 300
        stamped = [bench(name).stamp(record) for record in found]
    except (Malformed, Torn) as refused:
        assert len(refused.detail) < 300
        return
    assert bench(name).read(request) == found
    for record in stamped:
        assert record.occurred_at <= bench(name).context.now
        value = record.model_dump_json()
        assert type(record).model_validate_json(value) == record
        assert "\\u0000" not in value.replace("\\\\", "")  # a backslash before "u0000" is no NUL
        assert all(getattr(record, "all_external_ids", ()))


# By what an event is told apart and whose it is, and which kind of thing it is: without these nothing can be shown.
NAMING = frozenset(
    [
        "account",
        "actor_chat",
        "app_id",
        "author",
        "changes",
        "chat",
        "comment_id",
        "contacts",
        "created_time",
        "data",
        "direct_messages_topic",
        "direction",
        "edit",
        "edit_date",
        "entry",
        "ephemeral_message_id",
        "event",
        "events",
        "field",
        "from",
        "from_user_id",
        "group_id",
        "id",
        "is_deleted",
        "is_echo",
        "item",
        "message_edit",
        "message_id",
        "message_reaction",
        "messages",
        "messaging",
        "metadata",
        "mid",
        "migrate_from_chat_id",
        "new_reaction",
        "old_reaction",
        "parent_id",
        "peer",
        "post_id",
        "reaction",
        "receiver_user",
        "recipient",
        "referred_product",
        "revoke",
        "sender",
        "sender_chat",
        "standby",
        "system",
        "target",
        "timestamp",
        "to",
        "to_user_id",
        "topic_id",
        "type",
        "update_id",
        "user",
        "user_id",
        "value",
        "verb",
        "wa_id",
        "container",
        "call",
        "calls",
        "message_echoes",
        "is_bot",
        "is_direct_messages",
        "callback_query",
        "message",
        "direct_messages",
        "address",
        "phone_number_id",
        "postback",
        "business_message",
        "channel_post",
        "inline_query",
        "teleportation",
        "destination",
        "groupId",
        "roomId",
        "source",
        "userId",
        "webhookEventId",
    ]
)


@pytest.mark.parametrize("name", WEBHOOKS)
def test_one_part_that_cannot_be_read_takes_no_message_along(name):
    """Whatever is broken beside the names: as many people have written as before, under the same names."""
    tried = 0
    for request in requests(name):
        before = whose(bench(name).read_each(request))
        tree = orjson.loads(request.body)
        for path in places(tree):
            if path and not NAMING & {path[-1]} and isinstance(path[-1], str) and before:
                for junk in (None, 7, [], {}, "\x00"):
                    broken = replace(request, body=orjson.dumps(changed(tree, path, junk)))
                    after = whose(bench(name).read_each(broken))
                    assert after.keys() >= before.keys(), (path, junk)
                    tried += 1
    assert tried > 50


def test_a_notice_is_nobodys_message():
    """It is all that its event says, and opens no window."""
    telling = set()
    for name in WEBHOOKS:
        for record in (one for request in requests(name) for one in bench(name).read(request)):
            if isinstance(record, Message) and any(isinstance(part, Notice) for part in record.parts):
                telling.add(name)
                assert len(record.parts) == 1
                assert bench(name).stamp(record).window is None
    assert telling >= {"telegram", "whatsapp", "facebook"}


def whose(found: tuple[Incoming | Malformed, ...]) -> dict[tuple[str, str], Message]:
    """What people wrote, that is no change of an earlier message, by whose conversation and event it is."""
    written = [one for one in found if isinstance(one, Message) and not isinstance(one.parts[0], (*AMENDS, Notice))]
    return {(one.peer, one.event_key): one for one in written}


@pytest.mark.parametrize("name", WEBHOOKS)
def test_an_event_from_the_future_happened_now(name):
    early = replace(bench(name).context, now=datetime.fromisoformat("2001-01-01T00:00:00+00:00"))
    for request in requests(name):
        for incoming in bench(name).read(request):
            record = translate.stamp(
                incoming, channel=CHANNELS[name], account=bench(name).account, received_at=early.now
            )
            assert record.occurred_at == early.now


# out


def shown(request: Asked) -> dict[str, Any]:
    """A request in the words of a sample's exchange."""
    if isinstance(request, Smtp):
        return _shown_mail(request)
    if isinstance(request.body, tuple):
        body: Any = [_field(one.name, one.value) for one in request.body]
    else:
        body = _file(request.body) if isinstance(request.body, Blob) else _json(request.body)
    return {"method": request.method, "url": request.url, "headers": dict(request.headers), "body": body}


def _shown_mail(request: Smtp) -> dict[str, Any]:
    """The mail by its lines, a file by its blob."""
    body = [
        {"blob": part.blob.ref, "mime_type": part.blob.mime_type, "filename": part.blob.name}
        if isinstance(part, Encoded)
        else part.decode().split("\r\n")
        for part in request.data
    ]
    envelope = {"sender": request.sender, "recipients": list(request.recipients), "security": request.security}
    return {"method": "SMTP", "url": f"{request.host}:{request.port}", "headers": envelope, "body": body}


def _field(name: str, value: str | Blob) -> dict[str, Any]:
    if isinstance(value, str):
        return {"name": name, "value": value}
    return {"name": name, **_file(value), "filename": value.name}


def _file(blob: Blob) -> dict[str, Any]:
    """Which bytes go, and what they become on their way where that is something else."""
    cut = {"start": blob.start, "length": blob.length} if blob.length is not None else {}
    through = {"through": type(blob.through).__name__} if blob.through else {}
    return {"blob": blob.ref, "mime_type": blob.mime_type, **cut, **through}


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body) if body else None
    except ValueError:
        return body.decode()


def answered(response: Mapping[str, Any]) -> Response:
    body = response.get("body", "")
    raw = body.encode() if isinstance(body, str) else orjson.dumps(body)
    return Response(status=response["status"], headers=response.get("headers", {}), body=raw)


@dataclass
class Provider:
    """Answers as a sample tells, and compares what it is asked."""

    exchange: list[dict[str, Any]]
    asked: list[Asked]

    def __call__(self, request: Asked) -> Response:
        step = self.exchange[len(self.asked)]
        self.asked.append(request)
        found, expected = shown(request), step["request"]
        assert found["headers"].items() >= expected.get("headers", {}).items()
        assert {**found, "headers": None} == {"body": None, **expected, "headers": None}
        return answered(step["response"])


def outcome(name: str, piece: Piece, provider: Provider) -> dict[str, Any]:
    """What came of a piece, in the words of a sample."""
    on = bench(name)
    try:
        steps = on.channel.outbound(on.account, piece, on.context)
        sent = translate.answer(steps, given=provider, outcome=on.channel.outcome)
    except AlreadySent as known:
        sent = Sent(external_ids=known.external_ids, join_key=known.join_key)
    except SendFailed as failed:
        wait = {"retry_after": failed.retry_after.total_seconds()} if failed.retry_after is not None else {}
        scope = {"scope": failed.scope} if failed.scope != "account" else {}
        return {"failed": {"code": failed.reason, **wait, **scope}}
    assert isinstance(sent, Sent)
    assert sent.external_ids or sent.join_key
    return {"sent": {name: plain(value) for name in ("external_ids", "join_key") if (value := getattr(sent, name))}}


@pytest.mark.parametrize(("name", "path"), samples(SENDERS, ".out.json"))
def test_a_piece_is_sent_as_the_provider_documents(name, path):
    sample = orjson.loads(path.read_bytes())
    provider = Provider(sample["exchange"], [])
    found = outcome(name, Piece.model_validate(sample["piece"]), provider)
    assert found == {key: sample[key] for key in ("sent", "failed") if key in sample}
    assert len(provider.asked) == len(sample["exchange"])
    assert sum(request.commits for request in provider.asked) <= 1
    if "sent" in found:
        assert sum(request.commits for request in provider.asked) == 1, "one request is what a person will see"


@pytest.mark.parametrize(("name", "path"), samples(SENDERS, ".out.json"))
def test_no_secret_is_in_the_address_that_logs_show(name, path):
    sample = orjson.loads(path.read_bytes())
    provider = Provider(sample["exchange"], [])
    outcome(name, Piece.model_validate(sample["piece"]), provider)
    for request in provider.asked:
        seen = repr(request) if isinstance(request, Smtp) else request.shown_url
        assert not any(secret in seen for secret in bench(name).secrets())


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
    assert isinstance(next(on.channel.outbound(on.account, piece, on.context)), Http | Smtp)


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


@pytest.mark.parametrize("name", SENDERS)
@tuned(max_examples=300)
@given(
    status=st.integers(100, 599),
    body=st.binary(max_size=40) | JUNK.map(orjson.dumps),
    retry=st.none() | st.text(max_size=12) | st.integers(-5, 10**12).map(str),
)
def test_every_answer_is_a_yes_or_a_typed_no(name, status, body, retry):
    response = Response(status=status, headers={"retry-after": retry} if retry is not None else {}, body=body)
    try:
        CHANNELS[name].outcome(response)
    except AlreadySent:
        assert status < 500
    except SendFailed as failed:
        assert failed.reason in CODES
        assert failed.retry_after is None or timedelta(0) <= failed.retry_after <= timedelta(days=7)
    else:
        assert status < 400


def known_of(name: str, sample: Mapping[str, Any], provider: Callable[[Asked], Response]) -> dict[str, Any]:
    """What is known of someone after asking, in the words of a sample."""
    on = bench(name)
    account = on.account.model_validate({**vars(on.account), **sample.get("account", {})})
    try:
        steps = on.channel.profile(account, sample["address"], sample.get("peer", sample["address"]), on.context)
        found = translate.answer(steps, given=provider, outcome=on.channel.outcome)
    except SendFailed as failed:
        wait = {"retry_after": failed.retry_after.total_seconds()} if failed.retry_after is not None else {}
        return {"failed": {"code": failed.reason, **wait}}
    assert isinstance(found, Party)
    return {"profile": plain(found)}


@pytest.mark.parametrize("name", ASKED)
def test_whoever_can_be_asked_about_brings_samples(name):
    told = [orjson.loads(path.read_bytes()) for path in bench(name).folder.glob("*.profile.json")]
    assert any("name" in one.get("profile", {}) for one in told), f"add NAME.profile.json to tests/channels/{name}"
    assert any("failed" in one for one in told), f"add a refused NAME.profile.json to tests/channels/{name}"


@pytest.mark.parametrize(("name", "path"), samples(ASKED, ".profile.json"))
def test_a_person_is_asked_about_as_the_provider_documents(name, path):
    sample = orjson.loads(path.read_bytes())
    provider = Provider(sample["exchange"], [])
    assert known_of(name, sample, provider) == {key: sample[key] for key in ("profile", "failed") if key in sample}
    assert len(provider.asked) == len(sample["exchange"])
    for request in provider.asked:
        assert isinstance(request, Http)
        assert not request.commits, "nobody sees that they are asked about"
        assert not any(secret in request.shown_url for secret in bench(name).secrets())


@pytest.mark.parametrize("name", ASKED)
@tuned(max_examples=200, deadline=None)
@given(body=st.binary(max_size=40) | st.dictionaries(st.sampled_from(PERSON), JUNK).map(orjson.dumps))
def test_whatever_is_said_of_a_person_is_a_profile_or_a_typed_no(name, body):
    sample = {"address": bench(name).to}
    try:
        with readable():
            found = known_of(name, sample, lambda _request: Response(body=body))
    except Malformed as refused:
        assert len(refused.detail) < 300
    else:
        assert found.get("profile", sample)["address"] == sample["address"]


def amended(name: str, sample: Mapping[str, Any], provider: Callable[[Asked], Response]) -> dict[str, Any]:
    """What came of a change, in the words of a sample."""
    on = bench(name)
    try:
        wanted = TypeAdapter[Any](Amendment).validate_python(sample["amendment"])
        translate.answer(on.channel.amend(on.account, wanted, on.context), given=provider, outcome=on.channel.outcome)
    except AlreadySent:
        return {"done": True}
    except (SendFailed, Refusal) as failed:
        return {"failed": {"code": failed.reason}}
    return {"done": True}


def changes_of(able: Capabilities) -> set[str]:
    return set(able.changes) | (set(able.comment.changes) if able.comment else set())


@pytest.mark.parametrize("name", SENDERS)
def test_what_a_channel_says_that_it_can_change_it_changes(name):
    """And nothing else: what is not among its capabilities is refused before it is asked."""
    samples = [orjson.loads(path.read_bytes()) for path in bench(name).folder.glob("*.amend.json")]
    made = {one["amendment"]["change"] for one in samples if "done" in one}
    claimed = changes_of(CHANNELS[name].capabilities)
    assert bool(claimed) == (name in AMENDERS), "`amend` and `changes` of the capabilities go together"
    assert made == claimed, f"add NAME.amend.json to tests/channels/{name} for {made ^ claimed}"
    assert not claimed or any("failed" in one for one in samples), (
        f"add a refused NAME.amend.json to tests/channels/{name}"
    )


@pytest.mark.parametrize(("name", "path"), samples(AMENDERS, ".amend.json"))
def test_a_message_is_changed_as_the_provider_documents(name, path):
    sample = orjson.loads(path.read_bytes())
    provider = Provider(sample["exchange"], [])
    assert amended(name, sample, provider) == {key: sample[key] for key in ("done", "failed") if key in sample}
    assert len(provider.asked) == len(sample["exchange"])
    for request in provider.asked:
        assert not request.commits, "a change is asked for until there is an answer, so it must be safe to repeat"
        assert not any(secret in request.shown_url for secret in bench(name).secrets())


@pytest.mark.parametrize("name", [name for name in SENDERS if CHANNELS[name].typing])
def test_typing_may_be_repeated_without_harm(name):
    on = bench(name)
    request = next(on.channel.typing(on.account, TypingMark(to="12345", reply_to="m1"), on.context))
    assert not request.commits
    assert not any(secret in request.shown_url for secret in on.secrets())


@pytest.mark.parametrize("name", WEBHOOKS)
def test_the_window_is_open_just_after_a_message(name):
    on = bench(name)
    messages = [one for request in requests(name) for one in on.read(request) if isinstance(one, Message)]
    assert messages
    for message in map(on.stamp, messages):
        assert isinstance(message, Envelope)
        window = message.window
        assert window is None or window.until is None or window.until > message.occurred_at


def test_the_parts_of_a_claim_are_all_that_can_be_claimed():
    media = {media for name in SENDERS for media in CHANNELS[name].capabilities.media}
    assert media <= set(get_args(MediaKind))
    assert all(TypeAdapter(Part).validate_python(part.model_dump()) == part for part in FULL.values())
