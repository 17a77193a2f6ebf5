"""Publishing (docs/architecture.md) as a model: random interleavings, crashes and failing sends around the real publisher, thousands of times."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import structlog

from tests.promises.simulation import Faults, Rules, SingleSends, World, run

RUNS = 300

QUIET = Faults
FAILING = lambda: Faults(refused=0.25)  # noqa: E731 a name for a row of a table
TREACHEROUS = lambda: Faults(refused=0.1, unanswered=0.1, late=0.15)  # noqa: E731


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    yield
    structlog.reset_defaults()


def gaps(rules: Rules, faults: Callable[[], Faults], *, crashes: bool) -> Iterator[int]:
    """The seeds of the runs after which some conversation did not read 1, 2, 3 …."""
    for seed in range(RUNS):
        world = World(seed, rules, faults(), crashes=crashes)
        if world.lost_or_turned(run(world.live())):
            yield seed


@pytest.mark.parametrize("crashes", [False, True], ids=["nobody dies", "replicas die"])
@pytest.mark.parametrize("faults", [QUIET, FAILING, TREACHEROUS], ids=["calm", "sends fail", "sends fail late"])
def test_every_conversation_reads_one_two_three(faults: Callable[[], Faults], crashes: bool) -> None:
    assert list(gaps(Rules(), faults, crashes=crashes)) == []


@pytest.mark.parametrize(
    ("rules", "faults", "crashes"),
    [
        pytest.param(Rules(helping=False), QUIET, False, id="each publishes only its own rows"),
        pytest.param(Rules(publisher=SingleSends), FAILING, False, id="a send fails alone and later ones pass it"),
        pytest.param(Rules(sweeps_whole_conversations=False), QUIET, True, id="the sweeper takes rows by age"),
        pytest.param(Rules(deletes_after_acknowledgement=False), QUIET, True, id="rows are deleted before they left"),
    ],
)
def test_a_broken_rule_shows_gaps(rules: Rules, faults: Callable[[], Faults], crashes: bool) -> None:
    assert next(gaps(rules, faults, crashes=crashes), None) is not None, f"{RUNS} runs without a gap"


def test_a_run_is_told_by_its_seed_alone() -> None:
    worlds = [World(7, Rules(), TREACHEROUS()) for _ in range(2)]
    first, second = (run(world.live()) for world in worlds)
    assert first == second
    assert worlds[0].broker.logs == worlds[1].broker.logs
