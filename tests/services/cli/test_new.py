"""A channel that is begun by the command passes its suite at once, and so does a sample that is made for it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.__main__ import app as cli
from services.cli.new import command

ROOT = Path(__file__).resolve().parents[3]
HERE = ["docs", "services", "shared", "deploy", "tests", "pyproject.toml", "README.md"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of this tree, as someone has it who begins a channel."""
    folder = tmp_path_factory.mktemp("tree")
    told = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard", *HERE], cwd=ROOT, check=True, capture_output=True
    )
    for name in filter(None, told.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def run(tree, *asked, code=0, given=""):
    environment = {**os.environ, "PYTHONPATH": str(tree), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(asked, cwd=tree, env=environment, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def parley(tree, *asked, **more):
    return run(tree, sys.executable, "-m", "services.cli", *asked, **more)


@pytest.fixture(scope="module")
def begun(tree):
    parley(tree, "new", "channel", "carrierpigeon", "--title", "Carrier Pigeons")
    return tree


def test_a_channel_that_is_begun_passes_the_suite_and_the_style(begun):
    fuzz = "--ignore=tests/channels/conformance/test_other_shapes.py"  # the longest, and of the same code as elsewhere
    quick = ["-q", "-p", "no:cacheprovider", "--noconftest", "-p", "tests.channels.conftest", fuzz]
    assert " passed" in run(begun, sys.executable, "-m", "pytest", "tests/channels", "-k", "carrierpigeon", *quick)
    run(begun, "ruff", "check", "services", "tests/channels")
    run(begun, "ruff", "format", "--check", "services", "tests/channels")
    assert "carrierpigeon" in (begun / "docs/channels.md").read_text()


def test_the_sandbox_plays_a_provider_that_is_begun(begun):
    quick = ["-q", "-p", "no:cacheprovider", "tests/services/sandbox/test_twins.py", "-k", "carrierpigeon"]
    assert " passed" in run(begun, sys.executable, "-m", "pytest", *quick)
    run(begun, "ruff", "check", "deploy")
    run(begun, "ruff", "format", "--check", "deploy")


def test_a_body_becomes_a_signed_sample_with_its_records(begun):
    body = json.dumps(
        {"account": "a-1", "events": [{"id": "m-9", "type": "text", "from": {"id": "p-1"}, "time": 0, "text": "hi"}]}
    )
    shown = json.loads(parley(begun, "sample", "carrierpigeon", "--as", "another", given=body))
    assert [record["parts"] for record in shown["records"]] == [[{"kind": "text", "text": "hi"}]]
    written = begun / "tests/channels/carrierpigeon"
    assert json.loads((written / "another.json").read_text()) == shown
    file = [
        "translate",
        "carrierpigeon",
        str(written / "another.in.http"),
        "--set",
        "secret=sandbox-only-Secret-of-the-webhook",
    ]
    assert json.loads(parley(begun, *file))["envelopes"]
    assert "another signature" in parley(begun, *file[:-1], "secret=another", code=1)


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        (["line"], "already"),
        (["Big Name"], "small letters"),
        (["conformance"], "small letters"),
        (["9lives"], "small letters"),
        (["snapchat", "--family", "chat"], "family social"),
        (["other", "--family", "mail"], "source tree"),
    ],
)
def test_what_cannot_be_begun_is_refused_before_anything_is_written(tree, monkeypatch, asked, what):
    monkeypatch.setattr(command, "ROOT", tree)
    refused = CliRunner().invoke(cli, ["new", "channel", *asked])
    assert (refused.exit_code, what in refused.output) == (2, True)


@pytest.mark.parametrize(
    ("channel", "what"), [("email", "parley translate"), ("youtube", "WHAT.poll.json"), ("webchat", "is the provider")]
)
def test_where_nothing_is_signed_it_says_what_to_do_instead(channel, what):
    refused = CliRunner().invoke(cli, ["sample", channel])
    assert (refused.exit_code, what in " ".join(refused.output.split())) == (2, True)
