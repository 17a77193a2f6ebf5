"""`make scores`: the table of docs/email.md."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from tests.scores import CORPORA, Score, bounces, texts

PAGE: Final = Path(__file__).parents[2] / "docs" / "email.md"
BEGIN: Final = "<!-- make scores writes this -->\n"
END: Final = "<!-- to here -->"
HEAD: Final = "| what | on | right | share | promised |\n|---|---|---|---|---|\n"
ALL: Final[tuple[Callable[[], list[Score]], ...]] = (
    texts.read_at_all,
    texts.new_texts,
    bounces.bounces,
    bounces.other_mails,
)


def table(scores: Iterable[Score]) -> str:
    return HEAD + "".join(f"{score.row()}\n" for score in scores)


def shown() -> str:
    """The table as the page has it."""
    return PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]


def main() -> None:
    if not CORPORA.is_dir():
        sys.exit(f"there are no collections of mails at {CORPORA}: docs/email.md stays as it is")
    made = table(score for each in ALL for score in each())
    page = PAGE.read_text("utf-8")
    PAGE.write_text(page.replace(f"{BEGIN}{shown()}{END}", f"{BEGIN}{made}{END}"), "utf-8")
    print(made, end="")


if __name__ == "__main__":
    main()
