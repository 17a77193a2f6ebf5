"""`parley sample`: a body signed with the settings of a channel's samples, and the records that it becomes, for a person to check."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from pydantic import BaseModel, SecretStr

from services.cli.channels import find, misused
from services.cli.wire import parse_http, read_bytes
from shared.contract.channel import Account, App, Channel, Context, Incoming, Message, Receipt, TypingSeen
from shared.contract.errors import Malformed, ParleyError
from shared.contract.readable import otherwise
from shared.inbound import translate

Json = dict[str, Any]

ROOT: Final = Path(__file__).resolve().parents[2]
PUBLIC: Final = "https://parley.example.org"
TYPES: Final = {Message: "message", Receipt: "receipt", TypingSeen: "typing"}
UNREADABLE: Final = 1

app = typer.Typer()


@app.command()
def sample(
    channel: Annotated[str, typer.Argument(help="A channel's name; `parley channels` lists them.")],
    file: Annotated[
        Path | None, typer.Argument(help="The body, as the provider's page shows it; default: standard input.")
    ] = None,
    what: Annotated[str, typer.Option("--as", help="Write it as this sample: WHAT.in.http and WHAT.json.")] = "",
    kind: Annotated[str, typer.Option("--type", help="The body's content type.")] = "application/json",
) -> None:
    """Sign a body as tests/channels/CHANNEL/sign.py does, and show the records that it becomes: check them against the provider's page.

    Exit codes: 0 shown, 1 not to be read, 2 misused.
    """
    found, folder = find(channel), ROOT / "tests/channels" / channel
    if not found.inbound:
        misused(f"{channel} takes no webhook, so nobody signs a body: {instead(found)}.")
    if not (folder / "settings.json").exists():
        misused(
            f"Run this in a source tree, with {folder}/settings.json: app, account, now (docs/adding-a-channel.md)."
        )
    if not (folder / "sign.py").exists():
        misused(f"Write {folder}/sign.py: sign(app, body, now), the headers by which the provider proves a body.")
    stand = settings_of(found, orjson.loads((folder / "settings.json").read_bytes()))
    try:
        body = read_bytes(file)
    except OSError as error:
        misused(f"{error.filename} cannot be read: {error.strerror}. Name a file, or give the body on standard input.")
    try:
        request, records = read(folder, stand, body, kind)
    except ParleyError as error:
        typer.echo(f"{error.code}: {error}", err=True)
        raise typer.Exit(UNREADABLE) from None
    if what:
        keep(folder, what, request, records)
    print(orjson.dumps(records, option=orjson.OPT_INDENT_2).decode())


def instead(channel: Channel) -> str:
    """What to do where nothing is signed."""
    if channel.mail:
        return f"`parley translate {channel.name} FILE` shows what a mail becomes"
    if channel.poll:
        beside = f"tests/channels/{channel.name}/WHAT.poll.json"
        return f"keep a poll's answer in {beside} (docs/adding-a-channel.md), and the suite shows its records"
    return "Parley itself is the provider"


def keep(folder: Path, what: str, request: bytes, records: Json) -> None:
    """As the sample of that name."""
    (folder / f"{what}.in.http").write_bytes(request)
    (folder / f"{what}.json").write_bytes(orjson.dumps(records, option=orjson.OPT_INDENT_2) + b"\n")


@dataclass(frozen=True)
class Stand:
    """A channel with the settings of its samples; `told`: its settings.json."""

    channel: Channel
    app: App
    account: Account
    context: Context
    told: Mapping[str, Any]


def settings_of(channel: Channel, told: Json) -> Stand:
    """The channel as settings.json says, in a context that is the same every time."""
    name = channel.name
    context = Context(
        now=datetime.fromisoformat(told["now"]),
        nonce="0123456789abcdef",
        keys=told.get("keys", {}),
        token=SecretStr(told.get("token", "")),
        secret=SecretStr(told.get("secret", "")),
        hook=f"{PUBLIC}/hooks/{name}/main",
        link=lambda media: f"{PUBLIC}/files/{media.blob}",
    )
    return Stand(
        channel,
        channel.app.model_validate({"name": "main", **told["app"]}),
        channel.account.model_validate({"name": "main", **told["account"]}),
        context,
        told,
    )


def read(folder: Path, stand: Stand, body: bytes, kind: str = "application/json") -> tuple[bytes, Json]:
    """The request in wire format, and what it becomes, in the words of a sample's WHAT.json.

    Raises Unverified, Malformed or Torn.
    """
    raw = signed(folder, stand.channel.name, stand.told["app"], body, stand.context.now, kind=kind)
    request = parse_http(raw)
    translate.verify(stand.channel, stand.app, request, stand.context)
    whole = translate.unpacked(stand.channel, request)
    found = translate.read_each(stand.channel, stand.app, whole, stand.context)
    answer = stand.channel.accepted(stand.app, request, stand.context).body
    shown = {"answer": otherwise(lambda: orjson.loads(answer), answer.decode())} if answer else {}
    return raw, {**shown, "records": [told(record) for record in found]}


def signed(folder: Path, name: str, app: Json, body: bytes, now: datetime, *, kind: str = "application/json") -> bytes:
    """The request in wire format, as the folder's sign.py proves it for this app at this time."""
    proof = _signer(folder)(app, body, now)
    headers = {"Host": "parley.example.org", "Content-Type": kind, "Content-Length": str(len(body)), **proof}
    head = "".join(f"{header}: {value}\n" for header, value in headers.items())
    return f"POST /hooks/{name}/main HTTP/1.1\n{head}\n".encode() + body


@cache
def _signer(folder: Path) -> Callable[[Json, bytes, datetime], Mapping[str, str]]:
    """Once for all that it signs: what a signer makes for itself, as a key, it makes once."""
    sign: Callable[[Json, bytes, datetime], Mapping[str, str]] = runpy.run_path(str(folder / "sign.py"))["sign"]
    return sign


def plain(value: Any) -> Any:
    """A value as JSON, without what was left at its default."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return orjson.loads(orjson.dumps(value, option=orjson.OPT_UTC_Z))


def told(record: Incoming | Malformed) -> Json:
    """A record in the words of a sample's WHAT.json."""
    if isinstance(record, Malformed):
        return {"type": "malformed"}
    values = {field.name: getattr(record, field.name) for field in fields(record) if _is_told(record, field)}
    return {"type": TYPES[type(record)], **{name: plain(value) for name, value in values.items()}}


def _is_told(record: Incoming, field: Any) -> bool:
    return bool(field.default is MISSING or getattr(record, field.name) != field.default)
