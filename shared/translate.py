"""The one place that runs a channel's pure functions over what strangers send, and stamps what comes out of them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import datetime
from pathlib import PurePath
from types import NoneType
from typing import Any, Final, TypeVar, cast

import orjson
from pydantic import BaseModel, ValidationError

from shared.channel import (
    Account,
    App,
    Asked,
    Channel,
    Context,
    Incoming,
    Mail,
    MailRead,
    Message,
    Receipt,
    Request,
    Response,
    Steps,
    TypingSeen,
)
from shared.envelope import UNSTORABLE, Assessment, Envelope, Window, message_id, scrub
from shared.errors import Malformed, ParleyError, Torn, Unverified
from shared.records import Delivery, Typing

T = TypeVar("T")
MailReader = Callable[[Any, Mail, Context], MailRead]

# What a naive parser raises over a payload of another shape; OSError is datetime's for times beyond the platform's.
UNREADABLE: Final = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError, OSError)
NAMES: Final = 998  # characters of an address or external id at the most
SIGNED: Final = Assessment(authentication="signature")
PROVIDED: Final = Assessment(authentication="provider")


def verify(channel: Channel, app: App, request: Request, context: Context) -> None:
    """Raise Unverified unless the request proves who sent it; nonsense in its headers is no proof either."""
    if channel.verify is None:
        raise Unverified(f"{channel.name} takes no webhooks")
    try:
        channel.verify(app, request, context)
    except UNREADABLE as error:
        raise Unverified(_where(error)) from None


def read(channel: Channel, app: App, request: Request, context: Context) -> tuple[Incoming, ...]:
    """What a verified request says.

    Raises Malformed: the payload has another shape than the channel knows; its detail names the error and the line, no
    content. Raises Torn: no signature covers the body and it is not even JSON, so it may have been cut on the way.
    """
    if channel.inbound is None:
        raise Malformed(f"{channel.name} takes no webhooks")
    try:
        with readable():
            return _named(channel.inbound(app, request, context))
    except Malformed:
        if not channel.signed and not _is_json(request.body):
            raise Torn("the body is not JSON") from None
        raise


def read_mail(mail: MailReader | None, account: Account, delivered: Mail, context: Context) -> MailRead:
    """What a mail to this account says, read by its channel's `mail`. Raises Malformed, and what that raises to refuse it."""
    if mail is None:
        raise Malformed("the channel takes no mail")
    with readable():
        found = mail(account, delivered, context)
        _named(found.records)
    return found


def read_page(channel: Channel, account: Account, body: bytes, context: Context) -> tuple[Incoming, ...]:
    """What one page of a poll says, whatever was asked for it. Raises as `read`."""
    if channel.poll is None:
        raise Malformed(f"{channel.name} is not polled")
    with readable():
        polled = answer(
            channel.poll(account, {}, context), given=lambda _: Response(body=body), outcome=channel.outcome
        )
        return _named(polled.records)


def stamp(
    incoming: Incoming,
    *,
    channel: Channel,
    account: Account,
    received_at: datetime,
    raw: str | None = None,
    clean: bool = False,
) -> Envelope | Delivery | Typing:
    """The record that travels: tenant, account, id, window and assessment added, times of the future set to now.

    `clean`: the payload was seen to hold nothing that must be replaced, so not every string is looked at.
    Raises Malformed where a value is none that an envelope may hold.
    """
    with readable():
        incoming = incoming if clean else _storable(incoming)
        if incoming.occurred_at > received_at:
            incoming = replace(incoming, occurred_at=received_at)
        match incoming:
            case Message():
                return _envelope(incoming, channel, account, received_at=received_at, raw=raw)
            case Receipt():
                return _delivery(incoming, channel, account)
            case TypingSeen():
                return Typing(
                    tenant=account.tenant,
                    channel=channel.name,
                    account=account.name,
                    peer=incoming.peer,
                    occurred_at=incoming.occurred_at,
                )


def answer(steps: Steps[T], *, given: Callable[[Asked], Response], outcome: Callable[[Response], None]) -> T:
    """Run a channel's exchange over given answers, each judged by the channel's `outcome`, and return its result."""
    try:
        request = next(steps)
        while True:
            response = given(request)
            outcome(response)
            request = steps.send(response)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        steps.close()


