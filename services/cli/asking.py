"""What whoever asks for something on the bus may say of it, the same for every command that does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Annotated, Any

import typer

from services.cli.running import AsJson, Home


@dataclass(frozen=True, kw_only=True)
class How:
    """`key`: of the request, "" for a new one. `timeout`: in seconds."""

    tenant: Annotated[str, typer.Option(help="Whose account and conversation it is.")] = "default"
    key: Annotated[str, typer.Option("--id", help="The idempotency key: the same one again is the same message.")] = ""
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for the outcome; 0: do not wait.")] = 30.0
    home: Home = None
    as_json: AsJson = False


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each field of How in the place of its parameter `how`."""
    options = signature(How, eval_str=True).parameters
    told = signature(command, eval_str=True)

    @wraps(command)
    def asked(**given: Any) -> None:
        command(how=How(**{name: given.pop(name) for name in options}), **given)

    own = [parameter for name, parameter in told.parameters.items() if name != "how"]
    every = [*own, *options.values()]
    asked.__signature__ = told.replace(parameters=every)  # type: ignore[attr-defined]
    asked.__annotations__ = {one.name: one.annotation for one in every}
    return asked
