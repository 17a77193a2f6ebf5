"""Ways to break a channel's source, found in its syntax, so that a new channel has them for free."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

UNSEEN: Final = {
    "description",
    "docs",
    "timeout",
    "detail",
    "repr",
    "pattern",
    "body_limit",
    "frozen",
    "slots",
    "strict",
}
"""Arguments whose loss no provider and no person would notice, or only who reads a log; and what only promises of the code."""
SAYING: Final = {"SendFailed", "Unverified", "Refusal", "Malformed", "ValueError", "Described"}
"""Calls whose words are for people: another word in them is no fault."""


@dataclass(frozen=True)
class Way:
    """One place of a source and what stands there afterwards. `kind`: which operator found it."""

    kind: str
    line: int
    start: int
    end: int
    new: str

    def name(self, source: bytes) -> str:
        old = " ".join(source[self.start : self.end].decode().split())
        return f"{self.kind}, line {self.line}: {old[:60]} → {' '.join(self.new.split())[:60] or 'nothing'}"


class Source:
    """A source with the places of its nodes, in bytes as `ast` counts them."""

    def __init__(self, source: bytes) -> None:
        self.bytes = source
        self.tree = ast.parse(source)
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def start(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        return self._lines[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self._lines[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: ast.expr | ast.stmt | ast.keyword) -> str:
        return self.bytes[self.start(node) : self.end(node)].decode()

    def way(self, kind: str, node: ast.expr | ast.stmt | ast.keyword, new: str, *, until: int | None = None) -> Way:
        return Way(kind, node.lineno, self.start(node), self.end(node) if until is None else until, new)

    def without(self, kind: str, node: ast.expr | ast.keyword) -> Way:
        """One of several, and the comma behind it, taken away."""
        end = self.end(node)
        rest = self.bytes[end:]
        comma = len(rest) - len(rest.lstrip()) + 1
        return self.way(kind, node, "", until=end + comma if rest.lstrip()[:1] == b"," else end)


Operator = Callable[[Source, ast.AST], Iterator[Way]]


def compared(source: Source, node: ast.AST) -> Iterator[Way]:
    """The opposite, and the neighbour of a limit."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = source.text(node.left), source.text(node.comparators[0])
        for other in OTHERWISE.get(type(node.ops[0]), ()):
            yield source.way("compared", node, f"({left} {other} {right})")


OTHERWISE: Final[dict[type[ast.cmpop], tuple[str, ...]]] = {
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
    ast.Lt: ("<=",),
    ast.LtE: ("<",),
    ast.Gt: (">=",),
    ast.GtE: (">",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
}


def guarded(source: Source, node: ast.AST) -> Iterator[Way]:
    """What is looked at before, and refused or done otherwise, is not looked at."""
    if isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise | ast.Return):
        yield source.way("guard", node.test, "False")


def alternative(source: Source, node: ast.AST) -> Iterator[Way]:
    """The first of two without the second, and the other way round."""
    if isinstance(node, ast.BoolOp) and len(node.values) == 2:
        for one in node.values:
            yield source.way("alternative", node, f"({source.text(one)})")
    if isinstance(node, ast.IfExp):
        for one in (node.body, node.orelse):
            yield source.way("alternative", node, f"({source.text(one)})")


def said(source: Source, node: ast.AST) -> Iterator[Way]:
    """An argument by name that is not given: an account, a peer, a key, a recipient, that it commits."""
    if isinstance(node, ast.Call) and called(node) not in SAYING:
        for keyword in node.keywords:
            if keyword.arg and keyword.arg not in UNSEEN and not isinstance(keyword.value, ast.Constant):
                yield source.without("argument", keyword)


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def entered(source: Source, node: ast.AST) -> Iterator[Way]:
    """An entry of a table or of a request that is missing."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None:
                yield Way("entry", key.lineno, source.start(key), source.without("", value).end, "")


def mapped(source: Source, node: ast.AST) -> Iterator[Way]:
    """A failure that is told as another."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None and isinstance(value, ast.Constant) and value.value in FAILURES:
                yield source.way("failure", value, repr("window_closed" if value.value != "window_closed" else "auth"))
    if isinstance(node, ast.Call) and called(node) == "SendFailed" and node.args:
        first = node.args[0]
        if isinstance(first, ast.Constant):
            yield source.way("failure", first, repr("window_closed" if first.value != "window_closed" else "auth"))


FAILURES: Final = frozenset(
    [
        "auth",
        "bad_address",
        "blocked",
        "expired",
        "malformed",
        "opted_out",
        "refused",
        "template",
        "throttled",
        "too_long",
        "unknown",
        "unreachable",
        "unsupported",
        "window_closed",
    ]
)


