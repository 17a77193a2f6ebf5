"""What was read from a provider, onto the bus: stamped, keyed by its peer, durable when this returns."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from shared.bus.cloudevents import RAW, RAW_TYPE, Headers, Out, encode, headers, new_trace, next_span
from shared.bus.produce import Producer
from shared.contract.channel import Account, App, Channel, Context, Incoming, Mail, MailRead, Message, Request
from shared.contract.codes import Family
from shared.contract.deliveries import Delivery, Typing
from shared.contract.envelope import Envelope, Media, Part, derive, key
from shared.contract.errors import Malformed, ParleyError, TooLarge, UnknownAccount
from shared.contract.records import DELIVERY, INBOUND_LIMIT, inbound_topic
from shared.inbound.deadletters import DeadLetters
from shared.inbound.translate import events, named, stamp
from shared.inbound.unsealing import Unsealer
from shared.runtime.accounts import Accounts
from shared.runtime.elsewhere import each
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs

__all__ = ["RAW_INLINE", "Intake", "Raw"]

HERE: Final = 100  # events of a body that are read in the loop, where it is not large; the rest elsewhere
RAW_INLINE: Final = 64 * 1024  # bytes of a payload that travel inside the record; larger ones go to the blob store
RAW_COPIES: Final = 4 * RAW_INLINE  # bytes of it in all records of one payload; where they are many, they name one copy


@dataclass(frozen=True, slots=True)
class Raw:
    """The untouched payload that records were made from: inside the record (a header), or as a reference to the blob store."""

    body: bytes = b""
    content_type: str = ""
    ref: str | None = None

    def headers(self) -> Headers:
        if self.ref is not None or not self.body:
            return []
        return [(RAW, self.body), (RAW_TYPE, self.content_type.encode())]


NO_RAW: Final = Raw()


class First:
    """Around each event: the first that cannot be taken is told at the end, when all others are durable. Of the rest, of
    which a stranger may send a hundred thousand, nothing is kept.
    """

    def __init__(self) -> None:
        self._trouble: ParleyError | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> bool:
        if not isinstance(error, Malformed | UnknownAccount | TooLarge):
            return False
        self._trouble = self._trouble or error
        return True

    def told(self) -> None:
        """Raises it."""
        if self._trouble:
            raise self._trouble


class Intake:
    """The way in of one adapter, whatever transport the payload came by."""

    def __init__(
        self, settings: Settings, family: Family, producer: Producer, blobs: Blobs, unsealer: Unsealer | None = None
    ) -> None:
        """Without an `unsealer` what is sealed stays so."""
        self._producer, self._blobs = producer, blobs
        self.dead_letters = DeadLetters(settings, family, producer, blobs)
        self._unsealer = unsealer
        self._source = f"/adapter/{family}"
        self._inbound = settings.topic(inbound_topic(family))
        self._delivery = settings.topic(DELIVERY)

    async def take(
        self, channel: Channel, app: App, accounts: Accounts, request: Request, context: Context
    ) -> tuple[Out, ...]:
        """What a verified request says, received at the context's `now`: the records, when all are durable.

        Raises Malformed, UnknownAccount, TooLarge where an event cannot be taken; by then all the others are durable.
        Raises Torn, BusUnavailable, StoreUnavailable: nothing was taken.
        """
        first = First()
        pairs: list[tuple[Account, Incoming]] = []

        def note(one: Incoming | Malformed) -> None:
            with first:
                pairs.append(_owned(accounts, channel, app.name, one))

        here = HERE if len(request.body) <= RAW_INLINE else 0
        await each(events(channel, app, request, context), note, here=here)
        records = await self._take(channel, pairs, request, context, first)
        first.told()
        return records

    async def _take(
        self,
        channel: Channel,
        pairs: Sequence[tuple[Account, Incoming]],
        request: Request,
        context: Context,
        first: First,
    ) -> tuple[Out, ...]:
        """Those that can be taken, published."""
        content_type = request.headers.get("content-type", "application/octet-stream")
        pairs = [(account, await self._unsealed(channel, account, one)) for account, one in pairs]
        tenants = Counter(account.tenant for account, _ in pairs)
        kept = {tenant: await self.keep(tenant, request.body, content_type, count) for tenant, count in tenants.items()}
        clean = b"u0000" not in request.body and b"\x00" not in request.body  # `encode` looks again
        trace = next_span(request.headers.get("traceparent"))
        records: list[Out] = []

        def note(pair: tuple[Account, Incoming]) -> None:
            account, one = pair
            raw = kept[account.tenant]
            with first:
                stamped = stamp(
                    one, channel=channel, account=account, received_at=context.now, raw=raw.ref, clean=clean
                )
                records.append(self.record(stamped, raw=raw, traceparent=trace))

        await each(pairs, note, here=HERE)
        await self.publish(records)
        return tuple(records)

    async def take_page(
        self, channel: Channel, account: Account, found: Sequence[Incoming | Malformed], page: bytes, context: Context
    ) -> tuple[Out, ...]:
        """What a page of this account's poll says, received at the context's `now`: the records, when all are durable, each
        with the page that it was read from, as a pushed one has its request.

        Raises Malformed, TooLarge where one cannot be taken; by then all the others are durable. Raises BusUnavailable,
        StoreUnavailable: nothing was taken.
        """
        records, first, trace = list[Out](), First(), new_trace()
        found = [one if isinstance(one, Malformed) else await self._unsealed(channel, account, one) for one in found]
        raw = await self.keep(account.tenant, page, "application/json", len(found)) if found else NO_RAW

        def note(one: Incoming | Malformed) -> None:
            with first:
                stamped = stamp(_readable(one), channel=channel, account=account, received_at=context.now, raw=raw.ref)
                records.append(self.record(stamped, raw=raw, traceparent=trace))

        await each(map(named, found), note, here=HERE)
        await self.publish(records)
        first.told()
        return tuple(records)

    async def take_frame(
        self,
        channel: Channel,
        account: Account,
        accounts: Accounts,
        found: Iterable[Incoming | Malformed],
        frame: bytes,
        context: Context,
    ) -> tuple[Out, ...]:
        """What one frame of this account's socket says, received at the context's `now`; where several accounts are behind one
        app, each record goes to the one that it names. Raises as `take`.
        """
        first = First()
        pairs: list[tuple[Account, Incoming]] = []
        for one in map(named, found):
            with first:
                pairs.append(_owned(accounts, channel, account.receiver, one))
        request = Request(headers={"content-type": "application/json"}, body=frame)
        records = await self._take(channel, pairs, request, context, first)
        first.told()
        return records

    async def take_mail(
        self, channel: Channel, account: Account, mail: Mail, read: MailRead, context: Context
    ) -> tuple[Out, ...]:
        """What a mail to this account said, received at the context's `now`: the records, when all are durable, and the
        mail and its files are stored. Raises Malformed, TooLarge, BusUnavailable, StoreUnavailable.
        """
        if not read.records:
            return ()
        raw = await self.keep(account.tenant, mail.raw, "message/rfc822")
        filed = [await self._filed(account.tenant, one, read.files) for one in read.records]
        trace = new_trace()
        records = tuple(
            self.record(
                stamp(one, channel=channel, account=account, received_at=context.now, raw=raw.ref),
                raw=raw,
                traceparent=trace,
            )
            for one in filed
        )
        await self.publish(records)
        return records

    async def _unsealed(self, channel: Channel, account: Account, one: Incoming) -> Incoming:
        return await self._unsealer(channel, account, one) if self._unsealer and channel.unseal else one

    async def keep(self, tenant: str, body: bytes, content_type: str, records: int = 1) -> Raw:
        """The untouched payload of so many records: a small one travels in each, a larger one, or one that would make a flood
        of them, is in the blob store before the answer.
        """
        if len(body) <= RAW_INLINE and len(body) * records <= RAW_COPIES:
            return Raw(body, content_type)
        stored = await self._blobs.put_bytes(tenant, body)
        return Raw(ref=stored.ref, content_type=content_type)

    async def _filed(self, tenant: str, one: Incoming, files: Mapping[str, bytes]) -> Incoming:
        """The message with the files that came along stored, and its parts naming them."""
        if not isinstance(one, Message) or not files:
            return one
        return replace(one, parts=tuple([await self._stored(tenant, part, files) for part in one.parts]))

    async def _stored(self, tenant: str, part: Part, files: Mapping[str, bytes]) -> Part:
        if not isinstance(part, Media) or part.handle is None or part.handle not in files:
            return part
        stored = await self._blobs.put_bytes(tenant, files[part.handle])
        found = {"state": "stored", "blob": stored.ref, "size": stored.size, "sha256": stored.sha256, "handle": None}
        return part.model_copy(update=found)

    async def accept(
        self,
        channel: Channel,
        account: Account,
        incoming: Iterable[Incoming],
        *,
        raw: Raw = NO_RAW,
        traceparent: str | None = None,
        received_at: datetime | None = None,
    ) -> tuple[uuid.UUID, ...]:
        """Return the ids of the messages when all records are durable. Raises BusUnavailable, Malformed, TooLarge."""
        now = received_at or datetime.now(UTC)
        trace = traceparent or new_trace()
        stamped = [stamp(one, channel=channel, account=account, received_at=now, raw=raw.ref) for one in incoming]
        await self.publish([self.record(one, raw=raw, traceparent=trace) for one in stamped])
        return tuple(one.id for one in stamped if isinstance(one, Envelope))

    def record(self, stamped: Envelope | Delivery | Typing, *, raw: Raw, traceparent: str) -> Out:
        """One record for the bus; raises TooLarge when the event made from it would not fit."""
        value = encode(stamped)
        if len(value) > INBOUND_LIMIT:
            raise TooLarge(f"{len(value)} bytes")
        name, topic, id_, time = self._kind(stamped, value)
        made = headers(
            name,
            source=self._source,
            id=str(id_),
            time=time,
            tenant=stamped.tenant,
            subject=f"{stamped.channel}/{stamped.account}",
            traceparent=traceparent,
        )
        if isinstance(stamped, Envelope):
            made += raw.headers()
        return Out(topic, key(stamped.tenant, stamped.channel, stamped.account, stamped.peer).encode(), value, made)

    def _kind(self, stamped: Envelope | Delivery | Typing, value: bytes) -> tuple[str, str, uuid.UUID, datetime]:
        match stamped:
            case Envelope():
                return "inbound", self._inbound, stamped.id, stamped.received_at
            case Delivery():
                return "delivery", self._delivery, derive("delivery", value), stamped.occurred_at
            case Typing():
                return "typing", self._inbound, uuid.uuid4(), stamped.occurred_at

    async def publish(self, records: Sequence[Out]) -> None:
        """All durable, or BusUnavailable: then nothing was accepted, and what did get through is the same when it comes again."""
        await self._producer.send_all(records)


def _owned(accounts: Accounts, channel: Channel, app: str, one: Incoming | Malformed) -> tuple[Account, Incoming]:
    """The record and its account. Raises Malformed, UnknownAccount."""
    record = _readable(one)
    return owner(accounts, channel, app, record), record


def _readable(one: Incoming | Malformed) -> Incoming:
    """Raises the Malformed that stands in a record's place."""
    if isinstance(one, Malformed):
        raise one
    return one


def owner(accounts: Accounts, channel: Channel, app: str, one: Incoming) -> Account:
    """The account that a record came to: what one app receives may be of many. Raises UnknownAccount."""
    account = accounts.by_key(channel.name, app, one.account_key)
    if account is None:
        raise UnknownAccount(f"{channel.name}, app {app}: {one.account_key!r}")
    return account
