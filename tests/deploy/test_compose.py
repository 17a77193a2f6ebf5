"""compose.yaml gives every service what it reads, and Kafka what one node alone needs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

import pytest
import yaml

from deploy.local.kafka import PROPERTIES, VERSION as KAFKA
from services.cli.channels import CHANNELS
from shared.contract.errors import Misconfigured
from shared.runtime.accounts import load
from shared.runtime.settings import Settings
from tests.deploy.manifests import ROOT, named
from tests.deploy.reading import FIELDS, file_of, variable, variables_read

VERSION: Final[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
STAY: Final = ("router", "chat-adapter", "social-adapter", "email-adapter", "sandbox")
ONCE: Final = ("setup", "accounts")
NOT_PLAYED: Final[set[str]] = set()  # channels whose provider the sandbox does not play yet
NEEDED: Final = frozenset(variable(name) for name in ("kafka", "database", "blobs", "secret", "token", "accounts"))
PLACES: Final = {"listeners", "advertised.listeners", "controller.quorum.voters", "log.dirs", "heap.opts"}
DEFAULT: Final = re.compile(r"\$\{\w+:-([^}]*)\}")


@cache
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return found


def environment(name: str) -> dict[str, str]:
    """What it is given where nobody says otherwise."""
    return {key: DEFAULT.sub(r"\1", value) for key, value in services()[name].get("environment", {}).items()}


def module(name: str) -> str:
    return str(services()[name]["command"][0])


def test_it_holds_all_services_of_the_house_and_both_servers() -> None:
    assert set(services()) == {"kafka", "postgres", *ONCE, *STAY}
    assert {module(name) for name in STAY} == {f"services.{name.replace('-', '_')}" for name in STAY}


@pytest.mark.parametrize("name", [*STAY, *ONCE])
def test_what_compose_runs_exists_and_reads_what_it_is_given(name: str) -> None:
    assert file_of(module(name))
    given = environment(name)
    common = environment("router").keys() & environment("setup").keys()  # all of the house are told these
    assert given.keys() - common <= variables_read(module(name))
    of_settings = {key.removeprefix("PARLEY_").lower(): value for key, value in given.items()}
    in_container = {"token_file", "secret_file"}
    Settings(**{key: value for key, value in of_settings.items() if key in FIELDS - in_container})


@pytest.mark.parametrize("name", STAY)
def test_what_compose_has_to_give_is_given(name: str) -> None:
    assert (NEEDED & variables_read(module(name))) - environment(name).keys() == set()


@pytest.mark.parametrize("name", STAY)
def test_a_service_of_compose_is_as_safe_as_a_pod(name: str) -> None:
    one = services()[name]
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert one["image"] == f"parley:{VERSION}"
    written = ["/tmp", environment(name).get("PARLEY_SANDBOX_DATA"), environment(name).get("PARLEY_ACCOUNTS")]
    written += [blobs.removeprefix("file://")] if (blobs := environment(name).get("PARLEY_BLOBS")) else []
    mounts = [PurePosixPath(where) for where in (*one["tmpfs"], *(v.partition(":")[2] for v in one["volumes"]))]
    for folder in filter(None, written):
        assert any(PurePosixPath(folder).is_relative_to(mount) for mount in mounts), folder


@pytest.mark.parametrize("name", ["kafka", "postgres", *STAY])
def test_a_service_of_compose_says_how_it_is(name: str) -> None:
    assert services()[name]["healthcheck"]["test"][0] == "CMD"


def test_everything_that_is_open_is_open_on_this_machine_only() -> None:
    opened = [port for one in services().values() for port in one.get("ports", ())]
    assert opened
    assert all(port.startswith("127.0.0.1:") for port in opened)


@pytest.mark.parametrize("name", STAY)
def test_ports_of_compose_are_those_that_are_listened_on(name: str) -> None:
    given = environment(name)
    listened = {Settings.model_fields["http_port"].default, int(given.get("PARLEY_SMTP_PORT", 0))}
    assert {int(port.rpartition(":")[2]) for port in services()[name].get("ports", ())} <= listened
    (probe,) = re.findall(r"http://127\.0\.0\.1:(\d+)/health/ready", services()[name]["healthcheck"]["test"][-1])
    assert int(probe) in listened


def test_addresses_within_compose_are_services_that_it_has() -> None:
    for name in (*STAY, *ONCE):
        given = [*environment(name).values(), *services()[name]["command"]]
        hosts = {host for text in given for host in re.findall(r"(?:^|//|@|=)([a-z][a-z-]+):\d+", text)}
        assert hosts <= services().keys(), name


def test_services_wait_for_topics_tables_and_accounts() -> None:
    for name in STAY:
        waits = {who: how["condition"] for who, how in services()[name]["depends_on"].items()}
        assert waits.items() >= dict.fromkeys(ONCE, "service_completed_successfully").items()
    assert services()["setup"]["depends_on"].keys() == {"kafka", "postgres"}


def test_the_accounts_of_the_first_start_can_be_used_and_stay(tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    arguments = [str(file) if part.startswith("/") else part for part in services()["accounts"]["command"]]
    subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, check=True)
    found = load(file, CHANNELS)
    assert {channel for channel, _ in found.all()} == CHANNELS.keys() - NOT_PLAYED
    telegram, mail = found.account("telegram", "sandbox"), found.account("email", "support")
    assert telegram and mail
    assert telegram.model_dump()["api"] == "http://sandbox:8080"
    assert (mail.model_dump()["host"], mail.model_dump()["port"]) == ("sandbox", 2525)
    made = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    assert made.keys() == {"accounts.toml", "token", "secret"}
    assert len({made["token"], made["secret"]}) == 2
    assert all(one.stat().st_mode & 0o077 == 0 for one in tmp_path.iterdir())
    subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, check=True)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == made


def test_every_secret_is_made_at_the_first_start_and_read_where_it_was_made(tmp_path: Path) -> None:
    """No two houses begin with the same words, and whoever read compose.yaml knows none of them."""
    folder = PurePosixPath(services()["accounts"]["command"][1]).parent
    for name in STAY:
        given = environment(name)
        for secret in {"token", "secret"} & {key.removeprefix("PARLEY_").lower() for key in given}:
            assert given[variable(secret)] == ""
            assert given[variable(f"{secret}_file")] == str(folder / secret)
    (tmp_path / "token").write_text("made here\n")
    assert Settings(token_file=str(tmp_path / "token")).token.get_secret_value() == "made here"
    assert Settings(token="mine", token_file=str(tmp_path / "token")).token.get_secret_value() == "mine"
    with pytest.raises(Misconfigured, match="PARLEY_TOKEN_FILE"):
        Settings(token_file=str(tmp_path / "none"))


@pytest.mark.parametrize("place", ["compose", "dev"])
def test_kafka_is_given_what_one_node_alone_needs(place: str) -> None:
    if place == "compose":
        image, given = services()["kafka"]["image"], environment("kafka")
    else:
        (container,) = named("overlays/dev", "StatefulSet", "kafka")["spec"]["template"]["spec"]["containers"]
        image, given = container["image"], {entry["name"]: entry["value"] for entry in container["env"]}
    assert image == f"apache/kafka:{KAFKA}"
    assert properties(given) == alone()


def properties(given: dict[str, str]) -> dict[str, str]:
    """What Apache Kafka's image makes of its environment, KAFKA_A_B being a.b; without what is each place's own affair."""
    found = {name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in given.items()}
    return {name: value for name, value in found.items() if name not in PLACES}


def alone() -> dict[str, str]:
    """The same of `parley up`."""
    found = dict(re.findall(r"^([a-z.]+)=(.*)$", PROPERTIES, flags=re.MULTILINE))
    return {name: value for name, value in found.items() if name not in PLACES}
