"""Every channel stands in its family's registry, and brings samples of everything that it can do."""

from __future__ import annotations

import orjson
import pytest

from shared.contract import codes
from shared.contract.codes import FAMILIES
from tests.channels.conformance.bench import (
    BENCHED,
    CHANNELS,
    MAILS,
    REGISTRIES,
    SAMPLES,
    SENDERS,
    WEBHOOKS,
    bench,
    expected,
    samples,
)
from tests.channels.conformance.exchanges import KINDS


def test_every_channel_is_registered_once_in_its_own_family():
    assert sum(map(len, REGISTRIES.values())) == len(CHANNELS)
    for family in FAMILIES:
        for name, channel in REGISTRIES[family].items():
            assert (name, codes.CHANNELS[name]) == (channel.name, family)


@pytest.mark.parametrize("name", WEBHOOKS)
def test_whoever_takes_webhooks_proves_them_and_brings_samples(name):
    assert CHANNELS[name].verify, "what comes by webhook must prove itself"
    assert samples([name], ".in.http"), (
        f"write tests/channels/{name}/WHAT.in.http, a request as the provider sends it, and WHAT.json, its records"
    )
    assert (SAMPLES / name / "sign.py").exists(), f"write tests/channels/{name}/sign.py: sign(app, body, now)"


@pytest.mark.parametrize("name", MAILS)
def test_whoever_takes_mail_brings_samples(name):
    assert samples([name], ".eml"), f"write tests/channels/{name}/WHAT.eml, a mail, and WHAT.json, its records"


@pytest.mark.parametrize("name", [*WEBHOOKS, *MAILS])
def test_every_sample_in_has_its_expected_records(name):
    paths = {path.name.removesuffix(".in.http") for path in bench(name).folder.glob("*.in.http")}
    paths |= {path.stem for path in bench(name).folder.glob("*.eml")}
    expected = {path.name.removesuffix(".json") for path in bench(name).folder.glob("*.json")}
    assert paths == {one for one in expected if "." not in one and one not in APART}, "each has its WHAT.json"


APART = {"settings", "limits", "failures"}


@pytest.mark.parametrize(
    ("name", "function"),
    [(name, function) for name in BENCHED for function in KINDS if getattr(CHANNELS[name], function)],
)
def test_every_function_that_asks_the_provider_brings_samples(name, function):
    kind = KINDS[function]
    told = [orjson.loads(path.read_bytes()) for path in bench(name).folder.glob(f"*.{kind.suffix}.json")]
    wanted = f"tests/channels/{name}/WHAT.{kind.suffix}.json: {kind.words}, the exchange, and what came of it"
    assert any("failed" not in one for one in told), f"write {wanted}"
    assert not kind.refused or any("failed" in one for one in told), (
        f"write one that is refused ({{failed: {{code}}}}): {wanted}"
    )


@pytest.mark.parametrize("name", SENDERS)
def test_what_a_channel_says_that_it_can_change_it_changes(name):
    """And nothing else: what is not among its capabilities is refused before it is asked."""
    told = [orjson.loads(path.read_bytes()) for path in bench(name).folder.glob("*.amend.json")]
    made = {one["amendment"]["change"] for one in told if "done" in one}
    able = CHANNELS[name].capabilities
    claimed = {*able.changes, *(able.comment.changes if able.comment else ())}
    assert bool(claimed) == bool(CHANNELS[name].amend), "`amend` and `changes` of the capabilities go together"
    assert made == claimed, f"write tests/channels/{name}/WHAT.amend.json for {made ^ claimed}"


@pytest.mark.parametrize("name", SENDERS)
def test_what_a_channel_says_that_can_be_asked_of_a_thread_can_be(name):
    told = [orjson.loads(path.read_bytes()) for path in bench(name).folder.glob("*.handover.json")]
    made, claimed = {one["control"]["action"] for one in told if "done" in one}, CHANNELS[name].capabilities.handovers
    assert bool(claimed) == bool(CHANNELS[name].handover), "`handover` and `handovers` of the capabilities go together"
    assert made == set(claimed), f"write tests/channels/{name}/WHAT.handover.json for {made ^ set(claimed)}"


@pytest.mark.parametrize("name", WEBHOOKS)
def test_several_events_of_one_request_are_shown(name):
    """Or settings.json says `one_at_a_time`, with the page that says so."""
    many = [path for path in bench(name).folder.glob("*.in.http") if len(expected(path)["records"]) > 1]
    assert many or "one_at_a_time" in bench(name).told, f"write a batch: tests/channels/{name}/batch.in.http"


@pytest.mark.parametrize("name", WEBHOOKS)
def test_what_is_said_among_several_people_is_shown(name):
    """Or settings.json says `only_direct`, with the page that says so."""
    records = [record for path in bench(name).folder.glob("*.in.http") for record in expected(path)["records"]]
    shared = [record for record in records if record.get("surface", "direct") != "direct"]
    assert shared or "only_direct" in bench(name).told, f"write one of a group: tests/channels/{name}/group.in.http"


@pytest.mark.parametrize("name", SENDERS)
def test_whoever_can_show_an_answer_that_grows_says_so_and_makes_it_whole(name):
    """What leaves nothing behind (`grown` is "") needs nothing of the end."""
    told = [orjson.loads(path.read_bytes()) for path in bench(name).folder.glob("*.grow.json")]
    assert bool(CHANNELS[name].capabilities.grows) == bool(CHANNELS[name].grow)
    if any(one.get("grown") for one in told):
        ends = [orjson.loads(path.read_bytes()) for path in bench(name).folder.glob("*.out.json")]
        assert any("grown" in one["piece"] for one in ends), f"write tests/channels/{name}/WHAT.out.json with `grown`"


@pytest.mark.parametrize("name", SENDERS)
def test_whoever_can_show_typing_says_so(name):
    """People and the page are offered what the capabilities say."""
    assert CHANNELS[name].capabilities.typing == bool(CHANNELS[name].typing)
