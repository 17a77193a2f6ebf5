"""What kubectl builds is what a cluster takes: every resource by the strict schema of its kind."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.deploy.manifests import BUILDS, K8S, ROOT, Resource, build, containers, named, ours, pods

CRDS = ROOT.parent / "shared" / "crds"
VERSIONS = ("1.30", "1.37")  # from the first whose pods can sleep before they stop
CUSTOM = ("PodMonitor", "PrometheusRule")

RESOURCES = [(name, resource) for name in BUILDS for resource in build(name)]


def label(value: Any) -> str:
    return f"{value['kind']}/{value['metadata']['name']}" if isinstance(value, dict) else str(value)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("name", "resource"), [one for one in RESOURCES if one[1]["kind"] not in CUSTOM], ids=label)
def test_kubernetes_knows_every_field(name: str, resource: Resource, version: str) -> None:
    kubernetes_validate.validate(resource, version, strict=True)


@pytest.mark.parametrize("resource", [one for _, one in RESOURCES if one["kind"] in CUSTOM], ids=label)
def test_the_prometheus_operator_knows_every_field(resource: Resource) -> None:
    if not CRDS.exists():
        pytest.skip(f"there are no custom resource definitions in {CRDS}")
    jsonschema.validate(resource, custom_schema(resource["kind"], resource["apiVersion"]))


def test_a_field_that_the_prometheus_operator_does_not_know_is_seen() -> None:
    if not CRDS.exists():
        pytest.skip(f"there are no custom resource definitions in {CRDS}")
    resource = named("alerts", "PodMonitor", "parley")
    wrong = resource | {"spec": resource["spec"] | {"podMetricEndpoints": []}}
    with pytest.raises(jsonschema.ValidationError, match="podMetricEndpoints"):
        jsonschema.validate(wrong, custom_schema("PodMonitor", resource["apiVersion"]))


@cache
def custom_schema(kind: str, api_version: str) -> dict[str, Any]:
    definition = yaml.safe_load((CRDS / f"monitoring.coreos.com_{kind.lower()}s.yaml").read_text())
    version = api_version.partition("/")[2]
    (served,) = (one for one in definition["spec"]["versions"] if one["name"] == version)
    schema: dict[str, Any] = closed(served["schema"]["openAPIV3Schema"])
    return schema


def closed(schema: Any) -> Any:
    """The same schema that takes no field which it does not name, as `kubectl apply --validate=strict` has it."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(part) for name, part in schema.items()}
    if isinstance(pattern := found.get("pattern"), str) and pattern.startswith("^(?i)"):
        found["pattern"] = "(?i)^" + pattern.removeprefix("^(?i)")  # Go takes flags anywhere, Python in front
    if found.pop("x-kubernetes-int-or-string", False):
        found.pop("type", None)
    named_fields = isinstance(found.get("properties"), dict) and "additionalProperties" not in found
    if named_fields and found.get("type") == "object" and not found.get("x-kubernetes-preserve-unknown-fields"):
        found["additionalProperties"] = False
        if "metadata" in found["properties"]:
            found["properties"]["metadata"] = {"type": "object"}
    return found


@pytest.mark.parametrize("name", BUILDS)
def test_nothing_is_defined_twice_and_all_of_it_is_in_one_namespace(name: str) -> None:
    places = [(resource["kind"], resource["metadata"]["name"]) for resource in build(name)]
    assert len(places) == len(set(places))
    namespace = "parley-dev" if name == "overlays/dev" else "parley"
    for resource in build(name):
        at = resource["metadata"]["name" if resource["kind"] == "Namespace" else "namespace"]
        assert at == namespace


@pytest.mark.parametrize("name", ["base", "overlays/dev"])
def test_no_secret_stands_in_the_manifests(name: str) -> None:
    assert [resource for resource in build(name) if resource["kind"] == "Secret"] == []
    for one in ours(name):
        for variable in ("PARLEY_DATABASE", "PARLEY_SECRET", "PARLEY_TOKEN"):
            assert one.environment.get(variable) is None, f"{one}: {variable} comes from a Secret"


@pytest.mark.parametrize("name", ["base", "overlays/dev"])
def test_a_changed_setting_makes_new_pods(name: str) -> None:
    """Each ConfigMap is called by its content, and nobody refers to one by another name."""
    made = {one["metadata"]["name"] for one in build(name) if one["kind"] == "ConfigMap"}
    assert made
    assert all(len(one.rpartition("-")[2]) == 10 for one in made)
    asked = {
        source["configMapRef"]["name"]
        for _, pod in pods(name)
        for container in containers(pod)
        for source in container.get("envFrom", ())
        if "configMapRef" in source
    }
    assert asked <= made


def test_every_file_of_the_folder_is_part_of_something() -> None:
    files = {path for path in K8S.rglob("*.yaml") if path.name != "kustomization.yaml"}
    named_files = set()
    for path in K8S.rglob("kustomization.yaml"):
        content = yaml.safe_load(path.read_text())
        entries = [*content.get("resources", ()), *(patch["path"] for patch in content.get("patches", ()))]
        named_files |= {(path.parent / entry).resolve() for entry in entries}
    assert files <= named_files
