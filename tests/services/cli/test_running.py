"""Which system a command works on, and that no password is ever shown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from deploy.local.home import LOOPBACK, write_addresses
from deploy.local.services import make_addresses
from services.cli import running
from services.cli.__main__ import app
from tests.patience import SECONDS

ROOT = Path(__file__).resolve().parents[3]
PORTS = {
    "router": 1,
    "email_adapter": 2,
    "social_adapter": 3,
    "chat_adapter": 4,
    "sandbox": 5,
    "email_adapter_smtp": 6,
    "sandbox_smtp": 7,
}


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PARLEY_KAFKA", "PARLEY_DATABASE", "PARLEY_TOKEN", "PARLEY_PREFIX"):
        monkeypatch.delenv(name, raising=False)


def stack(home: Path) -> Path:
    home.mkdir()
    write_addresses(home, make_addresses(PORTS, kafka="k:1", database="postgresql://u:pw@d/x", token="t"))
    return home


def test_a_folder_that_is_named_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_KAFKA", "elsewhere:9")
    system = running.find(stack(tmp_path / "home"))
    assert system.settings.kafka == "k:1"
    assert system.settings.token.get_secret_value() == "t"
    assert system.settings.accounts == str(tmp_path / "home" / "accounts.toml")
    assert system.services["router"] == f"http://{LOOPBACK}:1"


def test_the_default_folder_only_fills_in_what_the_environment_does_not_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack(tmp_path / ".parley")
    assert running.find().settings.kafka == "k:1"
    monkeypatch.setenv("PARLEY_KAFKA", "elsewhere:9")
    found = running.find().settings
    assert (found.kafka, found.database.get_secret_value()) == ("elsewhere:9", "postgresql://u:pw@d/x")


def test_the_environment_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_KAFKA", "elsewhere:9")
    assert running.find() == running.System(running.read_settings())


@pytest.mark.parametrize("arguments", [["tail"], ["tail", "--home", "nothing-here"], ["dlq", "list"], ["doctor"]])
def test_no_system_named_is_misuse_with_a_way_out(arguments: list[str]) -> None:
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 2
    assert "parley up" in told.output


@pytest.mark.parametrize("arguments", [["tail"], ["trace", "12345678"], ["reply", "12345678", "hello"]])
def test_a_stack_that_is_down_is_told_with_how_it_starts(tmp_path: Path, arguments: list[str]) -> None:
    """A folder keeps its addresses when its stack goes down."""
    home = stack(tmp_path / "home")
    told = CliRunner().invoke(app, [*arguments, "--home", str(home)])
    assert told.exit_code == 1
    assert f"is down. Start it with `parley up --home {home}`" in told.output
    assert len(told.output.splitlines()) == 1


def test_an_environment_that_cannot_be_used_is_told_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARLEY_PARTITIONS", "many")
    with pytest.raises(typer.Exit):
        running.read_settings()
    assert "PARLEY_PARTITIONS" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["topics", "plan", "--json"], ["send", "webhook", "main", "u-17", "hello", "--json"], ["migrate"]]
)
def test_what_went_wrong_is_one_sentence_and_standard_output_stays_clean(arguments: list[str]) -> None:
    nobody = {"PARLEY_KAFKA": "127.0.0.1:9", "PARLEY_DATABASE": "postgresql://u:hunter2@127.0.0.1:9/x"}
    told = subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        env=os.environ | nobody | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (told.returncode, told.stdout) == (1, "")
    assert len(told.stderr.splitlines()) == 1
    assert "parley doctor" in told.stderr
    assert "hunter2" not in told.stderr


def test_no_error_shows_a_password() -> None:
    shown = running.explain(OSError("cannot connect to postgresql://parley:hunter2@db/parley"))
    assert "hunter2" not in shown
    assert "postgresql://parley:…@db/parley." in shown
