"""The one place that runs a channel's pure functions over what strangers send, and stamps what comes out of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import fields, replace
from datetime import datetime
from types import NoneType
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel

from shared.contract.channel import (
    Account,
    App,
    Asked,
    Channel,
    Context,
    Frame,
    Incoming,
    Mail,
    MailRead,
    Message,
    Publish,
    Receipt,
    Receive,
    Request,
    Response,
    Socket,
    Steps,
    TypingSeen,
    judge,
)
from shared.contract.deliveries import Delivery, Typing
from shared.contract.envelope import (
    EARLIEST,
    UNSTORABLE,
    Assessment,
    Envelope,
    Notice,
    Part,
    Party,
    Unsupported,
    message_id,
    scrub,
)
from shared.contract.errors import AlreadySent, Malformed, SendFailed, TooLarge, Torn, Unverified
from shared.contract.identities import PHONE, as_known
from shared.contract.mend import loads
from shared.contract.readable import UNREADABLE, readable, where

T = TypeVar("T")
MailReader = Callable[[Any, Mail, Context], MailRead]

PARTS: Final = 100  # of one envelope at the most
NAMES: Final = 998  # characters of an address or external id at the most
SIGNED: Final = Assessment(authentication="signature")
PROVIDED: Final = Assessment(authentication="provider")


def handshake(channel: Channel, app: App, request: Request, context: Context) -> Response | None:
    """What must be answered at once; a request that is none of that, or nonsense, goes on to be verified."""
    try:
        return channel.handshake(app, request, context)
    except UNREADABLE:
        return None


def verify(channel: Channel, app: App, request: Request, context: Context) -> None:
    """Raise Unverified unless the request proves who sent it; nonsense in its headers is no proof either."""
    if channel.verify is None:
        raise Unverified(f"{channel.name} takes no webhooks")
    try:
        channel.verify(app, request, context)
    except UNREADABLE as error:
        raise Unverified(where(error)) from None


def unpacked(channel: Channel, request: Request) -> Request:
    """The request as its channel reads it, once it is verified as it was sent: without its Content-Encoding (RFC 9110 §8.4.1.3).

    Raises TooLarge where that is more than the channel's `body_limit`, Torn where it is not the whole of a gzip stream.
    """
    if request.headers.get("content-encoding", "identity").strip().lower() not in channel.encodings:
        return request
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        body = unpacker.decompress(request.body, channel.body_limit + 1)
    except zlib.error:
        raise Torn("the body is no gzip stream") from None
    if len(body) > channel.body_limit:
        raise TooLarge(f"more than {channel.body_limit} bytes when unpacked")
    if not unpacker.eof or unpacker.unused_data:
        raise Torn("the body is not one whole gzip stream")
    headers = {
        name: value for name, value in request.headers.items() if name not in {"content-encoding", "content-length"}
    }
    return replace(request, headers=headers, body=body)


def read(channel: Channel, app: App, request: Request, context: Context) -> tuple[Incoming, ...]:
    """What a verified request says. Raises as `read_each`, and the first Malformed that stands in it."""
    return _all(read_each(channel, app, request, context))


def read_each(channel: Channel, app: App, request: Request, context: Context) -> tuple[Incoming | Malformed, ...]:
    """What a verified request says, all at once. Raises as `events`."""
    return tuple(events(channel, app, request, context))


def events(channel: Channel, app: App, request: Request, context: Context) -> Iterator[Incoming | Malformed]:
    """What a verified request says, one after the other; in the place of an event that has another shape than the channel knows a Malformed,
    whose detail names the error and the line, no content.

    Raises Malformed where the request as a whole has another shape. Raises Torn: no signature covers the body and it is not
    even JSON, so it may have been cut on the way.
    """
    if channel.inbound is None:
        raise Malformed(f"{channel.name} takes no webhooks")
    try:
        with readable():
            yield from map(named, channel.inbound(app, request, context))
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
    _all(map(named, found.records))
    return found


def read_page(channel: Channel, account: Account, body: bytes, context: Context) -> tuple[Incoming, ...]:
    """What one page of a poll, or one frame of a socket, says. Raises as `read`."""
    return _all(read_page_each(channel, account, body, context))


def read_page_each(
    channel: Channel, account: Account, body: bytes, context: Context
) -> tuple[Incoming | Malformed, ...]:
    """What one page of a poll, or one frame of a socket, says, whatever was asked for it; a Malformed in the place of what has
    another shape.

    Raises Malformed where the page as a whole has another shape.
    """
    with readable():
        if channel.poll is not None:
            found = answer(
                channel.poll(account, {}, context), given=lambda _: Response(body=body), outcome=channel.outcome
            ).records
        elif channel.socket is not None:
            found = tuple(_framed(channel.socket(account, {}, context), body, context.now))
        else:
            raise Malformed(f"{channel.name} is not polled")
    return tuple(map(named, found))


def _framed(steps: Socket, frame: bytes, now: datetime) -> Iterator[Incoming | Malformed]:
    """What is published of this frame, were it the first that came."""
    unread = True
    with closing(steps):
        step = next(steps)
        while unread or not isinstance(step, Receive):
            yield from step.records if isinstance(step, Publish) else ()
            given = isinstance(step, Receive)
            unread = unread and not given
            try:
                step = steps.send(Frame(now=now, data=frame if given else None))
            except StopIteration:
                return


def stamp(
    incoming: Incoming,
    *,
    channel: Channel,
    account: Account,
    received_at: datetime,
    raw: str | None = None,
    clean: bool = False,
) -> Envelope | Delivery | Typing:
    """The record that travels: tenant, account, id, window and assessment added, times of the future set to now, those
    before 1970 to 1970.

    `clean`: the payload was seen to hold nothing that must be replaced, so not every string is looked at.
    Raises Malformed where a value is none that an envelope may hold.
    """
    with readable():
        incoming = incoming if clean else _storable(incoming)
        if not EARLIEST <= incoming.occurred_at <= received_at:
            incoming = replace(incoming, occurred_at=max(EARLIEST, min(incoming.occurred_at, received_at)))
        match incoming:
            case Message():
                return _envelope(incoming, channel, account, received_at=received_at, raw=raw)
            case Receipt():
                return _delivery(incoming, channel, account, received_at=received_at)
            case TypingSeen():
                return Typing(
                    tenant=account.tenant,
                    channel=channel.name,
                    account=account.name,
                    peer=incoming.peer,
                    occurred_at=incoming.occurred_at,
                )


def answer(steps: Steps[T], *, given: Callable[[Asked], Response], outcome: Callable[[Response], None]) -> T:
    """Run a channel's exchange over given answers, each judge by the channel's `outcome`, and return its result; what
    that raises is thrown where the request was yielded, as `shared.provider.drive.drive` does.
    """
    try:
        request = next(steps)
        while True:
            response = given(request)
            try:
                judge(request, response, outcome)
            except (SendFailed, AlreadySent) as thrown:
                request = steps.throw(thrown)
            else:
                request = steps.send(response)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        steps.close()


def _is_json(body: bytes) -> bool:
    try:
        loads(body)
    except ValueError:
        return False
    return True


def _all(found: Iterable[Incoming | Malformed]) -> tuple[Incoming, ...]:
    """The records, if all could be read; raises the first Malformed."""
    records = []
    for one in found:
        if isinstance(one, Malformed):
            raise one
        records.append(one)
    return tuple(records)


def named(record: Incoming | Malformed) -> Incoming | Malformed:
    """The record, if it has the names by which it is found again: a parser may have read a number or a list there."""
    if isinstance(record, Malformed):
        return record
    names = [record.account_key, record.peer]
    names += [record.event_key] if isinstance(record, Message) else []
    if all(isinstance(name, str) and 0 < len(name) <= NAMES for name in names):
        return record
    return Malformed("TypeError: a name is missing, too long or not a text")


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
        sender=_sender(incoming, channel, account),
        recipients=incoming.recipients,
        surface=incoming.surface,
        container=incoming.container,
        thread=incoming.thread,
        parts=_most(incoming.parts),
        context=incoming.context,
        responder=incoming.responder,
        answer_to=incoming.answer_to,
        route=incoming.route,
        read_mark=incoming.read_mark,
        occurred_at=incoming.occurred_at,
        received_at=received_at,
        raw=raw,
        assessment=_assessed(incoming.assessment, channel),
        window=None if incoming.echo or isinstance(incoming.parts[0], Notice) else channel.window(account, incoming),
    )


def _sender(incoming: Message, channel: Channel, account: Account) -> Party:
    """Who wrote it, with what the account's settings let their address prove, their phone number as all are written."""
    sender = incoming.sender
    if incoming.echo:
        return sender
    phone = sender.phone and as_known(PHONE, sender.phone, region=account.region or None)
    proofs = (*sender.proofs, *channel.proves(account, sender))
    if (phone, proofs) == (sender.phone, sender.proofs):
        return sender
    return sender.model_copy(update={"phone": phone, "proofs": proofs})


