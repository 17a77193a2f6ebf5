"""Each channel broken in some thirty ways, and whether the suite that every channel passes, over its samples, sees it.

At least nine of ten must be seen: what was written from a broken channel's own answers would see little.
"""

from __future__ import annotations

import ast
import inspect
import os
import random
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence, Set as AbstractSet
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType
from typing import Any, Final

import grimp
import hypothesis
import pytest
from rich.console import Console
from rich.table import Table

from services.cli.channels import CHANNELS
from shared.contract.channel import Channel
from tests.mutants.operators import Way, broken, compiles, ways

ROOT: Final = Path(__file__).resolve().parents[2]
DIALECTS: Final = ROOT / "shared" / "dialects"
FUNCTION: Final = ast.FunctionDef
PER_CHANNEL: Final = 32
ENOUGH: Final = 0.9
LAST: Final = ("all others", "test_proof.py", "test_other_shapes.py")
"""What takes long in the suite comes when nothing else has seen anything."""
LONGEST: Final = 120  # seconds of the processor; going round for ever is a way of seeing it
HUNG: Final = -signal.SIGXCPU


def main(names: Sequence[str], each: int = PER_CHANNEL) -> int:
    """0 where every one of these channels sees enough of `each` ways to break it."""
    table = Table("channel", "ways", "seen", "survived", title="channels broken")
    weak = []
    with warm():
        graph = grimp.build_graph("services", "shared", "deploy", cache_dir=None)
        for name in names:
            load(name)
            if run(name):
                raise SystemExit(f"the suite of {name} does not pass as it is: pytest tests/channels -k {name}")
            found = ((place, way, is_seen(name, place, way, graph)) for place, way in chosen(name))
            tried = [*islice((one for one in found if one[2] is not None), each)]
            survived = [described(place, way) for place, way, seen in tried if not seen]
            table.add_row(name, str(len(tried)), str(len(tried) - len(survived)), "\n".join(survived))
            weak += [name] if len(tried) - len(survived) < ENOUGH * len(tried) else []
            print(
                f"{name}: {len(tried) - len(survived)} of {len(tried)} seen", *survived, sep="\n  SURVIVED ", flush=True
            )
    Console().print(table)
    return 1 if weak else 0


@contextmanager
def warm() -> Iterator[None]:
    """What is compiled once is compiled for all of them, in a folder of their own."""
    hypothesis.settings.register_profile("mutants", deadline=None, database=None, derandomize=True)
    hypothesis.settings.load_profile("mutants")
    with TemporaryDirectory(prefix="parley-mutants-") as folder:
        sys.dont_write_bytecode, sys.pycache_prefix = False, folder
        yield


def files(channel: Channel) -> list[Path]:
    """Where a channel's functions stand, and the rest of their folders."""
    functions: list[Callable[..., object]] = [one for one in vars(channel).values() if inspect.isfunction(one)]
    places = {Path(inspect.getfile(one)) for one in functions}
    places |= {beside for place in places if place.name == "__init__.py" for beside in place.parent.glob("*.py")}
    return sorted(place for place in places if ROOT / "shared" / "contract" not in place.parents)


def chosen(name: str) -> Iterator[tuple[Path, Way]]:
    """Of each kind in turn, spread over the files by a chance that is the same every time."""
    kinds: dict[str, list[tuple[Path, Way]]] = {}
    places = files(CHANNELS[name])
    named = reached(places)
    for place in places:
        others = {line for one in functions(place) if one.name not in named for line in lines(one)}
        for way in ways(place.read_bytes()):
            if way.line not in others:
                kinds.setdefault(way.kind, []).append((place, way))
    for kind, found in sorted(kinds.items()):
        random.Random(f"{name} {kind}").shuffle(found)
    while any(kinds.values()):
        for kind in sorted(kinds):
            while kinds[kind]:
                place, way = kinds[kind].pop()
                if compiles(broken(place.read_bytes(), way)):
                    yield place, way
                    break


