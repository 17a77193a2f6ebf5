"""The promises of `parley up`, `down` and `status`, kept on real servers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from deploy.local import kafka, stack
from deploy.local.home import is_held, keep_ports, read_addresses, read_roll
from deploy.local.programs import Program, Supervised
from deploy.local.servers import start_servers, stop_servers
from deploy.local.trouble import Trouble
from tests.patience import SECONDS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the local stack is for Linux and macOS")

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}


def parley(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        env={**CLEAN, **environment},
        capture_output=True,
        text=True,
        timeout=3 * SECONDS,
        check=False,
    )


def up(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return parley("up", "--servers", "--detach", "--no-browser", "--home", str(home), **environment)


def supervisor_of(home: Path) -> psutil.Process:
    roll = read_roll(home)
    assert roll
    process = roll.supervisor.find()
    assert process
    return process


def pid_of(home: Path, name: str) -> int:
    roll = read_roll(home)
    assert roll
    return roll.processes[name].pid


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, f"still not so after {SECONDS:g} s"
        time.sleep(0.1)


def is_healthy(home: Path) -> bool:
    return parley("status", "--json", "--home", str(home)).returncode == 0


def says_one_sentence(told: subprocess.CompletedProcess[str]) -> str:
    lines = told.stderr.strip().splitlines()
    assert len(lines) == 1, told.stderr
    assert lines[0].endswith(".")
    return lines[0]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "home"
    yield folder
    stop_servers(folder)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own") / "home"


@pytest.fixture
def stopped(own: Path) -> Iterator[Path]:
    """One folder for many tests, where the next start is quick: nothing runs in it."""
    yield own
    stop_servers(own)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("stack") / "home"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PARLEY_KAFKA", "PARLEY_DATABASE"):
            patch.delenv(name, raising=False)
        start_servers(folder)
    yield folder
    stop_servers(folder)


def test_addresses_are_written_for_the_owner_only(running: Path) -> None:
    file = running / "addresses.json"
    found = json.loads(file.read_text())
    assert set(found) == {"kafka", "database", "console", "sandbox", "token", "services"}
    assert set(found["services"]) == {"router", "email_adapter", "social_adapter", "chat_adapter", "sandbox"}
    assert all(set(service) == {"http", "smtp", "lmtp"} for service in found["services"].values())
    assert found["console"] == found["services"]["router"]["http"] + "/console/"
    assert file.stat().st_mode & 0o777 == 0o600


def test_nobody_else_reads_what_stands_in_a_home(running: Path) -> None:
    """Kafka's log segments, PostgreSQL's files and logs too. Others may pass through the home: PostgreSQL's own user does."""
    found = [path for path in running.rglob("*") if not path.is_symlink() and path.exists()]
    assert {"kafka", "postgres", "logs"} <= {path.name for path in found}
    assert [path for path in found if path.stat().st_mode & 0o077 and _is_open(path, running)] == []
    assert not running.stat().st_mode & 0o066


def _is_open(path: Path, home: Path) -> bool:
    """Whether no folder between it and the home keeps others out."""
    between = [parent for parent in path.parents if parent.is_relative_to(home) and parent != home]
    return all(parent.stat().st_mode & 0o001 for parent in between)


async def test_the_servers_answer_at_their_addresses(running: Path) -> None:
    addresses = read_addresses(running)
    assert await kafka.answers(addresses.kafka)
    connection = await asyncpg.connect(addresses.database)
    assert await connection.fetchval("SHOW fsync") == "on"
    assert (await connection.fetchval("SHOW server_version")).startswith("18.")
    await connection.close()


async def test_postgres_wants_the_password(running: Path) -> None:
    password = (running / "database.password").read_text()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(read_addresses(running).database.replace(password, "guessed"))


def test_status_tells_programs_and_people_that_all_is_well(running: Path) -> None:
    told = parley("status", "--json", "--home", str(running))
    assert told.returncode == 0, told.stdout
    processes = json.loads(told.stdout)["processes"]
    assert {name: line["healthy"] for name, line in processes.items()} == {"kafka": True, "postgres": True}
    assert processes["kafka"]["pid"] == pid_of(running, "kafka")
    table = parley("status", "--home", str(running)).stdout
    assert "healthy" in table
    assert (running / "database.password").read_text() not in table


@pytest.mark.parametrize("detach", [["--detach"], []])
def test_a_second_up_on_the_same_folder_is_refused(running: Path, detach: list[str]) -> None:
    told = parley("up", "--servers", "--no-browser", "--home", str(running), *detach)
    assert told.returncode == 13
    assert f"already running in {running}" in says_one_sentence(told)


@pytest.mark.parametrize("name", ["kafka", "postgres"])
def test_a_killed_server_comes_back_on_its_data(running: Path, name: str) -> None:
    killed = pid_of(running, name)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: pid_of(running, name) != killed and is_healthy(running))
    assert f"{name} was ended by SIGKILL" in (running / "logs" / "stack.log").read_text()


