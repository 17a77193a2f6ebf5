"""The widget as one script: every module once, after what it needs; a form that cannot be held is told at the start."""

from __future__ import annotations

import pytest

from services.chat_adapter.webchat.bundle import bundle
from services.chat_adapter.webchat.pages import FILES, SOURCES


def test_a_module_stands_after_what_it_needs_and_once() -> None:
    files = {
        "main.js": 'import { b } from "./b.js";\nimport words from "./c.js";\nexport function start() { return b + words.a; }\n',
        "b.js": 'import words from "./c.js";\nexport const b = words.a;\n',
        "c.js": "export default { a: 1 };\n",
    }
    made = bundle(files, "main.js")
    assert made.count("const $c = ") == 1
    assert made.index("const $c = ") < made.index("const $b = ") < made.index("const $main = ")
    assert "const { $default: words } = $c;" in made
    assert made.endswith("export const { start } = $main;\n")


@pytest.mark.parametrize(
    "source",
    [
        'import * as b from "./b.js";\n',
        "export { b };\n",
        'const b = await import("./b.js");\n',
        'export * from "./b.js";\n',
    ],
)
def test_what_it_cannot_hold_is_said(source: str) -> None:
    with pytest.raises(ValueError, match=r"main\.js"):
        bundle({"main.js": source, "b.js": ""}, "main.js")


def test_a_circle_is_said() -> None:
    circle = {"a.js": 'import { b } from "./b.js";\n', "b.js": 'import { a } from "./a.js";\n'}
    with pytest.raises(ValueError, match=r"a\.js → b\.js → a\.js"):
        bundle(circle, "a.js")


def test_all_of_the_widget_is_in_it() -> None:
    made = FILES["main.js"].content.decode()
    assert [
        name
        for name in SOURCES
        if "/demo" not in f"/{name}" and name != "loader.js" and f"${name[:-3].replace('/', '_')} = " not in made
    ] == []
