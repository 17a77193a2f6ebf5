"""The manifests as a cluster is given them: built by kubectl, read as data."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "deploy" / "k8s"
BIN = Path(sys.executable).parent
BUILDS = ("base", "overlays/dev", "alerts")
IMAGE = "parley"

Resource = dict[str, Any]


@cache
def build(name: str) -> tuple[Resource, ...]:
    """What `kubectl kustomize deploy/k8s/NAME` prints."""
    made = subprocess.run([BIN / "kubectl", "kustomize", K8S / name], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return tuple(yaml.safe_load_all(made.stdout))


def of_kind(name: str, kind: str) -> list[Resource]:
    return [resource for resource in build(name) if resource["kind"] == kind]


def named(name: str, kind: str, who: str) -> Resource:
    return next(one for one in of_kind(name, kind) if one["metadata"]["name"] == who)


def pods(name: str) -> Iterator[tuple[str, Resource]]:
    """(kind/name, pod template) of everything that makes pods."""
    for resource in build(name):
        if "template" in resource.get("spec", {}):
            yield f"{resource['kind']}/{resource['metadata']['name']}", resource["spec"]["template"]


def containers(pod: Resource) -> list[Resource]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


@dataclass(frozen=True)
class Ours:
    """One container of Parley's own image. `module`: what it runs; `environment`: names to values, None where secret."""

    build: str
    name: str
    module: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str | None]
    container: Resource
    pod: Resource

    def __str__(self) -> str:
        return f"{self.build}: {self.name}"

    @property
    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for port in self.container.get("ports", ())}


def ours(name: str) -> list[Ours]:
    """Every container of a build that runs Parley's image."""
    return [
        Ours(
            build=name,
            name=who,
            module=container["args"][0],
            arguments=tuple(container["args"][1:]),
            environment=environment(name, container),
            container=container,
            pod=pod,
        )
        for who, pod in pods(name)
        for container in containers(pod)
        if container["image"].partition(":")[0] == IMAGE
    ]


def environment(name: str, container: Resource) -> dict[str, str | None]:
    """What the container is given; a reference that leads nowhere fails."""
    found: dict[str, str | None] = {}
    for source in container.get("envFrom", ()):
        if "configMapRef" in source:
            found |= named(name, "ConfigMap", source["configMapRef"]["name"])["data"]
    for entry in container.get("env", ()):
        found[entry["name"]] = entry["value"] if "value" in entry else value_from(name, entry["valueFrom"])
    return found


def value_from(name: str, source: Resource) -> str | None:
    if source.keys() & {"secretKeyRef", "fieldRef"}:  # known in the cluster only
        return None
    reference = source["configMapKeyRef"]
    return str(named(name, "ConfigMap", reference["name"])["data"][reference["key"]])
