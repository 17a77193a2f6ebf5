"""`parley docs`: the generated pages of docs/ written again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from services.cli.running import fail

STALE: Final = 2
FOLDER: Final = Path(__file__).resolve().parents[3]

app = typer.Typer()


@app.command()
def docs(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; say what is stale.")] = False,
    folder: Annotated[Path, typer.Option(help="The source tree.")] = FOLDER,
) -> None:
    """Write every page that is made from the code: records, settings, metrics, errors, channels, schemas; and from the
    samples what the sandbox's providers refuse with.

    Exit codes: 0 all is current (now), 2 something is stale (with --check).
    """
    changed = stale(folder)
    if check and changed:
        fail(f"Stale: {', '.join(changed)}. Run `parley docs` and commit what it writes.", STALE)
    for name, text in changed.items():
        write(folder / name, text)
        print(f"{'removed' if text is None else 'written'} {name}")


def stale(folder: Path) -> dict[str, str | None]:
    """The pages that are not as they should be, and how they should be; None: there should be none."""
    from services.cli.docs import failures
    from services.cli.docs.pages import files

    wanted = files()
    whole = ("docs/schemas/*", "docs/channels/facts/*", f"{failures.PLACE}/*.json")  # where nothing is written by hand
    there = {path.relative_to(folder).as_posix() for one in whole for path in folder.glob(one)}
    wrong: dict[str, str | None] = {name: text for name, text in wanted.items() if read(folder / name) != text}
    return wrong | dict.fromkeys(there - wanted.keys())


def read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


def write(path: Path, text: str | None) -> None:
    """Write the page, or remove it."""
    if text is None:
        path.unlink()
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
