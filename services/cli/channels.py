"""`parley channels`: which channels there are and what each can show."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final, NoReturn, TypeVar

import typer
from pydantic import SecretStr, TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from services.chat_adapter import registry as chat
from services.email_adapter import registry as email
from services.social_adapter import registry as social
from shared.contract.channel import Capabilities, Channel, Settings
from shared.contract.codes import CHANNELS as FAMILIES

CHANNELS: Final[Mapping[str, Channel]] = {**email.CHANNELS, **social.CHANNELS, **chat.CHANNELS}
MISUSED: Final = 2
S = TypeVar("S", bound=Settings)

app = typer.Typer()


@app.command()
def channels(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False) -> None:
    """List the channels, how they receive, and what they can show. Exit code 0."""
    described = [describe(channel) for channel in CHANNELS.values()]
    if as_json:
        print(json.dumps(described))
    else:
        Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table(described))


def describe(channel: Channel) -> dict[str, Any]:
    """One channel as data: its name, family, page, ways in, settings and capabilities."""
    ways = {"webhook": channel.inbound, "mail": channel.mail, "poll": channel.poll, "socket": channel.socket}
    return {
        "name": channel.name,
        "family": FAMILIES[channel.name],
        "docs": channel.docs,
        "receives_by": [way for way, function in ways.items() if function],
        "settings": {"app": _settings(channel.app), "account": _settings(channel.account)},
        "capabilities": channel.capabilities.model_dump(mode="json"),
    }


def _settings(model: type[Any]) -> dict[str, dict[str, Any]]:
    return {
        name: {"required": field.is_required(), "description": field.description or ""}
        for name, field in model.model_fields.items()
    }


def table(described: list[dict[str, Any]]) -> Table:
    """The capabilities for a person, a line per channel."""
    shown = Table(box=None)
    for heading in (
        "channel",
        "by",
        "text",
        "media",
        "choices",
        "location",
        "contact",
        "template",
        "reply to",
        "typing",
    ):
        shown.add_column(heading, overflow="fold")
    for channel in described:
        able = Capabilities.model_validate(channel["capabilities"])
        shown.add_row(
            channel["name"],
            ", ".join(channel["receives_by"]),
            f"{able.text} {able.unit}",
            ", ".join(able.media) or "-",
            able.choices,
            able.location,
            able.contact,
            able.template,
            "yes" if able.reply_to else "no",
            "yes" if able.typing else "no",
        )
    return shown


def find(name: str) -> Channel:
    """The channel of this name; ends the command where there is none."""
    if name not in CHANNELS:
        misused(f"There is no channel {name}; there are {', '.join(sorted(CHANNELS))}.")
    return CHANNELS[name]


def misused(sentence: str) -> NoReturn:
    """Say what to do differently, and end with exit code 2."""
    typer.echo(sentence, err=True)
    raise typer.Exit(MISUSED)


def pairs(sets: list[str] | None, channel: Channel) -> dict[str, str]:
    """The settings given as NAME=VALUE; ends the command at one that neither app nor account has."""
    given = dict(one.partition("=")[::2] for one in sets or ())
    known = {*channel.app.model_fields, *channel.account.model_fields}
    if unknown := given.keys() - known:
        misused(f"{channel.name} has no setting {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}.")
    return given


def settings(model: type[S], given: Mapping[str, str], *, lenient: bool) -> S:
    """An app or account of the settings given that it has; what is missing ends the command, or is left out when lenient."""
    values = {"name": "main", **{name: value for name, value in given.items() if name in model.model_fields}}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        if lenient and all(problem["type"] == "missing" or not problem["loc"] for problem in problems):
            return _incomplete(model, values)
        wrong = "; ".join(": ".join([*map(str, problem["loc"]), problem["msg"]]) for problem in problems)
        misused(f"Give the setting with --set NAME=VALUE. {wrong}.")


def _incomplete(model: type[S], values: Mapping[str, str]) -> S:
    """Each value as its field reads it; the missing ones are empty, since nobody will look at them."""
    complete: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if name in values:
            kind: Any = field.annotation
            complete[name] = TypeAdapter(kind).validate_python(values[name])
        elif field.is_required():
            complete[name] = SecretStr("") if field.annotation is SecretStr else ""
    construct: Any = model.model_construct
    made: S = construct(None, **complete)
    return made
