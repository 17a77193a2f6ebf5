"""Nothing goes in or out of a pod but what it needs: the policies added up, pod by pod."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

import pytest

from tests.deploy.manifests import Resource, of_kind, pods

Way = tuple[str, int | str]  # to or from whom, port

BOTH: Final = ("base", "overlays/dev")
DNS: Final = {("kube-system", 53)}
WEB: Final = {("ingress-nginx", 8080), ("monitoring", 8080)}
SERVERS: Final = {"base": {("kafka", 9092), ("postgres", 5432)}, "overlays/dev": {("kafka", 9092), ("postgres", 5432)}}
INTERNET: Final = {("internet", 443)}
SANDBOX: Final = {"base": set[Way](), "overlays/dev": {("sandbox", 8080)}}
MAIL: Final = {("internet", 25), ("internet", 465), ("internet", 587)}
ALL: Final = ("router", "chat-adapter", "social-adapter", "email-adapter", "migrate")
ADAPTERS: Final = ("chat-adapter", "social-adapter", "email-adapter")


def egress(name: str) -> dict[str, set[Way]]:
    """Everything that each pod of a build may reach."""
    needed = {
        "router": DNS | SERVERS[name] | INTERNET,
        "chat-adapter": DNS | SERVERS[name] | INTERNET | SANDBOX[name],
        "social-adapter": DNS | SERVERS[name] | INTERNET | SANDBOX[name],
        "email-adapter": DNS | SERVERS[name] | INTERNET | MAIL | SANDBOX[name],
        "migrate": DNS | SERVERS[name],
    }
    if name == "overlays/dev":
        for adapter in ADAPTERS:
            needed[adapter] = needed[adapter] | {("sandbox", 2525)}
        needed["kafka"] = DNS | {("kafka", 9092)}
        needed["postgres"] = set(DNS)
        needed["sandbox"] = DNS | {(adapter, 8080) for adapter in ADAPTERS} | {("email-adapter", 8025)}
    return needed


def ingress(name: str) -> dict[str, set[Way]]:
    """Everyone who may reach each pod of a build."""
    needed: dict[str, set[Way]] = {
        "router": set(WEB),
        "chat-adapter": WEB | SANDBOX[name],
        "social-adapter": WEB | SANDBOX[name],
        "email-adapter": WEB | SANDBOX[name] | {("everywhere", 8025)},
        "migrate": set(),
    }
    if name == "overlays/dev":
        needed["email-adapter"] = needed["email-adapter"] | {("sandbox", 8025)}
        needed["kafka"] = {(who, 9092) for who in (*ALL, "kafka")}
        needed["postgres"] = {(who, 5432) for who in ALL}
        needed["sandbox"] = {(who, port) for who in ADAPTERS for port in (8080, 2525)}
    return needed


def components(name: str) -> dict[str, Resource]:
    """Each pod template by what it is called in policies."""
    return {pod["metadata"]["labels"]["app.kubernetes.io/component"]: pod for _, pod in pods(name)}


def ways(name: str, who: str, direction: Literal["ingress", "egress"]) -> set[Way]:
    labels = components(name)[who]["metadata"]["labels"]
    return {
        (peer, port)
        for policy in of_kind(name, "NetworkPolicy")
        if selects(policy["spec"]["podSelector"], labels)
        for rule in policy["spec"].get(direction, ())
        for peer in peers(name, rule["to" if direction == "egress" else "from"])
        for port in ports(name, rule["ports"], peer if direction == "egress" else who)
    }


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    for rule in selector.get("matchExpressions", ()):
        assert rule["operator"] == "In"
        if labels.get(rule["key"]) not in rule["values"]:
            return False
    return True


def peers(name: str, found: list[Resource]) -> Iterator[str]:
    """Whom a rule means: a namespace by its name, pods of ours by theirs, the internet, or everyone."""
    for peer in found:
        if "ipBlock" in peer:
            open_to_all = peer["ipBlock"]["cidr"] in {"0.0.0.0/0", "::/0"} and not peer["ipBlock"].get("except")
            yield "everywhere" if open_to_all else "internet"
        elif "namespaceSelector" in peer:
            yield peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        else:
            yield from (
                who for who, pod in components(name).items() if selects(peer["podSelector"], pod["metadata"]["labels"])
            )


def ports(name: str, found: list[Resource], owner: str) -> Iterator[int]:
    """Port numbers; a name means that port of the pod that is reached, where it has one."""
    pod = components(name).get(owner)
    of_pod = (
        {p["name"]: p["containerPort"] for c in pod["spec"]["containers"] for p in c.get("ports", ())} if pod else {}
    )
    for port in found:
        if isinstance(port["port"], int):
            yield port["port"]
        elif port["port"] in of_pod:
            yield of_pod[port["port"]]


@pytest.mark.parametrize("name", BOTH)
def test_whoever_is_not_named_reaches_nobody(name: str) -> None:
    (default,) = (one for one in of_kind(name, "NetworkPolicy") if one["metadata"]["name"] == "default-deny")
    assert default["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize("name", BOTH)
def test_each_pod_reaches_what_it_needs_and_nothing_else(name: str) -> None:
    assert {who: ways(name, who, "egress") for who in components(name)} == egress(name)


@pytest.mark.parametrize("name", BOTH)
def test_each_pod_is_reached_by_who_needs_it_and_nobody_else(name: str) -> None:
    assert {who: ways(name, who, "ingress") for who in components(name)} == ingress(name)


@pytest.mark.parametrize("name", BOTH)
def test_a_policy_says_which_directions_it_is_about(name: str) -> None:
    """Egress that is not named in policyTypes would not be heeded; ingress that is, without rules, would close all."""
    for policy in of_kind(name, "NetworkPolicy"):
        if policy["metadata"]["name"] != "default-deny":
            said = {direction.lower() for direction in policy["spec"]["policyTypes"]}
            assert said == {"ingress", "egress"} & set(policy["spec"])


@pytest.mark.parametrize("name", BOTH)
def test_the_internet_is_none_of_our_own_networks(name: str) -> None:
    inside = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8", "100.64.0.0/10"}
    blocks = [
        peer["ipBlock"]
        for policy in of_kind(name, "NetworkPolicy")
        for rule in policy["spec"].get("egress", ())
        for peer in rule["to"]
        if "ipBlock" in peer
    ]
    assert {block["cidr"] for block in blocks} == {"0.0.0.0/0", "2000::/3"}
    assert all(inside <= set(block["except"]) for block in blocks if block["cidr"] == "0.0.0.0/0")
