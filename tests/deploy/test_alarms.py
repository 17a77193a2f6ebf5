"""Each alarm fires when it should and is silent when it should be, by Prometheus' own judge."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import urlsplit

import pytest
import yaml
from prometheus_client import REGISTRY
from typer.main import get_command

from services.cli.__main__ import app
from shared.contract.codes import Status
from shared.contract.envelope import MediaState
from shared.inbound.ingress import OUTCOMES
from tests.conftest import require
from tests.deploy.manifests import BIN, K8S, ROOT, of_kind

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("alarms.yaml").read_text())
PROMTOOL = shutil.which("promtool")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()

SCRAPED: Final = {"pod", "service", "namespace"}  # what Prometheus adds by the PodMonitor

Rule = dict[str, Any]


def rules() -> list[Rule]:
    (resource,) = of_kind("alerts", "PrometheusRule")
    return [rule for group in resource["spec"]["groups"] for rule in group["rules"]]


def rule_of(case: dict[str, Any]) -> Rule:
    (found,) = (r for r in rules() if r["alert"] == case["alert"] and r["labels"].get("reason") == case.get("reason"))
    return found


def promtool(folder: Path, *arguments: str) -> None:
    require(PROMTOOL, "promtool (on Debian: apt install prometheus)")
    ran = subprocess.run([str(PROMTOOL), *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def write_rules(folder: Path, found: list[Rule]) -> None:
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "parley", "rules": found}]}))


def test_prometheus_reads_every_rule_and_finds_nothing_to_say(tmp_path: Path) -> None:
    write_rules(tmp_path, rules())
    promtool(tmp_path, "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['alert']} {case['that']}")
def test_an_alarm(case: dict[str, Any], tmp_path: Path) -> None:
    rule = rule_of(case)
    write_rules(tmp_path, [rule])
    expected = [
        {
            "exp_labels": rule["labels"] | {name: value for name, value in fired.items() if name != "says"},
            "exp_annotations": rule["annotations"] | {"summary": fired["says"]},
        }
        for fired in case.get("fires", ())
    ]
    series = [{"series": name, "values": values} for name, values in case["series"].items()]
    moment = {"eval_time": case["at"], "alertname": case["alert"], "exp_alerts": expected}
    test = {"interval": "1m", "input_series": series, "alert_rule_test": [moment]}
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(document))
    promtool(tmp_path, "test", "rules", "test.yaml")


def test_every_rule_is_seen_to_fire_and_seen_to_be_silent() -> None:
    seen: dict[tuple[str, str | None], set[bool]] = defaultdict(set)
    for case in CASES:
        seen[case["alert"], case.get("reason")].add(bool(case.get("fires")))
    assert seen == {(rule["alert"], rule["labels"].get("reason")): {True, False} for rule in rules()}


def test_each_says_what_to_do_and_where_that_is_read() -> None:
    """The address is whole, so that a page in the night opens it; the page begins with one line that says it all."""
    headings = dict(re.findall(r"^## (\w+)\n\n(.+)$", OPERATIONS, flags=re.MULTILINE))
    for rule in rules():
        address = urlsplit(rule["annotations"]["runbook_url"])
        assert (address.scheme, address.hostname) == ("https", "parley.example.org")
        assert (address.path, address.fragment) == ("/docs/operations.md", rule["alert"].lower())
        assert rule["annotations"]["description"].endswith(".")
        assert headings[rule["alert"]]


def test_an_overlay_says_where_the_pages_are_read(tmp_path: Path) -> None:
    """The recipe of docs/kubernetes.md as it stands there."""
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    (recipe,) = (text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "runbook_url" in text)
    overlay = shutil.copytree(K8S, tmp_path / "k8s") / "overlays" / "recipe"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text("resources: [../../alerts]\n" + recipe)
    built = subprocess.run([BIN / "kubectl", "kustomize", overlay], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (made,) = (one for one in yaml.safe_load_all(built.stdout) if one["kind"] == "PrometheusRule")
    found = [rule["annotations"]["runbook_url"] for group in made["spec"]["groups"] for rule in group["rules"]]
    assert len(found) == len(rules())
    assert {urlsplit(address).hostname for address in found} == {"runbooks.example.com"}


@pytest.mark.parametrize("page", ["operations.md", "kubernetes.md"])
def test_every_command_and_metric_of_a_page_exists(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    groups = get_command(app).commands  # type: ignore[attr-defined]
    for words in re.findall(r"(?:`|-- )parley ((?:[a-z]+ ?)+)", text):
        first, *rest = words.split()
        assert first in groups, f"parley {words}"
        if rest and hasattr(groups[first], "commands"):
            assert rest[0] in groups[first].commands, f"parley {words}"
    for metric in re.findall(r"\bparley_\w+", text):
        assert metric in REGISTRY._names_to_collectors


def test_every_metric_that_is_asked_for_exists() -> None:
    asked = {name for rule in rules() for name in re.findall(r"\bparley_\w+", rule["expr"])}
    assert asked
    assert asked <= set(REGISTRY._names_to_collectors)


def test_every_outcome_that_is_asked_for_exists() -> None:
    asked = [found for rule in rules() for found in re.findall(r'outcome=~?"([^"]+)"', rule["expr"])]
    assert {outcome for found in asked for outcome in found.split("|")} <= {
        *get_args(Status),
        *get_args(MediaState),
        *OUTCOMES,
    }


def test_every_series_of_the_cases_has_the_labels_that_the_metric_has() -> None:
    for case in CASES:
        for series in case["series"]:
            name, _, labels = series.partition("{")
            given = set(re.findall(r"(\w+)=", labels)) - SCRAPED
            assert given == set(REGISTRY._names_to_collectors[name]._labelnames), series
