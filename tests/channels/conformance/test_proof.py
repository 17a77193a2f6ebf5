"""Only who knows the secret is believed: nothing that proves it can be left out, changed, cut, kept or guessed."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import reduce
from operator import getitem

import orjson
import pytest
from pydantic import SecretStr

from services.cli.sample import signed
from services.cli.wire import parse_http
from shared.contract.channel import Mail, Message, Request
from shared.contract.errors import Torn, Unverified
from tests.channels.conformance.bench import (
    CHANNELS,
    MAILS,
    SAMPLES,
    WEBHOOKS,
    Bench,
    bench,
    mail_of,
    requests,
    samples,
)
from tests.channels.conformance.tampering import flipped

UNPROVING = {
    "host",
    "content-type",
    "content-length",
    "content-encoding",
    "user-agent",
    "accept",
    "accept-encoding",
    "connection",
}


def proving(on: Bench, request: Request) -> set[str]:
    """The headers that prove the sender: all but everyone's, and those that settings.json calls `unproving`."""
    return request.headers.keys() - UNPROVING - {*on.told.get("unproving", ())}


@pytest.mark.parametrize(("name", "path"), samples(WEBHOOKS, ".in.http"))
def test_what_proves_the_sender_cannot_be_left_out_or_changed(name, path):
    request, on = parse_http(path.read_bytes()), bench(name)
    assert proving(on, request)
    for forged in forgeries(request, proving(on, request)):
        with pytest.raises(Unverified):
            on.verify(forged)


def forgeries(request: Request, proving: set[str]) -> Iterator[Request]:
    for header in proving:
        yield replace(request, headers={name: value for name, value in request.headers.items() if name != header})
        for changed in (*flipped(request.headers[header]), "", "é", "\ud800", "v1,"):
            yield replace(request, headers={**request.headers, header: changed})


def within(request: Request, path: Sequence[str] | None) -> bytes:
    """What stands at the path of a JSON body; without one the whole."""
    return str(reduce(getitem, path, orjson.loads(request.body))).encode() if path else request.body  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name in WEBHOOKS if CHANNELS[name].signed])
def test_no_byte_of_a_signed_body_can_be_changed_added_or_cut(name):
    """Of one in which only a part is signed, of that part; more may stand around it, which is not read."""
    part = bench(name).told.get("signs_part")
    for request in requests(name):
        body, signed = request.body, within(request, part)
        begin = body.index(signed)
        changed = [body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] for at in range(begin, begin + len(signed))]
        for forged in (*changed, body[:-1], b"", *(() if part else (body + b" ",))):
            with pytest.raises(Unverified):
                bench(name).verify(replace(request, body=forged))


@pytest.mark.parametrize("name", [name for name in WEBHOOKS if not CHANNELS[name].signed])
def test_a_body_that_nothing_signs_is_torn_when_it_is_cut(name):
    for request in requests(name):
        with pytest.raises(Torn):
            bench(name).read(replace(request, body=request.body[: len(request.body) // 2]))


def with_other_secrets(on: Bench) -> Bench:
    """The same app of somebody else: each of its secrets, and each of the keys fetched for it, has another end.

    Where the provider signs with a key of its own, sign.py is told `another_key`.
    """
    other: dict[str, object] = {
        field: SecretStr(_other(value.get_secret_value()))
        for field, value in vars(on.app).items()
        if isinstance(value, SecretStr)
    }
    if public := getattr(on.app, "public_key", None):
        other |= {"public_key": public[::-1]}
    shown: dict[str, object] = {field: _shown(value) for field, value in other.items()}
    told = {**on.told, "app": {**on.told["app"], **(shown or {"another_key": True})}}
    return replace(on, app=on.app.model_copy(update=other), context=replace(on.context, keys={}), told=told)


def _shown(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _other(secret: str) -> str:
    """As long, and of the same letters, so that it may be base64 as the first was."""
    return secret[1:-1].swapcase().join((secret[:1], secret[-1:]))


@pytest.mark.parametrize("name", WEBHOOKS)
def test_what_was_made_with_another_secret_is_not_believed(name):
    other = with_other_secrets(bench(name))
    assert (other.app, other.context) != (bench(name).app, bench(name).context), "nothing here is a secret"
    for request in requests(name):
        with pytest.raises(Unverified):
            other.verify(request)


@pytest.mark.parametrize("name", WEBHOOKS)
def test_what_is_kept_and_sent_again_is_refused_where_its_time_is_signed(name):
    """settings.json says `signs_no_time` of a provider whose proof holds for ever."""
    on = bench(name)
    for request in requests(name):
        for shift in (timedelta(days=-1), timedelta(days=1)):
            then = replace(on, context=replace(on.context, now=on.context.now + shift))
            if "signs_no_time" in on.told:
                then.verify(request)
                continue
            with pytest.raises(Unverified):
                then.verify(request)


@pytest.mark.parametrize("name", WEBHOOKS)
def test_a_secret_is_compared_in_constant_time(name, monkeypatch):
    """By hmac.compare_digest, with what was given on one side; whoever verifies with a public key has no secret to tell."""
    on, compared = bench(name), []
    if not any(isinstance(value, SecretStr) for value in vars(on.app).values()):
        pytest.skip("the app holds no secret")
    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: compared.append((one, other)) or compare(one, other))
    for request in requests(name):
        compared.clear()
        on.verify(request)
        assert any(one == other for one, other in compared)


@pytest.mark.parametrize("name", MAILS)
def test_our_own_mail_is_known_again_in_constant_time_by_each_letter_of_what_proves_it(name, monkeypatch):
    """By the name that we gave it, and by what seals its words."""
    on, compared = bench(name), []
    own = [mail for path in on.folder.glob("*.eml") if is_echo(on, mail := mail_of(path))]
    assert own, f"write tests/channels/{name}/WHAT.eml, a mail of ours that comes back"
    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: compared.append((one, other)) or compare(one, other))
    for mail in own:
        compared.clear()
        on.read_mail(mail)
        proofs = [bytes(one) for one, other in compared if one == other]
        assert len(proofs) > 1
        for proof in {proof for proof in proofs if proof in mail.raw}:
            for at in (0, len(proof) // 2, -1):
                changed = bytearray(proof)
                changed[at] = ord("a" if changed[at] != ord("a") else "b")
                assert not is_echo(on, replace(mail, raw=mail.raw.replace(proof, changed)))


def is_echo(on: Bench, mail: Mail) -> bool:
    return any(isinstance(record, Message) and record.echo for record in on.read_mail(mail).records)


@pytest.mark.parametrize("name", [name for name in WEBHOOKS if (SAMPLES / name / "sign.py").exists()])
def test_what_the_samples_signer_signs_is_believed_for_that_body_and_app_alone(name):
    """sign.py is written from the provider's page, so it judges `verify` as another hand."""
    on = bench(name)

    def sent(body: bytes, app: dict[str, object] = on.told["app"]) -> Request:
        return parse_http(signed(on.folder, name, app, body, on.context.now))

    strange = {field: _other(value) for field, value in on.told["app"].items() if isinstance(value, str)}
    for body in {request.body for request in requests(name)}:
        on.verify(sent(body))
        forged = [sent(body, {**on.told["app"], **strange, "another_key": True})]
        if on.channel.signed and "signs_part" not in on.told:
            forged += [replace(sent(body + b" "), body=body)]
        for other in forged:
            with pytest.raises(Unverified):
                on.verify(other)
