"""One piece to its provider: uploaded where it must be, driven, and its end put into words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import structlog

from shared.contract.channel import (
    Account,
    Alteration,
    Amendment,
    Asked,
    Capabilities,
    Channel,
    Piece,
    PieceChange,
    Sent,
    ThreadControl,
)
from shared.contract.codes import Code, Failure
from shared.contract.deliveries import Amend, Growing, HandOver, Outbound
from shared.contract.envelope import Media, Route, derive
from shared.contract.errors import AlreadySent, Fenced, Malformed, ParleyError, Refusal, RouteGone, Scope, SendFailed
from shared.contract.fit import Bundle, Sendable
from shared.outbound.lanes import LEASE, Lane
from shared.outbound.ledger import Entry, Head, Ledger, Outcome
from shared.provider.calls import Principal
from shared.provider.parts import Parts
from shared.storage.blobs import belongs

log = structlog.get_logger(__name__)

OWN_WAY: Final = 20.0  # seconds that a service's own way of sending may take
SKEW: Final = timedelta(minutes=1)  # by which the clocks of PostgreSQL and of processes differ at the most

Handles = tuple[str | None, ...]
Own = Callable[[Account, Piece, Outbound], Awaitable[Sent]]
OwnAmend = Callable[[Account, Amendment, Amend], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Later:
    """Not now. `maybe_sent`: the provider may have it, and knows our key, so asking again does no harm.

    `scope`: who must wait where it is `throttled`: this conversation, or all of the account.
    """

    code: Code
    detail: str = ""
    after: timedelta | None = None
    scope: Scope = "account"
    maybe_sent: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A piece, and all that sending it takes."""

    lane: Lane
    head: Head
    entry: Entry
    channel: Channel
    account: Account

    @property
    def order(self) -> Outbound | Amend | HandOver:
        return self.head.message

    @property
    def message(self) -> Outbound:
        """The message that it is a piece of; a change of one is none."""
        if not isinstance(self.order, Outbound):
            raise TypeError("a change sends nothing")
        return self.order

    @property
    def able(self) -> Capabilities:
        return self.channel.capabilities_of(self.account)

    @property
    def route(self) -> Route | None:
        """What it may be sent by; what is good for one send is the first piece's."""
        route = self.message.route
        return None if route is None or (route.once and self.entry.number) else route

    def without_route(self) -> Job:
        message = self.message.model_copy(update={"route": None})
        return replace(self, head=replace(self.head, message=message))

    @property
    def in_public(self) -> bool:
        """Whether it goes where a channel takes other things than in messages: under a comment."""
        able, message = self.able, self.message
        return able.shown(message.surface, message.way) is able.comment

    @property
    def id(self) -> str:
        """The key under which a provider may know the piece."""
        return id_of(self.message, self.entry.number)

    @property
    def join_key(self) -> str:
        """By what its echo is known, if no answer comes."""
        return self.channel.join_key(_piece(self, ()))


@dataclass(slots=True)
class _Attempt:
    """How many requests that someone will see the effect of have begun to leave."""

    ledger: Ledger
    job: Job
    commits: int = 0

    async def before(self, request: Asked) -> None:
        """The lease outlives the call; and a process that was frozen meanwhile must not send after its lease has passed.

        Nor does anything leave by a route that expired while it waited for its turn.
        """
        if request.commits and (route := self.job.route) and route.expires_at <= datetime.now(UTC):
            raise RouteGone("it has expired")
        job, clock = self.job, asyncio.get_running_loop().time
        lease, asked = request.timeout + LEASE, clock()
        if not request.commits:
            await self.ledger.hold(job.lane, lease)
            return
        await self.ledger.sending(job.lane, job.order, job.entry.number, lease=lease)
        if clock() - asked > lease.total_seconds():
            raise Fenced(f"lane {job.lane.conversation}: the lease passed while the ledger answered")
        self.commits += 1


