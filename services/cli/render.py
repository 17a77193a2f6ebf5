"""`parley render`: the requests that a message would become at the provider, with no broker and no provider."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import orjson
import typer
from pydantic import SecretStr, ValidationError

from services.cli.channels import find, misused, pairs, settings
from services.cli.wire import read_bytes
from shared.contract.channel import (
    Account,
    Asked,
    Blob,
    Channel,
    Context,
    Encoded,
    Form,
    Http,
    Piece,
    Response,
    SendFailed,
    Smtp,
    Steps,
)
from shared.contract.envelope import Address, Media, Model, Part, Route, Thread
from shared.contract.errors import AlreadySent, Malformed, Refusal
from shared.contract.fit import Bundle, fit
from shared.contract.readable import readable
from shared.inbound.translate import answer

T = TypeVar("T")

REFUSED: Final = 1

app = typer.Typer()


class Letter(Model):
    """A message to send: `to`, `parts`, perhaps `reply_to` or `route`; an outbound record is read as well."""

    id: str = "00000000-0000-0000-0000-000000000000"
    to: Address | None = None
    peer: Address | None = None
    parts: tuple[Part, ...]
    reply_to: str | None = None
    thread: Thread = Thread()
    route: Route | None = None

    def piece(self, number: int, files: tuple[Part, ...], handles: tuple[str | None, ...]) -> Piece:
        return Piece(
            id=f"{self.id}/{number}",
            to=self.to or self.peer or "",
            part=files[0],
            attachments=files[1:],
            reply_to=self.reply_to or self.thread.reply_to,
            thread_key=self.thread.thread_key,
            subject=self.thread.subject,
            references=self.thread.references,
            thread_token=self.thread.token,
            handle=handles[0],
            handles=handles[1:],
            route=self.route.value if self.route and not (self.route.once and number) else None,
        )


class Unanswered(Exception):
    """The exchange goes on with the provider's answer; give it with --answers."""


@app.command()
def render(
    channel: Annotated[str, typer.Argument(help="A channel's name; `parley channels` lists them.")],
    file: Annotated[Path | None, typer.Argument(help="The message as JSON; default: standard input.")] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the account.")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(help="A JSON array of the provider's answers: {status, headers, body} each.")
    ] = None,
    now: Annotated[datetime | None, typer.Option(help="The time of sending, UTC; default: now.")] = None,
) -> None:
    """Show the requests that an outbound message (JSON: to, parts, reply_to, route) would become, and what was split or degraded.

    Each piece goes as far as there are answers; without any, to its first request. Secrets are shown as ***.

    Exit codes: 0 rendered, 1 the message or the provider's answer is a no, 2 misused.
    """
    found = find(channel)
    account = settings(found.account, pairs(sets, found), lenient=False)
    context = Context(
        now=(now or datetime.now(UTC)).replace(tzinfo=UTC),
        nonce="0",
        hook=f"https://parley.example/hooks/{found.name}/{account.receiver}",
        link=lambda media: f"https://parley.example/files/{media.blob}",
    )
    try:
        letter = Letter.model_validate_json(read_bytes(file))
        given = _answers(answers)
    except OSError as error:
        misused(
            f"{error.filename} cannot be read: {error.strerror}. Name a file, or give the message on standard input."
        )
    except (ValueError, LookupError, TypeError) as error:
        kind = "is not an outbound message" if isinstance(error, ValidationError) else "cannot be read"
        misused(f"The message or the answers {kind}: {_first(error)}. See `parley render --help`.")
    if not (letter.to or letter.peer):
        misused('The message has no address. Add "to".')
    shown = Rendering(found, account, context, given).letter(letter)
    print(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
    if shown["error"]:
        raise typer.Exit(REFUSED)


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)


def _answers(file: Path | None) -> list[Response]:
    told = json.loads(file.read_bytes()) if file else []
    return [
        Response(status=one.get("status", 200), headers=one.get("headers", {}), body=as_body(one.get("body", "")))
        for one in told
    ]


def as_body(told: Any) -> bytes:
    """A body told as text, or as the JSON that it is."""
    return told.encode() if isinstance(told, str) else orjson.dumps(told)


