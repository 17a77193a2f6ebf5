"""Pods come and go without a message being lost or a provider being left alone."""

from __future__ import annotations

import ast
import json
import tomllib
from typing import Final

import pytest

from shared.runtime.settings import Settings
from tests.deploy.manifests import ROOT, Ours, named, of_kind, ours, pods
from tests.deploy.reading import files_of

BOTH: Final = ("base", "overlays/dev")
SERVICES = [one for name in BOTH for one in ours(name) if one.name.startswith("Deployment/")]
MEASURED = ROOT / "tests" / "bench" / "results.json"
VERSION: Final[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
UNITS: Final = {"Mi": 2**20, "Gi": 2**30}


def size(quantity: str) -> int:
    """Bytes of a Kubernetes quantity."""
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


def steps_of_stopping(module: str) -> int:
    """How many things a process ends one after the other, each of which may take a whole drain: HTTP, then what asked for it."""
    calls = (
        node
        for file in files_of(module)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    )
    return 1 + sum(call.func.attr == "on_stop" for call in calls)  # type: ignore[attr-defined]


@pytest.mark.parametrize("one", SERVICES, ids=str)
def test_a_pod_is_given_the_time_that_its_process_may_take_to_end(one: Ours) -> None:
    waits = one.container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert steps_of_stopping(one.module) > 1
    drain = float(one.environment.get("PARLEY_DRAIN_SECONDS") or Settings.model_fields["drain_seconds"].default)
    longest = waits + drain * steps_of_stopping(one.module)
    assert one.pod["spec"]["terminationGracePeriodSeconds"] > longest


@pytest.mark.parametrize("one", SERVICES, ids=str)
def test_a_pod_is_no_longer_called_before_it_stops(one: Ours) -> None:
    """Proxies hear late that a pod is leaving; until then it serves as ever."""
    probe = one.container["readinessProbe"]
    waits = one.container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert waits >= probe["periodSeconds"] * probe["failureThreshold"]


@pytest.mark.parametrize("one", SERVICES, ids=str)
def test_a_pod_waits_for_the_migration_before_it_is_given_up(one: Ours) -> None:
    probe = one.container["startupProbe"]
    patience = probe["periodSeconds"] * probe["failureThreshold"]
    deployment = named(one.build, "Deployment", one.name.rpartition("/")[2])
    assert 300 <= patience < deployment["spec"]["progressDeadlineSeconds"]


@pytest.mark.parametrize("name", BOTH)
def test_of_each_service_one_pod_at_a_time_may_be_away(name: str) -> None:
    deployments = {one["metadata"]["name"]: one["spec"] for one in of_kind(name, "Deployment")}
    budgets = {one["metadata"]["name"]: one["spec"] for one in of_kind(name, "PodDisruptionBudget")}
    assert budgets.keys() == deployments.keys() - {"sandbox"}
    for who, budget in budgets.items():
        assert budget["maxUnavailable"] == 1, "never such that a node cannot be emptied"
        assert budget["selector"] == deployments[who]["selector"]


def test_providers_always_find_an_adapter_and_the_routers_partitions_seldom_change_hands() -> None:
    for one in of_kind("base", "Deployment"):
        assert one["spec"]["replicas"] == 2
        surge = (0, 1) if one["metadata"]["name"] == "router" else (1, 0)
        rolling = one["spec"]["strategy"]["rollingUpdate"]
        assert (rolling["maxSurge"], rolling["maxUnavailable"]) == surge


def test_in_dev_there_is_one_of_each() -> None:
    assert {one["spec"]["replicas"] for one in of_kind("overlays/dev", "Deployment")} == {1}


@pytest.mark.parametrize("name", BOTH)
def test_the_version_is_the_codes_everywhere(name: str) -> None:
    """A Job cannot be changed, so its name has to be the version's; this is the list of places to change for a release."""
    (job,) = of_kind(name, "Job")
    assert job["metadata"]["name"] == "migrate-" + VERSION.replace(".", "-")
    assert {one.container["image"] for one in ours(name)} == {f"parley:{VERSION}"}
    labels = {pod["metadata"]["labels"].get("app.kubernetes.io/version") for _, pod in pods(name) if is_ours(pod)}
    assert labels == {VERSION}


def is_ours(pod: dict[str, dict[str, dict[str, str]]]) -> bool:
    return pod["metadata"]["labels"].get("app.kubernetes.io/name") == "parley"


@pytest.mark.parametrize("one", SERVICES, ids=str)
def test_memory_is_what_was_measured_and_the_processor_is_not_throttled(one: Ours) -> None:
    resources = one.container["resources"]
    assert "cpu" in resources["requests"]
    assert "cpu" not in resources["limits"], "a throttled process misses Kafka's heartbeats"
    assert size(resources["requests"]["memory"]) < size(resources["limits"]["memory"])


@pytest.mark.parametrize("one", [one for one in SERVICES if one.build == "base"], ids=str)
def test_memory_covers_the_last_bench_of_this_machine(one: Ours) -> None:
    if not MEASURED.exists():
        pytest.skip("`make bench` has not been run here")
    measured = json.loads(MEASURED.read_text())
    runs = [measured["router"]["parley"]] if one.module == "services.router" else webhooks(measured)
    resources = one.container["resources"]
    assert size(resources["requests"]["memory"]) >= measured["router"]["parley"]["idle_megabytes"] * 1e6
    assert size(resources["limits"]["memory"]) >= 2 * max(run["megabytes"] for run in runs) * 1e6


def webhooks(measured: dict[str, dict[str, dict[str, dict[str, float]]]]) -> list[dict[str, float]]:
    return [run["parley"] for run in measured["webhook"].values()]


def test_pods_are_spread_over_nodes_service_by_service() -> None:
    for one in (one for one in ours("base") if one.name.startswith("Deployment/")):
        (spread,) = one.pod["spec"]["topologySpreadConstraints"]
        assert spread["labelSelector"]["matchLabels"].items() <= one.pod["metadata"]["labels"].items()
        assert "app.kubernetes.io/component" in spread["matchLabelKeys"]
