"""`parley recover`: what a person does after PostgreSQL was restored from an older copy."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Final

import typer

from services.cli.running import AsJson, Home, find, run

CANNOT: Final = 1
NEEDED: Final = 2

app = typer.Typer()


@app.command()
def recover(
    home: Home = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; say whether it is needed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a restored PostgreSQL fit to go on: until then nothing is sent and nothing is numbered.

    Sequences of conversations are raised above what stands on Kafka; what the restored copy takes for unsent, and may have
    been sent since, ends as `unknown`. Restore every schema first; see docs/backup.md.

    Exit codes: 0 done, or nothing to do, 1 Kafka or PostgreSQL cannot be reached, 2 it is needed (with --check).
    """
    from services.cli.recover.recovery import older, recover as carry_out

    settings = find(home).settings
    found = run(older(settings), unreachable=CANNOT)
    done = [] if check else run(carry_out(settings, found), unreachable=CANNOT)
    if as_json:
        print(json.dumps({"older": sorted(found), "recovered": [asdict(one) for one in done]}))
    elif not found:
        print("No schema is older than what Kafka knows of it: nothing to recover.")
    for one in () if as_json else done:
        print(
            f"{one.schema}: {one.raised} conversations raised, {one.unknown} pieces unknown, {one.told} ended as Kafka tells"
        )
    if check and found:
        if not as_json:
            print(f"Older than what was done with it: {', '.join(sorted(found))}. Run `parley recover`.")
        raise typer.Exit(NEEDED)
