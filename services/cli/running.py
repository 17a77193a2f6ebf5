"""Where a running system is: the folder of a local stack, or the environment."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, TypeVar

import typer
from pydantic import ValidationError

from shared.contract.errors import Misconfigured
from shared.runtime.settings import Settings

T = TypeVar("T")

MISUSED: Final = 2
DEFAULT_HOME: Final = Path(".parley")
ADDRESSES: Final = "addresses.json"
EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 what is listened on, not what is connected to

Home = Annotated[
    Path | None,
    typer.Option(help="The folder of a local stack; default: ./.parley where it is one, else the PARLEY_* variables."),
]
RouterAddress = Annotated[str, typer.Option(envvar="PARLEY_ROUTER", help="The router's address, as http://host:port.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@dataclass(frozen=True)
class System:
    """Settings to reach a system by, and as far as they are known the HTTP address of each service and the mail port.

    `home`: of a local stack whose Kafka it is.
    """

    settings: Settings
    services: Mapping[str, str] = field(default_factory=dict)
    smtp: str | None = None
    home: Path | None = None


def find(home: Path | None = None) -> System:
    """The system that is meant; ends the command with exit code 2 where none is named.

    A folder that is given decides. The default folder only fills in what the environment does not say.
    """
    folder = home or DEFAULT_HOME
    if (folder / ADDRESSES).exists():
        return _of_home(folder.resolve(), environment_first=home is None)
    if home is not None:
        fail(f"There is no {folder / ADDRESSES}. Start a stack there with `parley up --home {home}`.", MISUSED)
    if "PARLEY_KAFKA" not in os.environ and "PARLEY_DATABASE" not in os.environ:
        fail("No system is named. Start one with `parley up`, or set PARLEY_KAFKA and PARLEY_DATABASE.", MISUSED)
    settings = read_settings()
    return System(settings, smtp=_mail_port(settings))


def _mail_port(settings: Settings) -> str | None:
    """Where this very machine takes mail: in a pod of email_adapter there is one."""
    if not settings.smtp_port:
        return None
    host = settings.smtp_host
    return f"{'127.0.0.1' if host in EVERYWHERE else host}:{settings.smtp_port}"


def _of_home(folder: Path, *, environment_first: bool) -> System:
    from deploy.local.home import read_addresses
    from deploy.local.services import make_environment

    addresses = read_addresses(folder)
    told = make_environment(folder, addresses, "router")
    if environment_first:
        told = {name: value for name, value in told.items() if name not in os.environ}
    given = {name[len("PARLEY_") :].lower(): value for name, value in told.items() if name.startswith("PARLEY_")}
    services = {name: service.http for name, service in addresses.services.items()}
    ours = folder if "kafka" in given else None
    return System(read_settings(given), services, addresses.services["email_adapter"].smtp, ours)


def find_running(home: Path | None, *, unreachable: int) -> System:
    """As `find`, but ends the command where the system is a local stack that is down: nothing else is to be found out then."""
    from deploy.local.home import is_held

    system = find(home)
    if system.home and not is_held(system.home):
        fail(f"The stack of {system.home} is down. Start it with `parley up --home {system.home}`.", unreachable)
    return system


def read_settings(given: Mapping[str, Any] = {}) -> Settings:
    """Settings of the environment, with what is given laid over it; ends the command where they cannot be used."""
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = "; ".join(f"PARLEY_{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors())
        fail(f"The environment cannot be used: {wrong}. See docs/settings.md.", MISUSED)
    except Misconfigured as error:
        fail(str(error), MISUSED)


def fail(sentence: str, code: int) -> NoReturn:
    """Say what is wrong and what to do, and end the command."""
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def run(work: Coroutine[Any, Any, T], *, unreachable: int) -> T:
    """Run to the end; a Kafka or a PostgreSQL that does not answer ends the command with exit code `unreachable`."""
    from aiohttp import ClientError
    from aiokafka.errors import KafkaError
    from asyncpg import PostgresError

    from shared.contract.errors import ParleyError

    try:
        return asyncio.run(work)
    except BrokenPipeError:  # whoever read our output has gone: `parley tail | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except (ParleyError, KafkaError, PostgresError, ClientError, OSError) as error:
        fail(f"{explain(error)} See `parley doctor`.", unreachable)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def quiet() -> None:
    """Libraries say nothing: standard output is the command's, and what went wrong is told in one sentence."""
    import structlog

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def explain(error: BaseException) -> str:
    """An error in a sentence, without the password that an address may hold."""
    said = str(error) or type(error).__name__
    return hide_password(said if said.endswith(".") else said + ".")


def hide_password(text: str) -> str:
    """The text with the password of every address replaced."""
    return re.sub(r"(?<=:)[^:@/\s]+(?=@)", "…", text)
