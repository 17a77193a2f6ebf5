"""`parley send` and `parley reply`: a message asked for on the bus, and what became of it."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer

from services.cli.asking import How, asking
from services.cli.ids import as_uuid, resolve
from services.cli.running import MISUSED, fail, find_running, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from uuid import UUID

    from services.cli.running import System
    from shared.contract.requests import Hop, Request
    from shared.runtime.settings import Settings

CANNOT: Final = 1
REFUSED: Final = 4
UNHEARD: Final = 5
FAILED: Final = 6
UNKNOWN: Final = 7
ENDS: Final = {"sent": 0, "delivered": 0, "read": 0, "failed": FAILED, "expired": FAILED, "cancelled": FAILED}
WANTED: Final = frozenset({"accepted", "sent", "delivered", "read", "answered"})  # how a plan ends that was worth it
CHANGED: Final = frozenset(
    {
        "message.edited",
        "message.deleted",
        "message.reaction",
        "message.seen",
        "conversation.responder",
        "customer.consent",
        "conversation.closed",
        "conversation.reopened",
        "conversation.participant",
        "conversation.assigned",
        "conversation.tagged",
        "conversation.read",
        "message.scheduled",
        "customer.merged",
        "customer.split",
        "customer.linked",
        "customer.unlinked",
        "customer.parted",
        "customer.erased",
    }
)
SOURCE: Final = "/cli"

app = typer.Typer()

Words = Annotated[str, typer.Argument(help="What to say; `-` reads it from standard input.")]
At = Annotated[
    str, typer.Option(help="Not before then: a time as RFC 3339 writes it, such as 2027-01-31T08:00:00+07:00.")
]
Then = Annotated[
    list[str],
    typer.Option(
        help="Another way, if the one before falls short: `UNLESS SECONDS CHANNEL [ACCOUNT [ADDRESS]]`, such as "
        "`read 3600 telegram main`; UNLESS is accepted, sent, delivered, read or answered. May be repeated."
    ),
]


@app.command()
@asking
def send(
    channel: Annotated[str, typer.Argument(help="A channel's name; `parley channels` lists them.")],
    account: Annotated[str, typer.Argument(help="The account of the accounts file that sends.")],
    address: Annotated[str, typer.Argument(help="To whom, as the channel calls them.")],
    text: Words,
    at: At = "",
    then: Then = [],
    purpose: Annotated[
        str, typer.Option(help="What it is for: service, notification, marketing. A person may not want it.")
    ] = "notification",
    *,
    urgent: Annotated[bool, typer.Option("--urgent", help="At whatever hour it is where they are.")] = False,
    how: How,
) -> None:
    """Write first, to an address, and wait until the provider has it; with `--at`, or where it is no decent hour, until it is known
    that it waits.

    Exit codes: 0 sent, 1 Kafka cannot be reached, 2 misused, 4 refused early, 5 nothing heard in time, 6 failed,
    7 outcome unknown: it may have been sent.
    """
    from shared.contract.envelope import Text, key as record_key
    from shared.contract.requests import Send

    asked = valid(
        lambda: Send(
            tenant=how.tenant,
            channel=channel,
            account=account,
            address=address,
            parts=(Text(text=words(text)),),
            author="cli",
            automatic=False,
            not_before=at or None,
            fallback=tuple(map(hop, then)),
            purpose=purpose,
            urgent=urgent,
        )
    )
    place = record_key(how.tenant, channel, account, address)
    finish(find_running(how.home, unreachable=CANNOT), asked, place=place, how=how)


@app.command()
@asking
def reply(
    conversation: Annotated[str, typer.Argument(help="The conversation's id; its first letters do.")],
    text: Words,
    at: At = "",
    then: Then = [],
    *,
    how: How,
) -> None:
    """Answer in a conversation, on the channel the customer last wrote from, and wait until the provider has it; with `--at`,
    until it is known that it waits.

    Exit codes: as `parley send`.
    """
    from shared.contract.envelope import Text
    from shared.contract.requests import Reply

    system = find_running(how.home, unreachable=CANNOT)
    place = as_uuid(conversation) or identified(system, conversation)
    asked = valid(
        lambda: Reply(
            tenant=how.tenant,
            conversation=place,
            parts=(Text(text=words(text)),),
            author="cli",
            automatic=False,
            not_before=at or None,
            fallback=tuple(map(hop, then)),
        )
    )
    finish(system, asked, place=str(place), how=how)


def identified(system: System, name: str, kind: str = "conversations") -> UUID:
    """The conversation or message whose id begins so; ends the command where that is none, or not one alone."""
    import os

    router = os.environ.get("PARLEY_ROUTER", "")
    return run(resolve(system, name, router=router, kinds=(kind,)), unreachable=CANNOT)


def words(text: str) -> str:
    """The text, or standard input for `-`."""
    return sys.stdin.read().rstrip("\n") if text == "-" else text


def hop(words: str) -> Hop:
    """Raises ValueError for what is none."""
    from shared.contract.requests import Hop

    unless, within, channel, account, address = [*words.split(maxsplit=4), *[None] * 5][:5]
    return Hop.model_validate(
        {"unless": unless, "within": within, "channel": channel, "account": account, "address": address}
    )


def valid(make: Callable[[], Request]) -> Request:
    try:
        return make()
    except ValueError as error:
        fail(f"This is no request: {error}. See `parley send --help` and docs/records.md.", MISUSED)


def finish(system: System, asked: Request, *, place: str, how: How) -> None:
    from shared.bus.cloudevents import new_id

    show = _printer(as_json=how.as_json)
    code = run(
        ask(system.settings, asked, place=place, id_=how.key or new_id(), patience=how.timeout, show=show),
        unreachable=CANNOT,
    )
    raise typer.Exit(code)


def _printer(*, as_json: bool) -> Callable[[dict[str, Any]], None]:
    if as_json:
        return lambda told: print(orjson.dumps(told).decode(), flush=True)
    return lambda told: print(
        " ".join(str(value) if name == "event" else f"{name}={value}" for name, value in told.items() if value),
        flush=True,
    )


async def ask(
    settings: Settings, asked: Request, *, place: str, id_: str, patience: float, show: Callable[[dict[str, Any]], None]
) -> int:
    """Produce the request, then tell every event that follows from it; the exit code. Raises BusUnavailable."""
    from services.cli.reading import consumer, seek
    from shared.contract.envelope import requested_id
    from shared.contract.records import EVENTS
    from shared.contract.requests import Cancel

    taken_back = asked.message if isinstance(asked, Cancel) else None
    message = str(requested_id(asked.tenant, id_))
    async with consumer(settings, [settings.topic(EVENTS)]) as events:
        await seek(events, beginning=False)
        async with producing(settings) as produce:
            await produce(asked, place=place, id_=id_)
        show({"event": "requested", "request_id": id_, "message_id": message})
        if not patience:
            return 0
        try:
            async with asyncio.timeout(patience):
                return await outcome(events, request_id=id_, show=show, taken_back=taken_back)
        except TimeoutError:
            typer.echo(
                f"Nothing was heard of it within {patience:g} s; it may still go out. Look with `parley trace {message}`; "
                f"asking again with --id {id_} makes no second message.",
                err=True,
            )
            return UNHEARD


@asynccontextmanager
async def producing(settings: Settings) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """`produce(asked, place=…, id_=…)`, which returns when the request is durable. Raises BusUnavailable, as this does."""
    from datetime import UTC, datetime

    from shared.bus.cloudevents import Out, encode, headers, new_trace
    from shared.bus.produce import Producer
    from shared.contract.records import BY_MODEL, REQUESTS

    producer = Producer(settings)

    async def produce(asked: Request, *, place: str, id_: str) -> None:
        made = headers(
            BY_MODEL[type(asked)],
            source=SOURCE,
            id=id_,
            time=datetime.now(UTC),
            tenant=asked.tenant,
            subject=place,
            traceparent=new_trace(),
        )
        await producer.send(Out(settings.topic(REQUESTS), place.encode(), encode(asked), made))

    try:
        await producer.start()
        yield produce
    finally:
        await producer.stop()


async def outcome(
    events: Any, *, request_id: str, show: Callable[[dict[str, Any]], None], taken_back: UUID | None = None
) -> int:
    """Read until the request's end is known; its exit code. `taken_back`: a message whose status is that end too."""
    from services.cli.lines import Seen, short_type
    from services.cli.reading import described, records

    seen, has_ways = Seen(), False
    async for record in records(events):
        told = described(record)
        data = told["data"] if isinstance(told["data"], dict) else {}
        is_of_it = taken_back is not None and data.get("message_id") == str(taken_back)
        if not (is_of_it or data.get("request_id") == request_id) or seen.again(told):
            continue
        kind = short_type(told["type"])
        failure = data.get("failure") or {}
        show(
            {
                "event": kind,
                "status": data.get("status", ""),
                "code": failure.get("code", ""),
                "detail": failure.get("detail", ""),
                "conversation": data.get("conversation", ""),
                "sequence": data.get("sequence", ""),
            }
        )
        if kind == "request.refused":
            return REFUSED
        has_ways = has_ways or kind == "plan.begun"
        if kind == "plan.ended":
            return 0 if taken_back is not None or data.get("why") in WANTED else FAILED
        if kind == "message.status" and taken_back is not None:
            return 0 if data.get("status") == "cancelled" else REFUSED
        if has_ways and kind == "message.status" and ENDS.get(data.get("status", "")) != 0:
            continue  # the plan's end is the answer
        if data.get("status") == "unknown":
            return UNKNOWN
        if kind in CHANGED:
            return 0
        if kind == "message.status" and data.get("status") in ENDS:
            return ENDS[data["status"]]
    return UNHEARD