def counted(source: Source, node: ast.AST) -> Iterator[Way]:
    """A limit, a time or a place off by one."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield source.way("number", node, str(node.value + 1))


def switched(source: Source, node: ast.AST) -> Iterator[Way]:
    """A yes for a no: commits, idempotent, in full."""
    if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
        value = node.value.value
        other = {
            "full": "degraded",
            "utf16": "code_points",
            "code_points": "bytes",
            "bytes": "utf16",
            "graphemes": "bytes",
        }
        if isinstance(value, bool):
            yield source.way("switch", node.value, str(not value))
        elif value in other:
            yield source.way("switch", node.value, repr(other[value]))


def worded(source: Source, node: ast.AST) -> Iterator[Way]:
    """Another name of what is read or written."""
    keys: list[ast.expr | None] = []
    if isinstance(node, ast.Dict):
        keys = [*node.keys]
    elif isinstance(node, ast.Subscript):
        keys = [node.slice]
    elif isinstance(node, ast.Call) and called(node) == "get" and node.args:
        keys = [node.args[0]]
    for key in keys:
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield source.way("word", key, repr(key.value + "_"))


def joined(source: Source, node: ast.AST) -> Iterator[Way]:
    """A name made of two parts without one of them: an id that is unique only within its chat."""
    if isinstance(node, ast.JoinedStr):
        values = [one for one in node.values if isinstance(one, ast.FormattedValue)]
        for one in values if len(values) > 1 else ():
            text = "{" + source.text(one.value)
            whole = source.text(node)
            if (at := whole.find(text)) >= 0 and (end := whole.find("}", at)) >= 0:
                yield source.way("name", node, whole[:at] + whole[end + 1 :])


def several(source: Source, node: ast.AST) -> Iterator[Way]:
    """Only the first of several: of a batch, of the ids, of the files."""
    looped = node.iter if isinstance(node, ast.For | ast.comprehension) else None
    if isinstance(node, ast.Call) and called(node) in {"each", "map"} and len(node.args) == 2:
        looped = node.args[1]
    if looped is not None and not (isinstance(looped, ast.Tuple | ast.List) and len(looped.elts) == 1):
        yield source.way("batch", looped, f"list({source.text(looped)})[:1]")
    if isinstance(node, ast.comprehension):
        for condition in node.ifs:
            yield source.way("batch", condition, "True")


def placed(source: Source, node: ast.AST) -> Iterator[Way]:
    """The last for the first, the largest for the smallest."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant | ast.UnaryOp):
        other = {"0": "-1", "-1": "0"}.get(source.text(node.slice))
        if other:
            yield source.way("place", node.slice, other)
    if isinstance(node, ast.Call) and called(node) in {"min", "max"}:
        yield source.way("place", node.func, {"min": "max", "max": "min"}[called(node)])


def believed(source: Source, node: ast.AST) -> Iterator[Way]:
    """A proof compared as any two words are, in part, or not at all."""
    if isinstance(node, ast.Call) and called(node) == "compare_digest":
        one, other = map(source.text, node.args)
        yield source.way("proof", node, f"(({one}) == ({other}))")
        yield source.way("proof", node, f"hmac.compare_digest(({one})[:10], ({other})[:10])")
        yield source.way("proof", node, f"hmac.compare_digest(({one}).lower(), ({other}).lower())")
        yield source.way("proof", node, "True")


OPERATORS: Final[tuple[Operator, ...]] = (
    believed,
    several,
    joined,
    mapped,
    switched,
    counted,
    said,
    entered,
    guarded,
    alternative,
    compared,
    placed,
    worded,
)


def ways(text: bytes) -> list[Way]:
    """Every way to break this source, in the order of its lines; not every one of them compiles."""
    source = Source(text)
    found = {way for node in meant(source.tree) for operator in OPERATORS for way in operator(source, node)}
    return sorted(found, key=lambda way: (way.line, way.start, way.new))


def broken(text: bytes, way: Way) -> bytes:
    return text[: way.start] + way.new.encode() + text[way.end :]


def compiles(text: bytes) -> bool:
    try:
        compile(text, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def meant(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but annotations, imports, the descriptions of settings and words for people."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) or (
            isinstance(node, ast.Call) and called(node) == "Described"
        ):
            continue
        if isinstance(node, ast.AnnAssign | ast.arg):
            node.annotation = ast.Constant(None, lineno=node.lineno, col_offset=node.col_offset)
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.keyword) and node.arg in UNSEEN:
            continue
        yield node
        if isinstance(node, ast.Call) and called(node) in SAYING:
            node.args = node.args[:0]
        yield from meant(node)