def _most(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """As many as an envelope holds, and that there were more."""
    return parts if len(parts) <= PARTS else (*parts[: PARTS - 1], Unsupported(type="more"))


def _assessed(found: Assessment, channel: Channel) -> Assessment:
    """The channel's own assessment, with what the verification proved where it says nothing itself; a mail proves nothing."""
    if found.authentication != "none" or channel.mail is not None:
        return found
    verified = SIGNED if channel.signed else PROVIDED
    if found == _NOTHING:
        return verified
    return found.model_copy(update={"authentication": verified.authentication})


_NOTHING: Final = Assessment()


def _delivery(incoming: Receipt, channel: Channel, account: Account, *, received_at: datetime) -> Delivery:
    """What is sent later is not read yet, whatever a watermark of the future says."""
    return Delivery(
        tenant=account.tenant,
        channel=channel.name,
        account=account.name,
        peer=incoming.peer,
        external_ids=incoming.external_ids,
        join_key=incoming.join_key,
        watermark=incoming.watermark and min(incoming.watermark, received_at),
        status=incoming.status,
        failure=incoming.failure,
        cost=incoming.cost,
        occurred_at=incoming.occurred_at,
    )


def _storable(incoming: Incoming) -> Incoming:
    """The record without NUL and lone surrogates; nearly always it has none and is returned as it is."""
    values = {field: getattr(incoming, field) for field in _FIELDS[type(incoming)]}
    if all(map(_is_storable, values.values())):
        return incoming
    return replace(incoming, **{field: _scrubbed(value) for field, value in values.items()})


_FIELDS: Final = {
    kind: tuple(field.name for field in fields(kind) if field.name != "sealed")  # which travels no further
    for kind in (Message, Receipt, TypingSeen)
}


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