def test_servers_of_ones_own_are_used_instead(running: Path, home: Path) -> None:
    addresses = read_addresses(running)
    told = up(home, PARLEY_KAFKA=addresses.kafka, PARLEY_DATABASE=addresses.database)
    assert told.returncode == 0, told.stderr
    assert supervisor_of(home).children() == []
    assert read_addresses(home).kafka == addresses.kafka
    assert is_healthy(home)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_its_supervisor(stopped: Path, number: signal.Signals) -> None:
    assert up(stopped).returncode == 0, "it goes on, however it ended the last time"
    supervisor = supervisor_of(stopped)
    children = supervisor.children(recursive=True)
    assert {"java", "postgres"} <= {child.name() for child in children}
    supervisor.send_signal(number)
    _, alive = psutil.wait_procs([supervisor, *children], timeout=SECONDS)
    assert alive == []


async def test_data_and_ports_outlive_a_stop(stopped: Path) -> None:
    assert up(stopped).returncode == 0
    before = read_addresses(stopped)
    connection = await asyncpg.connect(before.database)
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    await connection.close()
    assert parley("down", "--home", str(stopped)).returncode == 0
    assert up(stopped).returncode == 0
    assert read_addresses(stopped) == before
    connection = await asyncpg.connect(before.database)
    assert await connection.fetchval("SELECT one FROM kept") == 1
    await connection.close()


def test_a_stop_in_the_middle_of_a_start_is_heeded(home: Path) -> None:
    starting = subprocess.Popen(
        [sys.executable, "-m", "services.cli", "up", "--servers", "--no-browser", "--home", str(home)],
        env=CLEAN,
        stdout=subprocess.PIPE,
    )
    eventually(lambda: (home / "processes.json").exists())
    children: list[psutil.Process] = []
    with suppress(psutil.Error):
        eventually(lambda: bool(psutil.Process(starting.pid).children()))
        children = psutil.Process(starting.pid).children(recursive=True)
    starting.terminate()
    told, _ = starting.communicate(timeout=SECONDS)
    assert starting.returncode == 0
    assert b"ready\n" not in told.splitlines(keepends=True)
    assert psutil.wait_procs(children, timeout=SECONDS)[1] == []
    assert up(home).returncode == 0, "what was begun is finished by the next start"


def test_a_taken_port_is_named_with_its_process(home: Path) -> None:
    home.mkdir()
    port = keep_ports(home)["kafka"]
    with socket.create_server(("127.0.0.1", port)):
        told = up(home)
    assert told.returncode == 10
    sentence = says_one_sentence(told)
    assert f"Port {port} of kafka" in sentence
    assert f"process {os.getpid()}" in sentence
    assert str(home / "ports.json") in sentence


def test_without_a_network_the_first_start_says_so(home: Path, tmp_path: Path) -> None:
    told = up(home, PARLEY_MAVEN="http://127.0.0.1:9", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert told.returncode == 12
    assert "connect this machine to the network" in says_one_sentence(told)
    assert list((tmp_path / "cache" / "parley").iterdir()) == [], "nothing half downloaded is left to be believed"
    assert not is_held(home)


def test_a_disk_without_room_is_told_before_anything_starts(home: Path) -> None:
    told = up(home, PARLEY_FREE_MB=str(10**9))
    assert told.returncode == 11
    assert "free some space" in says_one_sentence(told)


def test_a_folder_that_cannot_be_made_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    told = up(tmp_path / "file")
    assert told.returncode == 1
    assert "choose another folder with --home" in says_one_sentence(told)


def test_what_never_gets_ready_is_named_with_its_log(stopped: Path) -> None:
    if not (stopped / "postgres").exists():
        assert up(stopped).returncode == 0
        assert parley("down", "--home", str(stopped)).returncode == 0
    setting = stopped / "postgres" / "postgresql.auto.conf"
    before = setting.read_text()
    setting.write_text("no_such_setting = 1\n")
    told = up(stopped)
    setting.write_text(before)
    assert told.returncode == 14
    sentence = says_one_sentence(told)
    assert str(stopped / "logs" / "postgres.log") in sentence
    assert "postgresql.auto.conf" in sentence
    assert not is_held(stopped)


async def test_what_takes_long_to_get_ready_is_named_once_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "LONG_SECONDS", 0)
    said: list[str] = []
    program = Program(name="slow", argv=(), log=tmp_path / "slow.log")
    answers = iter((False, False, False, True))

    async def ready() -> bool:
        return next(answers)

    starting = stack.Stack(home=tmp_path, say=said.append)
    await starting.wait_ready(Supervised(program=program, say=said.append, changed=lambda: None), ready)
    assert said == [f"slow takes long to get ready; what it says is in {tmp_path / 'slow.log'}"]


def test_a_server_of_ones_own_that_is_away_is_named_by_its_variable(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_KAFKA", "127.0.0.1:9")
    with pytest.raises(Trouble, match="PARLEY_KAFKA") as told:
        start_servers(home)
    assert told.value.exit_code == 14


def test_down_and_status_where_nothing_runs(home: Path) -> None:
    assert parley("down", "--home", str(home)).returncode == 0
    told = parley("status", "--json", "--home", str(home))
    assert told.returncode == 3
    assert json.loads(told.stdout)["running"] is False
