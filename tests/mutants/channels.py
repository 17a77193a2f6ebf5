"""Each channel broken in some thirty ways, and whether the suite that every channel passes, over its samples, sees it.

At least nine of ten must be seen: what was written from a broken channel's own answers would see little.
"""

from __future__ import annotations

import inspect
import os
import random
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import hypothesis
import pytest
from rich.console import Console
from rich.table import Table

from services.cli.channels import CHANNELS
from shared.contract.channel import Channel
from tests.mutants.operators import Way, broken, ways

PER_CHANNEL: Final = 32
ENOUGH: Final = 0.9
FUZZ: Final = "tests/channels/conformance/test_other_shapes.py"
LONGEST: Final = 120  # seconds of the processor; going round for ever is a way of seeing it


def main(names: Sequence[str], tree: Path) -> int:
    """0 where every one of these channels sees enough; `tree`: a copy of this tree, in which the files are broken."""
    table = Table("channel", "ways", "seen", "survived", title="channels broken")
    weak = []
    with at_home(tree):
        for name in names:
            if run(name, FUZZ):
                raise SystemExit(f"the suite of {name} does not pass as it is: pytest tests/channels -k {name}")
            tried = {way: seen for way in chosen(name, tree) if (seen := is_seen(name, tree, *way)) is not None}
            survived = [described(tree, *way) for way, seen in tried.items() if not seen]
            seen = len(tried) - len(survived)
            table.add_row(name, str(len(tried)), str(seen), "\n".join(survived))
            weak += [name] if seen < ENOUGH * len(tried) else []
            print(f"{name}: {seen} of {len(tried)} seen", *survived, sep="\n  SURVIVED ", flush=True)
    Console().print(table)
    return 1 if weak else 0


@contextmanager
def at_home(tree: Path) -> Iterator[None]:
    """In the copy, with what takes long to import there already, as nothing of the copy is."""
    hypothesis.settings.register_profile("mutants", deadline=None, database=None, derandomize=True)
    hypothesis.settings.load_profile("mutants")
    before, path = Path.cwd(), [*sys.path]
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = path


def files(channel: Channel, tree: Path) -> list[Path]:
    """Where a channel's functions stand, and the rest of their folders; from the root of the tree."""
    root = Path(__file__).resolve().parents[2]
    functions: list[Callable[..., object]] = [one for one in vars(channel).values() if inspect.isfunction(one)]
    places = {Path(inspect.getfile(one)) for one in functions}
    places |= {beside for place in places if place.name == "__init__.py" for beside in place.parent.glob("*.py")}
    own = {place.relative_to(root) for place in places if root / "shared" / "contract" not in place.parents}
    return sorted(place for place in own if (tree / place).exists())


def chosen(name: str, tree: Path) -> list[tuple[Path, Way]]:
    """As many of each kind as there is room for, spread over the files by a chance that is the same every time."""
    kinds: dict[str, list[tuple[Path, Way]]] = {}
    for file in files(CHANNELS[name], tree):
        for way in ways((tree / file).read_bytes()):
            kinds.setdefault(way.kind, []).append((file, way))
    for kind, found in sorted(kinds.items()):
        random.Random(f"{name} {kind}").shuffle(found)
    found = []
    while len(found) < PER_CHANNEL and any(kinds.values()):
        found += [kinds[kind].pop() for kind in sorted(kinds) if kinds[kind]]
    return found[:PER_CHANNEL]


def described(tree: Path, file: Path, way: Way) -> str:
    return f"{file.parent.name}/{file.name}: {way.name((tree / file).read_bytes())}"


def is_seen(name: str, tree: Path, file: Path, way: Way) -> bool | None:
    """Whether the suite fails in the copy that is broken so; None where the channel cannot even be imported."""
    place = tree / file
    whole = place.read_bytes()
    place.write_bytes(broken(whole, way))
    try:
        first = run(name, FUZZ)
        return (
            None if first not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, HUNG} else bool(first or run(name))
        )
    finally:
        place.write_bytes(whole)


HUNG: Final = -signal.SIGXCPU


def run(name: str, without: str = "") -> int:
    """pytest's exit code, in a process of its own that has everything but this tree's modules in memory already."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    resource.setrlimit(resource.RLIMIT_CPU, (LONGEST, LONGEST + 5))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    sys.dont_write_bytecode = True
    for module in [
        module for module in sys.modules if module.split(".")[0] in {"services", "shared", "tests", "deploy"}
    ]:
        del sys.modules[module]
    asked = ["tests/channels", "-k", name, "-x", "-q", "-p", "no:cacheprovider", "-p", "no:faulthandler", "--timeout=0"]
    left_out = [f"--ignore={without}"] if without else []
    os._exit(pytest.main([*asked, *left_out, "--noconftest", "-p", "tests.channels.conftest"]))
