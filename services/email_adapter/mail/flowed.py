"""Text in format=flowed as its writer saw it: soft line breaks joined (RFC 3676)."""

from __future__ import annotations

SIGNATURE = "-- "


def unflow(text: str, *, delete_space: bool = False) -> str:
    """Paragraphs on one line each; quoted lines keep their marks. `delete_space`: the parameter DelSp=yes (§4.1)."""
    lines: list[str] = []
    open_depth: int | None = None
    paragraph: list[str] = []
    for line in text.split("\n"):
        depth, content = _marks(line)
        if open_depth is not None and depth != open_depth:
            lines.append(_whole(open_depth, paragraph))
            open_depth, paragraph = None, []
        flows = content.endswith(" ") and content != SIGNATURE
        paragraph.append(content[:-1] if flows and delete_space else content)
        if flows:
            open_depth = depth
        else:
            lines.append(_whole(depth, paragraph))
            open_depth, paragraph = None, []
    if open_depth is not None:
        lines.append(_whole(open_depth, paragraph))
    return "\n".join(lines)


def _marks(line: str) -> tuple[int, str]:
    """How deep the line is quoted, and its content without the stuffed space (§4.4)."""
    content = line.lstrip(">")
    return len(line) - len(content), content.removeprefix(" ")


def _whole(depth: int, paragraph: list[str]) -> str:
    content = "".join(paragraph)
    return f"{'>' * depth} {content}" if depth else content
