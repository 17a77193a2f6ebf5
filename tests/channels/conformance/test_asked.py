"""What is asked of a provider is what its documentation says, request by request, and so is what comes of its answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from shared.contract.channel import Asked, Http, PieceChange, Response, Smtp
from shared.contract.errors import SendFailed
from tests.channels.conformance.bench import BENCHED, CHANNELS, SAMPLES, bench, having, samples
from tests.channels.conformance.exchanges import KINDS, Provider, address_in_logs, answered, came_to, refusal


def _exchanges() -> Iterator[Any]:
    for name in BENCHED:
        for function, kind in KINDS.items():
            for path in sorted((SAMPLES / name).glob(f"*.{kind.suffix}.json")):
                yield pytest.param(name, function, path, id=f"{name}-{path.name.removesuffix('.json')}")


EXCHANGES = [*_exchanges()]


@pytest.mark.parametrize(("name", "function", "path"), EXCHANGES)
def test_an_exchange_is_as_the_provider_documents(name, function, path):
    sample = orjson.loads(path.read_bytes())
    provider = Provider(sample["exchange"])
    found = came_to(function, name, sample, provider)
    given = {*KINDS[function].words.split(", "), "account", "exchange"}
    assert found == {key: value for key, value in sample.items() if key not in given}
    assert len(provider.asked) == len(sample["exchange"])


@pytest.mark.parametrize(("name", "function", "path"), EXCHANGES)
def test_one_request_is_what_a_person_sees_and_the_others_may_be_repeated(name, function, path):
    sample = orjson.loads(path.read_bytes())
    provider = Provider(sample["exchange"])
    found = came_to(function, name, sample, provider)
    assert provider.commits() <= KINDS[function].seen
    shown_already = "grown" in sample.get("piece", {}) or found.get("grown") == ""  # may be repeated
    assert "failed" in found or shown_already or provider.commits() == KINDS[function].seen


@pytest.mark.parametrize(("name", "function", "path"), EXCHANGES)
def test_no_secret_is_in_the_address_that_logs_show(name, function, path):
    sample = orjson.loads(path.read_bytes())
    provider = Provider(sample["exchange"])
    came_to(function, name, sample, provider)
    for request in provider.asked:
        assert not any(secret in address_in_logs(request) for secret in bench(name).secrets())
        assert KINDS[function].seen or isinstance(request, Http)


CHANGES: dict[str, Any] = {
    "edit": {"part": {"kind": "text", "text": "Ten"}},
    "delete": {},
    "react": {"emoji": "👍"},
    "seen": {},
}


@pytest.mark.parametrize(("name", "path"), samples(having("amend"), ".amend.json"))
def test_a_change_that_is_not_among_the_capabilities_is_unsupported_and_changes_nothing(name, path):
    """Of the message of each sample, where it stands; a router of the version before may still ask for it."""
    sample = orjson.loads(path.read_bytes())
    where = {field: value for field, value in sample["amendment"].items() if field in PieceChange.model_fields}
    able = CHANNELS[name].capabilities.shown(where.get("surface", "direct"), where.get("way", "free_text"))
    for change in CHANGES.keys() - able.changes.keys():
        wanted = {**sample, "amendment": {**where, "change": change, **CHANGES[change]}}
        assert came_to("amend", name, wanted, Provider(sample["exchange"][:-1])) == {
            "failed": {"code": "unsupported"}
        }, change


class Elsewhere(Provider):
    """The provider of a sample that sends elsewhere, as a gateway between us and it may, from the `at`th answer on."""

    def __init__(self, exchange: list[Any], at: int) -> None:
        super().__init__(exchange)
        self.at = at

    def __call__(self, request: Asked) -> Response:
        answer = super().__call__(request)
        if len(self.asked) <= self.at or isinstance(request, Smtp):
            return answer
        return Response(status=302, headers={"location": "https://elsewhere.example/"}, body=answer.body)


@pytest.mark.parametrize(("name", "function", "path"), EXCHANGES)
def test_what_sends_elsewhere_has_done_nothing(name, function, path):
    """Nobody goes there, least of all with a token; so it is a no, whatever stands in the body and wherever in the exchange."""
    sample = orjson.loads(path.read_bytes())
    for at in range(len(sample["exchange"])):
        provider = Elsewhere(sample["exchange"], at)
        found = came_to(function, name, sample, provider)
        last = provider.asked[-1]
        if isinstance(last, Smtp) or last.moves:
            continue
        assert last.commits or found["failed"]["code"] in {"unreachable", sample.get("failed", {}).get("code")}
        assert "failed" in found


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_no_channel_takes_an_answer_that_sends_elsewhere_for_a_yes(name, status):
    for body in (b"", b"<html>Moved</html>", b'{"ok": true, "id": "7"}'):
        with pytest.raises(SendFailed):
            CHANNELS[name].outcome(
                Response(status=status, headers={"location": "https://elsewhere.example/"}, body=body)
            )


@pytest.mark.parametrize("name", [name for name in BENCHED if (SAMPLES / name / "failures.json").exists()])
def test_each_way_to_say_no_is_told_as_the_provider_means_it(name):
    """failures.json: {WHAT: [response, failed]}, what one sample each would show with the same request again and again."""
    told = orjson.loads((SAMPLES / name / "failures.json").read_bytes())
    assert {what: no(name, response) for what, (response, _) in told.items()} == {
        what: {"failed": failed} for what, (_, failed) in told.items()
    }


def no(name: str, response: Any) -> Any:
    try:
        CHANNELS[name].outcome(answered(response))
    except SendFailed as failed:
        return refusal(failed)
    return None
