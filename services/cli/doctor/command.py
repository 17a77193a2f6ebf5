"""`parley doctor`: everything that an operator can get wrong, looked at, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import typer

from services.cli.running import AsJson, Home, System, find, run

if TYPE_CHECKING:
    from services.cli.doctor.finding import Finding

UNWELL: Final = 1
COLOURS: Final = {"ok": "green", "warn": "yellow", "fail": "red"}

app = typer.Typer()


@app.command()
def doctor(home: Home = None, as_json: AsJson = False) -> None:
    """Check settings, Kafka, topics, PostgreSQL, migrations, restored copies, blobs, accounts, services, mail, sends, inputs, outbox, retention, dead letters.

    Exit codes: 0 all is well, 1 something is not (a warning counts), 2 no system is named.
    """
    system = find(home)
    found = run(collect(system, None if as_json else show), unreachable=UNWELL)
    if as_json:
        print(json.dumps([asdict(finding) for finding in found]))
    if any(finding.level != "ok" for finding in found):
        raise typer.Exit(UNWELL)


async def collect(system: System, tell: Any) -> list[Finding]:
    """All findings, each told as soon as it is there."""
    from services.cli.doctor.checks import examine_all

    found = []
    async for finding in examine_all(system):
        found.append(finding)
        if tell:
            tell(finding)
    return found


def show(finding: Finding) -> None:
    """One line, and below it what to do."""
    typer.secho(f"{finding.level:<5}", fg=COLOURS[finding.level], nl=False)
    typer.echo(f"{finding.check:<15}{finding.said}")
    if finding.remedy:
        typer.echo(f"     {'':<15}→ {finding.remedy}")
