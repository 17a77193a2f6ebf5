"""The widget's modules as one script: each in a scope of its own, in the order in which they need one another, no tool between."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

IMPORT: Final = re.compile(
    r'^import (?:\{ (?P<names>[^}]+) \}|(?P<default>\w+)) from "\./(?P<file>[\w/.]+)";\n', re.MULTILINE
)
EXPORT: Final = re.compile(r"^export (?P<kind>(?:async )?function|class|const) (?P<name>\w+)", re.MULTILINE)
DEFAULT: Final = re.compile(r"^export default ", re.MULTILINE)
LEFT_OVER: Final = re.compile(r"^(?:import|export)\b|\bimport\(", re.MULTILINE)


def bundle(files: Mapping[str, str], entry: str) -> str:
    """The module `entry` (a key of `files`) with all that it imports, exporting what it exports.

    Imports are `import { a, b } from "./file.js"` or `import it from "./file.js"`, relative to the widget's folder, one a
    line; exports stand before their function, class or const, or are default. Raises ValueError for another form.
    """
    order = dict.fromkeys(_needed(files, entry, ()))
    scopes = [f"const {_scope(name)} = (() => {{\n{_body(name, files[name])}}})();\n" for name in order]
    names = [found["name"] for found in EXPORT.finditer(files[entry])]
    return "".join(scopes) + f"export const {{ {', '.join(names)} }} = {_scope(entry)};\n"


def _needed(files: Mapping[str, str], name: str, way: tuple[str, ...]) -> Iterator[str]:
    """What `name` stands on, then itself."""
    if name in way:
        raise ValueError(f"{' → '.join((*way, name))}: modules need one another in a circle")
    for found in IMPORT.finditer(files[name]):
        yield from _needed(files, found["file"], (*way, name))
    yield name


def _scope(name: str) -> str:
    return "$" + re.sub(r"\W", "_", name.removesuffix(".js"))


def _body(name: str, source: str) -> str:
    """The module as the body of a function that returns what it exports."""
    exported = [found["name"] for found in EXPORT.finditer(source)]
    told = IMPORT.sub(_taken, source)
    told = DEFAULT.sub("const $default = ", EXPORT.sub(r"\g<kind> \g<name>", told))
    if left := LEFT_OVER.search(told):
        raise ValueError(f"{name}: {left[0]!r} is a form that one script cannot hold")
    default = ["$default"] if DEFAULT.search(source) else []
    return f"{told}return {{ {', '.join(exported + default)} }};\n"


def _taken(found: re.Match[str]) -> str:
    names = found["names"] or f"$default: {found['default']}"
    return f"const {{ {names} }} = {_scope(found['file'])};\n"
