"""`parley new channel`: a channel begun, whose samples pass, for a source tree."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from string import Template
from typing import Annotated, Any, Final

import typer

from services.cli.channels import CHANNELS, misused
from services.cli.new.samples import BODIES, LIMITS, OUT, SETTINGS
from services.cli.sample import ROOT, keep, read, settings_of
from shared.contract.codes import CHANNELS as NAMES

SCAFFOLD: Final = Path(__file__).parent / "scaffold"
LINE: Final = 120  # characters, as ruff has it
CODE: Final = {"channel": "__init__.py", "inbound": "inbound.py", "outbound": "outbound.py", "errors": "errors.py"}

app = typer.Typer()
new = typer.Typer(help="Begin something in a source tree.", no_args_is_help=True)
app.add_typer(new, name="new")


@new.callback()
def begin() -> None:
    """Begin something in a source tree."""


@new.command()
def channel(
    name: Annotated[str, typer.Argument(help="Its name: small letters.")],
    title: Annotated[str, typer.Option(help="What its provider calls it; default: the name.")] = "",
    family: Annotated[str, typer.Option(help="chat or social: which adapter it belongs to.")] = "",
) -> None:
    """Write a channel's files, its line in the registry, its samples, its page, and who plays its provider in the sandbox;
    its suite passes, and the rest is yours.

    Exit codes: 0 written, 2 misused (nothing is written).
    """
    belongs = family or NAMES.get(name, "chat")
    check(name, belongs)
    words = {"name": name, "title": title or name.capitalize(), "family": belongs, "twin": name.capitalize()}
    for file, text in files(words).items():
        write(ROOT / file, text)
    register(name, belongs)
    play(name)
    show(name, belongs)
    subprocess.run([sys.executable, "-m", "services.cli", "docs"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    print(f"Next: .venv/bin/pytest tests/channels -k {name} passes, and so does tests/services/sandbox/test_twins.py.")
    print("docs/adding-a-channel.md says what to do now.")


def show(name: str, family: str) -> None:
    """Its first requests, signed, and what they become."""
    folder = ROOT / f"tests/channels/{name}"
    module = importlib.import_module(f"services.{family}_adapter.channels.{name}")
    stand = settings_of(module.CHANNEL, SETTINGS)
    for what, body in BODIES.items():
        keep(folder, what, *read(folder, stand, json.dumps(body, ensure_ascii=False).encode()))


def check(name: str, family: str) -> None:
    if not (ROOT / "tests/channels").is_dir() or not (ROOT / f"services/{family}_adapter/registry.py").exists():
        misused("Run this in a source tree of Parley, for --family chat or social.")
    if not re.fullmatch(r"[a-z][a-z0-9]{0,29}", name) or name == "conformance":
        misused(
            "A channel's name is small letters and digits, as in whatsapp; it is part of addresses and never changes."
        )
    if name in CHANNELS or (ROOT / f"tests/channels/{name}").exists():
        misused(f"There is a channel {name} already.")
    if NAMES.get(name, family) != family:
        misused(f"{name} is of the family {NAMES[name]}.")


def files(words: dict[str, str]) -> dict[str, str]:
    """Every file that is its own, by its place in the tree."""
    name, samples = words["name"], f"tests/channels/{words['name']}"
    code = f"services/{words['family']}_adapter/channels/{name}"
    told: dict[str, Any] = {"settings": SETTINGS, "limits": LIMITS, **{f"{one}.out": OUT[one] for one in OUT}}
    return {
        **{f"{code}/{file}": filled(part, words) for part, file in CODE.items()},
        f"services/sandbox/twins/{name}.py": filled("twin", words),
        f"docs/channels/{name}.md": filled("page", words),
        f"{samples}/sign.py": filled("sign", words),
        **{
            f"{samples}/{one}.json": json.dumps(value, indent=2, ensure_ascii=False) + "\n"
            for one, value in told.items()
        },
    }


def filled(part: str, words: dict[str, str]) -> str:
    return Template((SCAFFOLD / f"{part}.txt").read_text()).substitute(words)


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def register(name: str, family: str) -> None:
    """Its line in the adapter's registry, and its name among all names."""
    registry = f"services/{family}_adapter/registry.py"
    imported = r"(from [\w.]+\.channels import )(\([\w,\s]+\)|[\w, ]+)\n"
    change(ROOT / registry, imported, lambda found: _imports(found[1], {*re.findall(r"\w+", found[2]), name}))
    listed = r"(?<=    for channel in \(\n)((?: {8}\w+\.CHANNEL,\n)+)"
    change(ROOT / registry, listed, lambda found: _in_order(found[1], f"        {name}.CHANNEL,\n"))
    if name not in NAMES:
        end = r'(    "webhook": "chat",\n)'
        change(ROOT / "shared/contract/codes.py", end, lambda found: f'    "{name}": "{family}",\n{found[1]}')


def play(name: str) -> None:
    """Its twin among the twins."""
    twins = ROOT / "services/sandbox/twins/__init__.py"
    imported = f"from services.sandbox.twins.{name} import {name.capitalize()}\n"
    change(twins, r"((?:from services\.sandbox\.twins\..*\n)+)", lambda found: _in_order(found[1], imported))
    listed = r"(?<=TWINS: Final\[tuple\[type\[Twin\], \.\.\.\]\] = \(\n)((?:    \w+,\n)+)"
    change(twins, listed, lambda found: _in_order(found[1], f"    {name.capitalize()},\n"))


def change(file: Path, pattern: str, new_text: Any) -> None:
    text, times = re.subn(pattern, new_text, file.read_text(), count=1)
    if not times:
        misused(f"{file} has another shape than is known here: add the channel to it by hand, as its neighbours are.")
    file.write_text(text)


def _imports(begun: str, names: set[str]) -> str:
    """On one line, or on one each where that would be too long."""
    line = f"{begun}{', '.join(sorted(names))}\n"
    return (
        line if len(line) <= LINE + 1 else "".join((begun, "(\n", *(f"    {one},\n" for one in sorted(names)), ")\n"))
    )


def _in_order(lines: str, line: str) -> str:
    """Before the first that comes after it in the alphabet."""
    there = lines.splitlines(keepends=True)
    place = next((at for at, one in enumerate(there) if one > line), len(there))
    return "".join((*there[:place], line, *there[place:]))
