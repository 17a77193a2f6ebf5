"""Environment variables, ports and files of the manifests are those that the services really read."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

import pytest

from shared.runtime.lifecycle import Life
from shared.runtime.settings import Settings
from tests.deploy.manifests import Ours, build, named, ours
from tests.deploy.reading import FIELDS, file_of, variable, variables_read

OURS = [one for name in ("base", "overlays/dev") for one in ours(name)]
SERVICES = [one for one in OURS if one.name.startswith("Deployment/")]
ADAPTERS: Final = ("services.chat_adapter", "services.social_adapter", "services.email_adapter")

# What has no default that could be right in a cluster: it is this very machine, or nothing at all.
NEEDED: Final = frozenset(
    variable(name) for name in ("kafka", "database", "blobs", "secret", "token", "public_url", "smtp_port")
)

IN_THE_CLUSTER: Final = {"PARLEY_DATABASE": "postgresql://a:b@c/d"}

DOCTOR: Final = frozenset({"PARLEY_PARTITIONS", "PARLEY_REPLICATION"})  # what it compares topics with, in any pod


def test_there_are_four_services_and_the_sandbox_only_in_dev() -> None:
    four = {"services.router", *ADAPTERS}
    assert {one.module for one in SERVICES if one.build == "base"} == four
    assert {one.module for one in SERVICES if one.build == "overlays/dev"} == {*four, "services.sandbox"}


@pytest.mark.parametrize("one", OURS, ids=str)
def test_what_is_run_exists(one: Ours) -> None:
    assert file_of(one.module)
    assert file_of(f"{one.module}.__main__")


@pytest.mark.parametrize("one", OURS, ids=str)
def test_every_variable_that_is_given_is_read(one: Ours) -> None:
    assert set(one.environment)
    assert variables_read("services.cli") >= DOCTOR
    assert set(one.environment) <= variables_read(one.module) | DOCTOR


@pytest.mark.parametrize("one", SERVICES, ids=str)
def test_every_variable_that_has_to_be_given_is_given(one: Ours) -> None:
    assert (NEEDED & variables_read(one.module)) - set(one.environment) == set()


@pytest.mark.parametrize("one", OURS, ids=str)
def test_values_can_be_read_as_settings(one: Ours) -> None:
    given = {name: value or IN_THE_CLUSTER.get(name, "secret") for name, value in one.environment.items()}
    Settings(**{name.removeprefix("PARLEY_").lower(): value for name, value in given.items() if of_settings(name)})


def of_settings(name: str) -> bool:
    return name.removeprefix("PARLEY_").lower() in FIELDS


@pytest.mark.parametrize("name", ["base", "overlays/dev"])
def test_the_job_makes_topics_as_they_are_wanted_and_tables_where_they_are_read(name: str) -> None:
    topics, tables = (one for one in ours(name) if one.name.startswith("Job/"))
    assert topics.arguments == ("topics", "apply")
    assert tables.arguments == ("migrate",)
    assert {"PARLEY_KAFKA", "PARLEY_PARTITIONS", "PARLEY_REPLICATION"} <= set(topics.environment)
    assert "PARLEY_DATABASE" in tables.environment


@pytest.mark.parametrize("one", SERVICES, ids=str)
def test_ports_are_those_that_are_listened_on(one: Ours) -> None:
    default = Settings.model_fields["http_port"].default
    expected = {"http": int(one.environment.get("PARLEY_HTTP_PORT") or default)}
    for name in ("PARLEY_SMTP_PORT", "PARLEY_SANDBOX_SMTP_PORT"):
        if value := one.environment.get(name):
            expected["smtp"] = int(value)
    assert one.ports == expected
    assert all(port > 1023 for port in one.ports.values()), "nobody but root may listen below"


@pytest.mark.parametrize("one", SERVICES, ids=str)
def test_a_service_leads_to_ports_that_its_pods_have(one: Ours) -> None:
    service = named(one.build, "Service", one.name.rpartition("/")[2])
    assert service["spec"]["selector"].items() <= one.pod["metadata"]["labels"].items()
    assert {port["targetPort"] for port in service["spec"]["ports"]} == set(one.ports)
    numbers = {port["name"]: port["port"] for port in service["spec"]["ports"]}
    assert numbers == {name: {"http": 80, "smtp": 25}[name] for name in one.ports}


@pytest.mark.parametrize("one", SERVICES, ids=str)
def test_probes_and_prometheus_ask_what_is_answered(one: Ours) -> None:
    life = Life("test", Settings())
    life._health_routes()
    answered = {resource.canonical for resource in life.app.router.resources()}
    (endpoint,) = named("alerts", "PodMonitor", "parley")["spec"]["podMetricsEndpoints"]
    probes = {name: one.container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    kinds = {"startup": "startup", "liveness": "live", "readiness": "ready"}
    assert {name: probe["path"] for name, probe in probes.items()} == {n: f"/health/{k}" for n, k in kinds.items()}
    assert {*(probe["path"] for probe in probes.values()), endpoint["path"]} <= answered
    assert {*(probe["port"] for probe in probes.values()), endpoint["port"]} <= set(one.ports)
    selected = named("alerts", "PodMonitor", "parley")["spec"]["selector"]["matchLabels"]
    assert selected.items() <= one.pod["metadata"]["labels"].items()


@pytest.mark.parametrize("one", [one for one in SERVICES if one.module in ADAPTERS], ids=str)
def test_the_accounts_file_is_a_mounted_folder_so_that_a_changed_secret_arrives(one: Ours) -> None:
    """kubelet swaps links in the folder; a file that is mounted by itself (subPath) stays what it was."""
    accounts = one.environment.get("PARLEY_ACCOUNTS") or Settings.model_fields["accounts"].default
    path = PurePosixPath(accounts)
    (mount,) = (one for one in one.container["volumeMounts"] if PurePosixPath(one["mountPath"]) == path.parent)
    assert mount["readOnly"]
    assert "subPath" not in mount
    (volume,) = (volume for volume in one.pod["spec"]["volumes"] if volume["name"] == mount["name"])
    assert volume["secret"]["secretName"] == "parley-accounts"
    assert volume["secret"]["defaultMode"] & 0o007 == 0, (
        "its group reads it, which the pod's fsGroup is, and nobody else"
    )


@pytest.mark.parametrize("one", SERVICES, ids=str)
def test_a_folder_that_is_written_to_is_a_volume(one: Ours) -> None:
    """The root file system is read-only: files of blobs and of the sandbox lie in what is mounted."""
    mounts = [PurePosixPath(mount["mountPath"]) for mount in one.container["volumeMounts"] if not mount.get("readOnly")]
    blobs = one.environment.get("PARLEY_BLOBS") or ""
    written = ["/tmp", one.environment.get("PARLEY_SANDBOX_DATA")]
    written += [blobs.removeprefix("file://")] if blobs.startswith("file://") else []
    for folder in filter(None, written):
        assert any(PurePosixPath(folder).is_relative_to(mount) for mount in mounts), folder


@pytest.mark.parametrize("name", ["base", "overlays/dev"])
def test_addresses_within_the_namespace_are_services_that_it_has(name: str) -> None:
    services = {
        (one["metadata"]["name"], port["port"])
        for one in build(name)
        if one["kind"] == "Service"
        for port in one["spec"]["ports"]
    }
    for one in ours(name):
        for value in filter(None, one.environment.values()):
            found = re.fullmatch(r"(?:http://)?([a-z-]+)(?::(\d+))?", value)
            if found and (found[2] or value.startswith("http://")):
                assert (found[1], int(found[2] or 80)) in services, value