class Sender:
    """Sends one piece by its channel, or by the service's own way where `own` names the channel."""

    def __init__(
        self, parts: Parts, ledger: Ledger, *, own: Mapping[str, Own] = {}, amends: Mapping[str, OwnAmend] = {}
    ) -> None:
        self._ledger, self._caller, self._drive = ledger, parts.caller, parts.drive
        self._own, self._amends = own, amends

    def may_repeat(self, job: Job, now: datetime) -> bool:
        """Whether a piece that may have been sent can be sent again without a second one being seen.

        By a route that is good once it goes without a key of ours: what may have gone so is not repeated.
        """
        if job.channel.name in self._own:
            return True
        window, first = job.able.idempotent_for, job.entry.first_sent_at
        if (route := job.route) and route.once and (first is None or first < route.expires_at + SKEW):
            return False
        return window is not None and (first is None or now < first + window)

    async def send(self, job: Job) -> Outcome | Later:
        """How it ended, or that it should be tried later. Raises Fenced when the lane has another owner."""
        if isinstance(change := job.entry.part, Alteration):
            return await self._change(job, change)
        attempt = _Attempt(self._ledger, job)
        try:
            sent = await self._send(job, attempt)
        except Fenced:
            raise
        except AlreadySent as known:
            return Outcome(status="sent", external_ids=known.external_ids, join_key=known.join_key)
        except Exception as error:  # noqa: BLE001 whatever breaks ends as the outcome of this one piece
            if isinstance(error, RouteGone) and job.route:
                return await self.send(job.without_route())
            repeatable = self.may_repeat(job, datetime.now(UTC))
            return _outcome(_reason(error, job, begun=attempt.commits > 0), attempt.commits, repeatable=repeatable)
        return Outcome(status="sent", external_ids=sent.external_ids, join_key=sent.join_key, cost=sent.cost)

    async def _change(self, job: Job, change: Amendment | ThreadControl) -> Outcome | Later:
        """A change that may have been made is asked for again: that does no harm (docs/architecture.md, Sending)."""
        try:
            if isinstance(change, ThreadControl):
                await self._hand_over(job, change)
            else:
                await self._amend(job, change)
        except Fenced:
            raise
        except AlreadySent:
            pass
        except Exception as error:  # noqa: BLE001 whatever breaks ends as the outcome of this one change
            return _outcome(_reason(error, job, begun=False), 0, repeatable=True)
        return Outcome(status="sent", external_ids=change.external_ids if isinstance(change, PieceChange) else ())

    async def _amend(self, job: Job, change: Amendment) -> None:
        if isinstance(job.order, Amend) and (own := self._amends.get(job.channel.name)):
            async with asyncio.timeout(OWN_WAY):
                return await own(job.account, change, job.order)
        return await self._drive(partial(job.channel.change, job.account, change), self._patient(job))

    async def _hand_over(self, job: Job, control: ThreadControl) -> None:
        if job.channel.handover is None:
            raise Refusal("unsupported", f"{job.channel.name} has no threads to hand over")
        await self._drive(partial(job.channel.handover, job.account, control), self._patient(job))

    def _patient(self, job: Job) -> Principal:
        """Whoever is asked for a change: nobody sees a second one, so the lane is kept and that is all."""
        return _principal(job, lambda request: self._ledger.hold(job.lane, request.timeout + LEASE))

    async def _send(self, job: Job, attempt: _Attempt) -> Sent:
        if own := self._own.get(job.channel.name):
            async with asyncio.timeout(OWN_WAY):
                return await own(job.account, _piece(job, ()), job.message)
        if job.channel.outbound is None:
            raise Refusal("unsupported", f"{job.channel.name} cannot be written to")
        principal = _principal(job, attempt.before)
        piece = _piece(job, await self._handles(job, principal), grown=await self._grown(job))
        return await self._drive(partial(job.channel.outbound, job.account, piece), principal)

    async def _grown(self, job: Job) -> str | None:
        """What shows this answer already. While it is being shown nobody knows what will stand there, so the end waits for that."""
        if job.channel.grow is None or job.entry.number or job.message.attempt > 1:
            return None
        grown = await self._ledger.grown(job.message.id)
        if grown and grown.busy:
            raise SendFailed("unreachable", "the answer so far is being shown", retry_after=timedelta(seconds=1))
        return (grown.name or None) if grown else None

    async def _handles(self, job: Job, principal: Principal) -> Handles:
        """The provider's names of the piece's part and of the files that go along; None for what needs none."""
        part = job.entry.part
        files = (part.part, *part.files) if isinstance(part, Bundle) else (part,)
        if any(not belongs(file.blob, job.message.tenant) for file in files if isinstance(file, Media) and file.blob):
            raise Refusal("refused", "the file belongs to another tenant")
        return tuple([await self._handle(job, file, principal) for file in files])

    async def _handle(self, job: Job, part: object, principal: Principal) -> str | None:
        """What the provider calls a file; uploaded once per account, for as long as it lives there."""
        if not isinstance(part, Media) or part.blob is None or job.channel.upload is None or job.in_public:
            return None
        file = f"{part.blob}#{part.media}"  # a provider may not show as a picture what was uploaded as a file
        known = await self._ledger.handle(job.lane.account, file)
        if known is not None:
            return known
        size, most = await self._caller.size(part.blob), job.channel.capabilities_of(job.account).media_bytes
        if size > most:  # whatever who asked for it said
            raise Refusal("too_long", f"the file has {size} bytes; {most} are allowed")
        measured = part.model_copy(update={"size": size})
        made = await self._drive(partial(job.channel.upload, job.account, measured), principal)
        await self._ledger.keep_handle(job.lane.account, file, value=made.value, expires_in=made.expires_in)
        return made.value


