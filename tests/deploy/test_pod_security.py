"""Every pod may run in a namespace of the restricted profile.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, control by control.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.deploy.manifests import Resource, containers, named, of_kind, ours, pods

PODS = [(f"{name}: {who}", pod["spec"]) for name in ("base", "overlays/dev") for who, pod in pods(name)]
VOLUMES: Final = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)


def allowed(spec: Resource) -> list[str]:
    """What the restricted profile has against this pod; empty: nothing."""
    return [
        *of_pod(spec),
        *(f"{one['name']}: {what}" for one in containers({"spec": spec}) for what in of_one(spec, one)),
    ]


def of_pod(spec: Resource) -> list[str]:
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    found += [f"volume {one['name']}" for one in spec.get("volumes", ()) if not set(one) - {"name"} <= VOLUMES]
    context: dict[str, Any] = spec.get("securityContext", {})
    found += [name for name in ("sysctls", "windowsOptions", "seLinuxOptions", "appArmorProfile") if context.get(name)]
    return found


def of_one(spec: Resource, container: Resource) -> list[str]:
    whole: dict[str, Any] = spec.get("securityContext", {})
    own: dict[str, Any] = container.get("securityContext", {})
    capabilities = own.get("capabilities", {})
    user = own.get("runAsUser", whole.get("runAsUser"))
    rules = {
        "privileged": not own.get("privileged"),
        "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
        "capabilities": "ALL" in capabilities.get("drop", ())
        and not set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"},
        "runAsNonRoot": own.get("runAsNonRoot", whole.get("runAsNonRoot")) is True,
        "runAsUser": user != 0,
        "seccompProfile": own.get("seccompProfile", whole.get("seccompProfile", {})).get("type")
        in {"RuntimeDefault", "Localhost"},
        "hostPort": not any(port.get("hostPort") for port in container.get("ports", ())),
        "procMount": "procMount" not in own,
        "lifecycle host": not any("host" in probe.get("httpGet", {}) for probe in probes(container)),
    }
    return [name for name, holds in rules.items() if not holds]


def probes(container: Resource) -> list[Resource]:
    return [value for name, value in container.items() if name.endswith("Probe")]


@pytest.mark.parametrize(("who", "spec"), PODS, ids=[who for who, _ in PODS])
def test_a_pod_is_restricted(who: str, spec: Resource) -> None:
    assert allowed(spec) == []


@pytest.mark.parametrize(
    ("change", "against"),
    [
        ({"securityContext": {}}, "runAsNonRoot"),
        ({"hostNetwork": True}, "hostNetwork"),
        ({"volumes": [{"name": "node", "hostPath": {"path": "/"}}]}, "volume node"),
        ({"containers": [{"name": "service"}]}, "capabilities"),
    ],
)
def test_a_pod_that_is_not_restricted_is_seen(change: Resource, against: str) -> None:
    assert any(against in found for found in allowed(dict(PODS)["base: Deployment/router"] | change))


@pytest.mark.parametrize("name", ["base", "overlays/dev"])
def test_the_namespace_takes_no_other(name: str) -> None:
    (namespace,) = of_kind(name, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize(("who", "spec"), PODS, ids=[who for who, _ in PODS])
def test_nobody_has_a_token_for_kubernetes(who: str, spec: Resource) -> None:
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False, "a Service's name would become environment variables"


@pytest.mark.parametrize("name", ["base", "overlays/dev"])
def test_our_own_have_an_account_without_a_token_and_write_nowhere(name: str) -> None:
    account = named(name, "ServiceAccount", "parley")
    assert account["automountServiceAccountToken"] is False
    for one in ours(name):
        assert one.pod["spec"]["serviceAccountName"] == "parley"
        assert one.container["securityContext"]["readOnlyRootFilesystem"] is True