class Rendering:
    """One message on its way out, as far as given answers carry it; remembers the requests."""

    def __init__(self, channel: Channel, account: Account, context: Context, given: list[Response]) -> None:
        self.channel = channel
        self.account = account
        self.context = context
        self.given: Iterator[Response] = iter(given)
        self.requests: list[Asked] = []

    def letter(self, letter: Letter) -> dict[str, Any]:
        """The requests of every piece in order, with the notes of `fit`, or the error that ends it."""
        notes: tuple[str, ...] = ()
        error = None
        try:
            fitted = fit(letter.parts, self.channel.capabilities_of(self.account))
            notes = fitted.notes
            for number, part in enumerate(fitted.pieces):
                self._send(letter, number, part)
        except (Refusal, SendFailed) as refused:
            error = {"code": refused.reason, "message": refused.detail}
        except Malformed as malformed:
            error = {"code": malformed.code, "message": f"the provider's answer: {malformed.detail}"}
        shown = [describe(request, self.account) for request in self.requests]
        return {"requests": shown, "notes": list(notes), "error": error}

    def _send(self, letter: Letter, number: int, part: Part | Bundle) -> None:
        if self.channel.outbound is None:
            raise Refusal("unsupported", f"{self.channel.name} sends nothing to a provider; Parley serves it itself.")
        files = (part.part, *part.files) if isinstance(part, Bundle) else (part,)
        piece = letter.piece(number, files, tuple(map(self._handle, files)))
        self._run(self.channel.outbound(self.account, piece, self.context))

    def _handle(self, part: Part) -> str | None:
        if not (self.channel.upload and isinstance(part, Media) and part.blob):
            return None
        uploaded = self._run(self.channel.upload(self.account, part, self.context))
        return uploaded.value if uploaded else "HANDLE"

    def _run(self, steps: Steps[T]) -> T | None:
        try:
            with readable():
                return answer(steps, given=self._answer, outcome=self.channel.outcome)
        except (Unanswered, AlreadySent):
            return None

    def _answer(self, request: Asked) -> Response:
        self.requests.append(request)
        if (response := next(self.given, None)) is None:
            raise Unanswered
        return response


def describe(request: Asked, account: Account) -> dict[str, Any]:
    """A request for people: its body as JSON where it is, a mail as text, no secret of the account anywhere."""
    secrets = [value.get_secret_value() for value in account.__dict__.values() if isinstance(value, SecretStr)]
    shown = _mail(request) if isinstance(request, Smtp) else _request(request)
    return dict(_hidden(shown, [secret for secret in secrets if secret]))


def _request(request: Http) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.shown_url,
        "headers": {
            name: _proof(value) if name.lower() == "authorization" else value for name, value in request.headers.items()
        },
        "commits": request.commits,
        **_body(request.body),
    }


def _proof(value: str) -> str:
    """The scheme alone: what stands behind it may be made from a secret, and be as good."""
    return f"{value.partition(' ')[0]} ***"


def _mail(request: Smtp) -> dict[str, Any]:
    """A mail with its files named where their bytes would stand."""
    return {
        "method": "SMTP",
        "url": f"smtp://{request.host}:{request.port}",
        "security": request.security,
        "sender": request.sender,
        "recipients": list(request.recipients),
        "commits": request.commits,
        "body": "".join(
            f"[{part.blob.ref} in base64]\r\n" if isinstance(part, Encoded) else part.decode("utf-8", "replace")
            for part in request.data
        ),
    }


def _field(name: str, value: str | Blob) -> dict[str, Any]:
    return {"name": name, **(_file(value) if isinstance(value, Blob) else {"value": value})}


def _file(blob: Blob) -> dict[str, Any]:
    """Which bytes would be sent: of which file, from where on, how many, and what they become on their way."""
    told = {"start": blob.start or None, "length": blob.length, "through": type(blob.through).__name__}
    return {"blob": blob.ref, **{name: value for name, value in told.items() if value not in {None, "NoneType"}}}


def _body(body: bytes | Form | Blob) -> dict[str, Any]:
    if isinstance(body, tuple):
        return {"form": [_field(one.name, one.value) for one in body]}
    if isinstance(body, Blob):
        return _file(body)
    try:
        return {"body": orjson.loads(body)} if body else {}
    except ValueError:
        return {"body": body.decode("utf-8", "replace")}


def _hidden(value: Any, secrets: list[str]) -> Any:
    match value:
        case str():
            for secret in secrets:
                value = value.replace(secret, "***")
            return value
        case dict():
            return {name: _hidden(item, secrets) for name, item in value.items()}
        case list():
            return [_hidden(item, secrets) for item in value]
        case _:
            return value