def _principal(job: Job, before: Callable[[Asked], Awaitable[None]]) -> Principal:
    return Principal(
        channel=job.channel,
        account=job.account,
        peer=job.order.peer,
        before=before,
        traceparent=job.head.traceparent,
    )


def id_of(message: Outbound | Growing, number: int) -> str:
    return str(derive("piece", message.id, message.attempt, number))


def _piece(job: Job, handles: Handles, *, grown: str | None = None) -> Piece:
    part = job.entry.part
    if part is None or isinstance(part, Alteration):
        raise Malformed("a piece without content")
    piece = piece_of(job.message, part, job.able, number=job.entry.number)
    more = {"handle": handles[0] if handles else None, "handles": handles[1:]}
    return piece.model_copy(update={**more, "route": job.route.value if job.route else None, "grown": grown})


def piece_of(
    message: Outbound | Growing, part: Sendable, able: Capabilities, *, number: int, grown: str | None = None
) -> Piece:
    """What needs no upload and no route of it. The message answered is quoted once, by the first piece."""
    thread = message.thread
    quotes = number == 0 and able.shown(message.surface, message.way).reply_to
    return Piece(
        id=id_of(message, number),
        to=message.peer,
        part=part.part if isinstance(part, Bundle) else part,
        attachments=part.files if isinstance(part, Bundle) else (),
        surface=message.surface,
        way=message.way,
        reply_to=thread.reply_to if quotes else None,
        thread_key=thread.thread_key,
        subject=thread.subject,
        references=thread.references,
        thread_token=thread.token,
        grown=grown,
        automatic=not message.by_person,
    )


def _reason(error: Exception, job: Job, *, begun: bool) -> SendFailed:
    """Any error in the words of a refused send. An answer that cannot be read says nothing of what was done."""
    if isinstance(error, SendFailed):
        return error
    if isinstance(error, Refusal):
        return SendFailed(error.reason, error.detail)
    if isinstance(error, TimeoutError) or (isinstance(error, ParleyError) and error.retry):
        return SendFailed("unreachable", type(error).__name__)
    log.error("send.broke", channel=job.channel.name, message_id=str(job.order.id), exc_info=error)
    detail = error.detail if isinstance(error, Malformed) else type(error).__name__
    return SendFailed("unknown" if begun else "malformed", detail)


def _outcome(failed: SendFailed, commits: int, *, repeatable: bool) -> Outcome | Later:
    """What the rules of sending (docs/architecture.md) make of it. `commits`: how many requests with an effect had begun to leave."""
    maybe_sent = commits > (1 if failed.nothing_done or failed.reason == "throttled" else 0)
    if failed.reason not in {"throttled", "unreachable", "unknown"}:
        return Outcome(status="failed", failure=Failure(code=failed.reason, detail=failed.detail[:2000]))
    if maybe_sent and not repeatable:
        return Outcome(status="unknown", failure=Failure(code="unknown", detail=failed.detail[:2000]))
    code: Code = "throttled" if failed.reason == "throttled" else "unreachable"
    detail, after = failed.detail[:2000], failed.retry_after
    return Later(code=code, detail=detail, after=after, scope=failed.scope, maybe_sent=maybe_sent)
