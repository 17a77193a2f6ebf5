"""`parley translate`: what Parley makes of a payload, with no broker."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from services.cli.channels import find, misused, pairs, settings
from services.cli.wire import parse_http, read_bytes, read_lines, request_of
from shared.contract.channel import Account, App, Channel, Context, Incoming, Mail, MailRead, Message, Request
from shared.contract.deliveries import Delivery, Typing
from shared.contract.envelope import Envelope, Media, Part
from shared.contract.errors import Malformed, ParleyError
from shared.contract.readable import readable
from shared.inbound import translate as translation

NOT_TRANSLATED: Final = 1

app = typer.Typer()


@app.command()
def translate(
    channel: Annotated[str, typer.Argument(help="A channel's name; `parley channels` lists them.")],
    file: Annotated[Path | None, typer.Argument(help="What to read; default: standard input.")] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the app or the account.")
    ] = None,
    unverified: Annotated[bool, typer.Option("--unverified", help="Skip the signature.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One request a line in, one answer a line out.")] = False,
    now: Annotated[datetime | None, typer.Option(help="The time of receipt, UTC; default: now.")] = None,
) -> None:
    """Show what Parley makes of a payload: a raw HTTP request, the bare body of one (also a page of a poll), or a mail.

    With --jsonl each line in is {"id", "method", "path", "headers", "body" or "body_b64"}, each line out
    {"id", "envelopes", "deliveries", "error": {"code", "message"} or null}; what stands beside something unreadable is among them.

    Exit codes: 0 translated (with --jsonl: every line answered), 1 refused or unreadable, 2 misused.
    """
    found = find(channel)
    given = pairs(sets, found)
    desk = Desk(
        channel=found,
        app=settings(found.app, given, lenient=unverified),
        account=settings(found.account, given, lenient=True),
        verified=not unverified,
        now=now and now.replace(tzinfo=UTC),
    )
    try:
        _lines(desk, file) if jsonl else _one(desk, file)
    except OSError as error:
        misused(f"{file} cannot be read: {error.strerror}. Name a file, or give the payload on standard input.")


def _lines(desk: Desk, file: Path | None) -> None:
    for line in read_lines(file):
        print(orjson.dumps(desk.line(line)).decode(), flush=True)


def _one(desk: Desk, file: Path | None) -> None:
    raw = read_bytes(file)
    answer = desk.answer(lambda: parse_http(raw))
    print(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode())
    if answer["error"]:
        raise typer.Exit(NOT_TRANSLATED)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Where requests, or mails, of one channel are translated, for one app and one account; no `now`: the time of each."""

    channel: Channel
    app: App
    account: Account
    verified: bool = True
    now: datetime | None = None

    def line(self, line: bytes) -> dict[str, Any]:
        """One line of JSON Lines answered under its own id."""
        try:
            told = orjson.loads(line)
        except ValueError:
            told = None
        return {"id": told.get("id") if isinstance(told, dict) else None, **self.answer(lambda: request_of(told))}

    def answer(self, request: Callable[[], Request]) -> dict[str, Any]:
        """What a request becomes, or why not; `request` makes it, since reading it may fail too."""
        try:
            with readable():
                asked = request()
            return {"error": None, **self.translated(asked)}
        except ParleyError as error:
            return {"envelopes": [], "deliveries": [], **told(error)}

    def translated(self, request: Request) -> dict[str, Any]:
        """The records of one request by kind, and the error of one among them that cannot be read. Raises Unverified, Malformed
        or Torn; a mail proves nothing that could be checked.
        """
        now = self.now or datetime.now(UTC)
        context = Context(now=now)
        kinds: dict[str, Any] = {"envelopes": [], "deliveries": []}
        if answer := translation.handshake(self.channel, self.app, request, context):
            return {**kinds, "answer": {"status": answer.status, "body": answer.body.decode("utf-8", "replace")}}
        if self.verified and not self.channel.mail:
            translation.verify(self.channel, self.app, request, context)
        request = translation.unpacked(self.channel, request)
        for incoming in self.incoming(request, context):
            if isinstance(incoming, Malformed):
                kinds |= told(incoming)
                continue
            record = translation.stamp(incoming, channel=self.channel, account=self.account, received_at=now)
            kinds.setdefault(_kind(record), []).append(record.model_dump(mode="json", exclude_none=True))
        return kinds

    def incoming(self, request: Request, context: Context) -> tuple[Incoming | Malformed, ...]:
        """What a mail says, or a webhook's request, or else a page of a poll, which looks different."""
        if self.channel.mail:
            return _weighed(translation.read_mail(self.channel.mail, self.account, Mail(request.body), context))
        try:
            found = translation.read_each(self.channel, self.app, request, context)
        except Malformed as error:
            found = (error,)
        if found and all(isinstance(one, Malformed) for one in found):
            with suppress(ParleyError):
                return translation.read_page_each(self.channel, self.account, request.body, context)
        return found


def _weighed(read: MailRead) -> tuple[Incoming, ...]:
    """The records of a mail with the size and hash of its files, as they are once these are stored."""
    return tuple(
        replace(one, parts=tuple(_with_hash(part, read.files) for part in one.parts))
        if isinstance(one, Message)
        else one
        for one in read.records
    )


def _with_hash(part: Part, files: Mapping[str, bytes]) -> Part:
    if not isinstance(part, Media) or (data := files.get(part.handle or "")) is None:
        return part
    return part.model_copy(update={"size": len(data), "sha256": hashlib.sha256(data).hexdigest()})


def told(error: ParleyError) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": str(error)}}


def _kind(record: Envelope | Delivery | Typing) -> str:
    return {Envelope: "envelopes", Delivery: "deliveries"}.get(type(record), "typing")