def reached(places: Sequence[Path]) -> AbstractSet[str]:
    """All functions of a channel's own folder, and of a dialect those that they name in turn: its others are another channel's."""
    bodies: dict[str, list[ast.AST]] = {}
    for place in DIALECTS.rglob("*.py"):
        for one in functions(place):
            bodies.setdefault(one.name, []).append(one)
    dialect = [place for place in places if DIALECTS in place.parents]
    own = [place for place in places if place not in dialect]
    named = {one.name for place in own for one in functions(place)}
    todo: list[ast.AST] = [ast.parse(place.read_bytes()) for place in own]
    todo += [one for place in dialect for one in ast.parse(place.read_bytes()).body if not isinstance(one, FUNCTION)]
    while todo:
        new = names(todo.pop()) - named
        named |= new
        todo += [body for name in new for body in bodies.get(name, ())]
    return named


def functions(place: Path) -> list[ast.FunctionDef]:
    return [one for one in ast.parse(place.read_bytes()).body if isinstance(one, FUNCTION)]


def lines(function: ast.FunctionDef) -> range:
    return range(function.lineno, (function.end_lineno or function.lineno) + 1)


def names(tree: ast.AST) -> set[str]:
    said = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name)}
    return said | {one.attr for one in ast.walk(tree) if isinstance(one, ast.Attribute)}


def described(place: Path, way: Way) -> str:
    return f"{place.parent.name}/{place.name}: {way.name(place.read_bytes())}"


def is_seen(name: str, place: Path, way: Way, graph: grimp.ImportGraph) -> bool | None:
    """Whether the suite fails where the channel is broken so; None where it cannot even be imported."""
    module = ".".join(place.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    stale = {module, *graph.find_downstream_modules(module)}
    code = run(name, stale, Broken(module, place, broken(place.read_bytes(), way)))
    return bool(code) if code in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, HUNG} else None


class Broken(MetaPathFinder):
    """Finds one module as it would be if its file held something else."""

    def __init__(self, module: str, place: Path, source: bytes) -> None:
        self.module, self.place, self.source = module, place, source

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        return spec_from_file_location(fullname, self.place, loader=Loaded(fullname, str(self.place), self.source))


class Loaded(SourceFileLoader):
    """From these bytes, and never from what was compiled before."""

    def __init__(self, fullname: str, path: str, source: bytes) -> None:
        super().__init__(fullname, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        compiled: CodeType = compile(self.source, self.path, "exec", dont_inherit=True)
        return compiled


def load(name: str) -> None:
    """All that the suite of this channel imports is in memory before it is run again and again."""
    with quiet():
        pytest.main([*asked(name), "--collect-only"])


def run(name: str, stale: AbstractSet[str] = frozenset(), finder: MetaPathFinder | None = None) -> int:
    """pytest's exit code, in a process of its own; `stale`: the modules that it imports anew, as it does all tests."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    resource.setrlimit(resource.RLIMIT_CPU, (LONGEST, LONGEST + 5))
    for module in [one for one in sys.modules if one in stale or is_test(one)]:
        del sys.modules[module]
        package, _, last = module.rpartition(".")
        vars(sys.modules.get(package, sys)).pop(last, None)
    sys.meta_path[:0] = [finder] if finder else []
    with quiet():
        os._exit(pytest.main([*asked(name), "-x"], plugins=[Order()]))


def is_test(module: str) -> bool:
    file = getattr(sys.modules[module], "__file__", None)
    return module.startswith("tests.") or bool(file and ROOT / "tests" in Path(file).parents)


def asked(name: str) -> list[str]:
    alone = [
        "-p",
        "no:cacheprovider",
        "-p",
        "no:faulthandler",
        "--timeout=0",
        "--noconftest",
        "-p",
        "tests.channels.conftest",
    ]
    own = ["tests/channels/" + name] if (ROOT / "tests/channels" / name).is_dir() else []
    return ["tests/channels/conformance", "tests/channels/test_cases.py", *own, "-k", name, "-q", *alone]


class Order:
    """What is quick comes first."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items.sort(key=lambda item: LAST.index(item.path.name) if item.path.name in LAST else 0)


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing that is written to the terminal is seen."""
    sys.stdout.flush()
    kept, nowhere = [os.dup(1), os.dup(2)], os.open(os.devnull, os.O_WRONLY)
    for at in (1, 2):
        os.dup2(nowhere, at)
    try:
        yield
    finally:
        for at, old in zip((1, 2), kept, strict=True):
            os.dup2(old, at)
            os.close(old)
        os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], int(sys.argv[1])))