@contextmanager
def readable() -> Iterator[None]:
    """Whatever a naive parser raises becomes Malformed, its detail without a word of the payload."""
    try:
        yield
    except ParleyError:
        raise
    except UNREADABLE as error:
        raise Malformed(_where(error)) from None


def _where(error: Exception) -> str:
    """The error's name and the line that raised it; for a model's field its path, never its value."""
    kind = type(error).__name__
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        return f"{kind}: {error.title}.{'.'.join(map(str, first['loc']))}: {first['type']}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{kind} at {PurePath(frame.filename).name}:{frame.lineno} ({frame.name})"


def _is_json(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except ValueError:
        return False
    return True


def _named(records: Iterable[Incoming]) -> tuple[Incoming, ...]:
    """The records, if each has the names by which it is found again: a parser may have read a number or a list there."""
    named = tuple(records)
    for record in named:
        names = [record.account_key, record.peer]
        names += [record.event_key] if isinstance(record, Message) else []
        if not all(isinstance(name, str) and 0 < len(name) <= NAMES for name in names):
            raise TypeError("a name is missing, too long or not a text")
    return named


def _envelope(
    incoming: Message,
    channel: Channel,
    account: Account,
    *,
    received_at: datetime,
    raw: str | None,
) -> Envelope:
    return Envelope(
        id=message_id(account.tenant, channel.name, account.name, incoming.event_key),
        tenant=account.tenant,
        channel=channel.name,
        account=account.name,
        direction="outbound" if incoming.echo else "inbound",
        peer=incoming.peer,
        external_id=incoming.external_id,
        external_ids=incoming.external_ids,
        join_key=incoming.join_key,
        sender=incoming.sender,
        recipients=incoming.recipients,
        surface=incoming.surface,
        container=incoming.container,
        thread=incoming.thread,
        parts=incoming.parts,
        occurred_at=incoming.occurred_at,
        received_at=received_at,
        raw=raw,
        assessment=_assessed(incoming.assessment, channel),
        window=Window() if incoming.echo else channel.window(account, incoming),
    )


def _assessed(found: Assessment, channel: Channel) -> Assessment:
    """The channel's own assessment, with what the verification proved where it says nothing itself; a mail proves nothing."""
    if found.authentication != "none" or channel.mail is not None:
        return found
    verified = SIGNED if channel.signed else PROVIDED
    if found == _NOTHING:
        return verified
    return found.model_copy(update={"authentication": verified.authentication})


_NOTHING: Final = Assessment()


def _delivery(incoming: Receipt, channel: Channel, account: Account) -> Delivery:
    return Delivery(
        tenant=account.tenant,
        channel=channel.name,
        account=account.name,
        peer=incoming.peer,
        external_ids=incoming.external_ids,
        join_key=incoming.join_key,
        watermark=incoming.watermark,
        status=incoming.status,
        failure=incoming.failure,
        occurred_at=incoming.occurred_at,
    )


def _storable(incoming: Incoming) -> Incoming:
    """The record without NUL and lone surrogates; nearly always it has none and is returned as it is."""
    values = {field: getattr(incoming, field) for field in _FIELDS[type(incoming)]}
    if all(map(_is_storable, values.values())):
        return incoming
    return replace(incoming, **{field: _scrubbed(value) for field, value in values.items()})


_FIELDS: Final = {kind: tuple(field.name for field in fields(kind)) for kind in (Message, Receipt, TypingSeen)}


def _is_storable(value: object) -> bool:
    """By exact type, and with `in` before the pattern: this runs over every string that comes in."""
    kind = type(value)
    if kind is str:
        text = cast("str", value)
        return (text.isascii() and "\x00" not in text) or not UNSTORABLE.search(text)
    if kind in _ATOMS:
        return True
    inner = cast("tuple[object, ...]", value) if kind is tuple else vars(value).values()
    return all(map(_is_storable, inner))


_ATOMS: Final = frozenset({NoneType, bool, int, float, datetime})


def _scrubbed(value: Any) -> Any:
    match value:
        case tuple():
            return tuple(map(_scrubbed, value))
        case BaseModel():
            return type(value).model_validate(scrub(value.model_dump()))
        case _:
            return scrub(value)
