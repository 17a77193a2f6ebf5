"""The recipes of docs/kubernetes.md for managed servers: they build, their settings fit one another, their files are mounted."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from shared.bus.kafka import connection
from shared.runtime.settings import Settings
from tests.certificates import certificate
from tests.deploy.manifests import BIN, K8S, ROOT, Resource, containers, ours, pods

PAGE: Final = (ROOT / "docs" / "kubernetes.md").read_text()
RECIPES: Final = [found[1] for found in re.finditer(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "_SECURITY" in found[1]]
FOLDER: Final = PurePosixPath("/etc/parley-servers")


@pytest.fixture(params=RECIPES, ids=["in the cluster", "outside"])
def built(request: pytest.FixtureRequest, tmp_path: Path) -> list[Resource]:
    """What kubectl makes of an overlay that is nothing but the recipe."""
    overlay = shutil.copytree(K8S, tmp_path / "k8s") / "overlays" / "recipe"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(request.param)
    made = subprocess.run([BIN / "kubectl", "kustomize", overlay], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return list(yaml.safe_load_all(made.stdout))


def told(built: list[Resource]) -> dict[str, str]:
    """The ConfigMap that every process reads."""
    (found,) = (one for one in built if one["kind"] == "ConfigMap" and "PARLEY_KAFKA" in one["data"])
    return dict(found["data"])


def test_both_recipes_are_there() -> None:
    assert len(RECIPES) == 2


def test_a_cluster_takes_it(built: list[Resource]) -> None:
    for one in built:
        kubernetes_validate.validate(one, "1.37", strict=True)


def test_its_settings_fit_one_another(built: list[Resource], tmp_path: Path) -> None:
    authority, _, _ = certificate(tmp_path, "client")
    password = tmp_path / "password"
    password.write_text("word")
    files = {"PARLEY_KAFKA_CA": authority, "PARLEY_KAFKA_PASSWORD_FILE": password}
    there = {name: str(files[name]) if value.startswith("/etc") else value for name, value in told(built).items()}
    given: dict[str, Any] = {name.removeprefix("PARLEY_").lower(): value for name, value in there.items()}
    assert connection(Settings(**given))["sasl_plain_password"] == "word"


def test_the_files_that_it_names_are_put_there(built: list[Resource]) -> None:
    wanted = {PurePosixPath(value) for value in told(built).values() if value.startswith(str(FOLDER))}
    assert wanted
    for one in built:
        if "template" in one.get("spec", {}):
            (volume,) = (v for v in one["spec"]["template"]["spec"]["volumes"] if v["name"] == "servers")
            items = [item for source in volume["projected"]["sources"] for item in source["secret"]["items"]]
            assert wanted <= {FOLDER / item["path"] for item in items}


def test_the_network_lets_kafka_s_port_through(built: list[Resource]) -> None:
    (policy,) = (one for one in built if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == "servers")
    ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    assert {int(server.rpartition(":")[2]) for server in told(built)["PARLEY_KAFKA"].split(",")} | {5432} == ports


@pytest.mark.parametrize("name", ["base", "overlays/dev"])
def test_every_process_of_ours_has_the_servers_files_read_only_and_only_if_there_are_any(name: str) -> None:
    for one in ours(name):
        if one.module == "services.sandbox":
            continue
        (mount,) = (mount for mount in one.container["volumeMounts"] if mount["mountPath"] == str(FOLDER))
        assert mount["readOnly"]
        (volume,) = (volume for volume in one.pod["spec"]["volumes"] if volume["name"] == mount["name"])
        assert volume["projected"]["defaultMode"] & 0o007 == 0
        assert all(source["secret"]["optional"] for source in volume["projected"]["sources"])


def test_the_page_names_the_files_that_are_mounted() -> None:
    (spec,) = (pod["spec"] for who, pod in pods("base") if who == "Deployment/email-adapter")
    (volume,) = (volume for volume in spec["volumes"] if volume["name"] == "servers")
    for source in volume["projected"]["sources"]:
        assert f"`{source['secret']['name']}`" in PAGE
        for item in source["secret"]["items"]:
            assert f"`{item['key']}`" in PAGE
            assert f"`{FOLDER / item['path']}`" in PAGE
    (mount,) = (mount for mount in containers({"spec": spec})[0]["volumeMounts"] if mount["name"] == "certificate")
    assert f"PARLEY_SMTP_CERTIFICATE={mount['mountPath']}/tls.crt" in PAGE
