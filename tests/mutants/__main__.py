"""`make mutants`: breaks each rule of docs/architecture.md in a copy of this tree and looks whether its tests see it.

And breaks each channel in some thirty ways (tests/mutants/channels.py). Arguments choose mutants by words of their rule or name, or
channels by their names; a number: in how many ways each channel is broken. Ends with 1 when a rule's mutant survives, or more than one in ten of a channel's.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.local.servers import start_servers, stop_servers
from tests.channels.conformance.bench import BENCHED
from tests.mutants import channels
from tests.mutants.table import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 300  # seconds that the tests of one mutant may take; hanging is a way of seeing it


def main(words: Sequence[str]) -> int:
    each = next((int(word) for word in words if word.isdecimal()), channels.PER_CHANNEL)
    words = [word for word in words if not word.isdecimal()]
    named = [word for word in words if word in BENCHED]
    weak = in_a_copy(named or BENCHED, each) if named or not words else 0
    return weak if named else rules(words) or weak


def in_a_copy(names: Sequence[str], each: int) -> int:
    """A process that has all its modules from there, whatever is written here meanwhile."""
    with copy() as tree:
        asked = [sys.executable, "-m", channels.__name__, str(each), *names]
        return subprocess.run(asked, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, check=False).returncode


def rules(words: Sequence[str]) -> int:
    chosen = [one for one in MUTANTS if all(word.lower() in f"{one.rule} {one.name}".lower() for word in words)]
    table = Table("rule", "broken so", "seen", "seconds", title=f"{len(chosen)} mutants")
    survived = 0
    with copy() as tree, servers() as environment:
        for one in chosen:
            began = time.monotonic()
            seen = is_seen(one, tree, environment)
            survived += not seen
            table.add_row(one.rule, one.name, "yes" if seen else "NO", f"{time.monotonic() - began:.0f}")
            print(f"{'seen' if seen else 'SURVIVED':9} {one.rule}: {one.name}", flush=True)
    Console().print(table)
    print(f"{len(chosen) - survived} seen, {survived} survived")
    return 1 if survived or not chosen else 0


@contextmanager
def copy() -> Iterator[Path]:
    """The files that git knows or would take, in a folder of their own."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True,
    ).stdout.split(b"\0")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="parley-mutants-") as folder:
        for name in filter(None, map(os.fsdecode, names)):
            if (ROOT / name).is_file():
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, Path(folder) / name)
        yield Path(folder)


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """One Kafka and one PostgreSQL for all of them, unless the environment names some."""
    if os.environ.get("PARLEY_KAFKA") and os.environ.get("PARLEY_DATABASE"):
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="parley-mutants-servers-") as folder:
        started = start_servers(Path(folder))
        try:
            yield {"PARLEY_KAFKA": started.kafka, "PARLEY_DATABASE": started.database}
        finally:
            stop_servers(Path(folder))


def is_seen(mutant: Mutant, tree: Path, environment: dict[str, str]) -> bool:
    """Whether its tests fail, or hang, in the copy that is broken so."""
    file = tree / mutant.file
    whole = file.read_text()
    if whole.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.file} does not hold once what {mutant.name!r} replaces: bring table.py up to date")
    file.write_text(whole.replace(mutant.old, mutant.new))
    try:
        asked = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *shlex.split(mutant.tests)]
        done = subprocess.run(
            asked, cwd=tree, env={**os.environ, **environment, "PYTHONPATH": str(tree)},
            timeout=LONGEST, capture_output=True, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return True
    finally:
        file.write_text(whole)
    if done.returncode not in {0, 1}:
        raise SystemExit(f"{mutant.name!r}: pytest ended with {done.returncode}\n{done.stdout.decode()[-2000:]}")
    return done.returncode == 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
