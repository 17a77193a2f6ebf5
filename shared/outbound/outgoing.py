"""A lane's messages, one after the other: cut into pieces, each sent, its end written down before the next."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from shared.contract.channel import Account, Amendment, Channel, ThreadControl
from shared.contract.codes import Code, Failure
from shared.contract.deliveries import Amend, HandOver, Order, Outbound
from shared.contract.errors import Fenced, Refusal
from shared.contract.fit import Sendable, fit
from shared.outbound.amending import amendments, thread_control
from shared.outbound.lanes import Lane, patiently
from shared.outbound.ledger import CANCELLED, OPEN, Entry, Head, Ledger, Outcome
from shared.outbound.sending import Job, Later, Sender
from shared.provider.parts import Parts
from shared.provider.workers import Blocked
from shared.runtime.observe import CHANGES, SENDS, THROTTLED

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How patiently a message that cannot go now is tried again."""

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(minutes=5)
    give_up: timedelta = timedelta(hours=24)

    def pause(self, tries: int) -> timedelta:
        """Doubling, with jitter, so that what failed together does not come back together."""
        return timedelta(seconds=self._seconds(tries) * random.uniform(0.75, 1.25))

    def _seconds(self, tries: int) -> float:
        return min(self.longest.total_seconds(), self.first.total_seconds() * 2.0 ** min(tries, 20))


Noticed = Callable[[str, str, Failure | None], None]


class Outgoing:
    """Works on one claimed lane at a time. `news` is called when a piece has ended, `noticed` with what a send told of
    the account itself: its token was refused, or it works.
    """

    def __init__(
        self,
        parts: Parts,
        ledger: Ledger,
        sender: Sender,
        *,
        blocked: Blocked,
        pace: Pace,
        news: Callable[[], None],
        noticed: Noticed,
    ) -> None:
        self._route, self._ledger, self._sender = parts.route, ledger, sender
        self._blocked, self._pace, self._news, self._noticed = blocked, pace, news, noticed
        self.stopping = False

    async def work(self, lane: Lane) -> None:
        """Until the lane is empty, put off, or someone else's."""
        structlog.contextvars.bind_contextvars(conversation=str(lane.conversation))
        try:
            await self._work(lane)
        except Fenced as error:
            log.info("lane.lost", error=str(error))
        except Exception:
            log.exception("lane.broke")
            await patiently(self._ledger.postpone, lane, self._pace.longest, tried=True)

    async def _work(self, lane: Lane) -> None:
        while not self.stopping:
            head = await patiently(self._ledger.head, lane)
            if head is None:
                return
            pause = await self._send(lane, head)
            if pause is not None:
                await patiently(self._ledger.postpone, lane, pause, tried=True)
                return
            lane = replace(lane, tries=0)
        await patiently(self._ledger.postpone, lane, timedelta(0), tried=False)

    async def _send(self, lane: Lane, head: Head) -> timedelta | None:
        """The lane's first message as far as it goes. A pause: it cannot go on before then."""
        message = head.message
        route = self._route(message.tenant, message.channel, message.account)
        if route is None:
            await self._end(lane, message, _failed("unknown_account", "add it to the accounts file"))
            return None
        if _untouched(head) and (end := _called_off(head)):
            await self._end(lane, message, end)
            return None
        if (
            isinstance(message, Amend)
            and message.change == "seen"
            and await patiently(self._ledger.is_followed, message)
        ):
            await self._end(lane, message, Outcome(status="sent", external_ids=tuple(*message.names[:1])))
            return None
        try:
            entries = head.entries or await self._cut(lane, message, *route)
        except Refusal as refusal:
            await self._end(lane, message, _failed(refusal.reason, refusal.detail))
            return None
        return await self._send_pieces([Job(lane, head, entry, *route) for entry in entries])

    async def _cut(
        self, lane: Lane, message: Outbound | Amend | HandOver, channel: Channel, account: Account
    ) -> tuple[Entry, ...]:
        able = channel.capabilities_of(account).shown(message.surface, message.way)
        parts: Sequence[Sendable | Amendment | ThreadControl]
        if isinstance(message, HandOver):
            parts = [thread_control(message, able)]
        elif isinstance(message, Amend):
            sent_from_here = [] if message.names else await patiently(self._ledger.names, message.message)
            parts = amendments(message, able, message.names or sent_from_here)
        else:
            parts = fit(message.parts, able).pieces
        return await patiently(self._ledger.cut, lane, message, parts)

    async def _send_pieces(self, jobs: list[Job]) -> timedelta | None:
        """In order. Behind a failed piece nothing is sent; an unknown one is reported, and the next ones go on."""
        for job in jobs:
            if job.entry.status not in OPEN:
                continue
            end = await self._send_piece(job)
            if isinstance(end, timedelta):
                return end
            if end.status == "failed":
                break
        return None

    async def _send_piece(self, job: Job) -> Outcome | timedelta:
        end = await self._try(job)
        if isinstance(end, Later):
            return await self._put_off(job, end)
        if isinstance(end, Outcome):
            await self._settle(job.lane, job.order, job.entry.number, _told(job, end))
        return end

    async def _try(self, job: Job) -> Outcome | Later | timedelta:
        """What another owner left at `sending` may have been sent: never again, unless that does no harm."""
        if job.entry.status == "sending" and not self._sender.may_repeat(job, datetime.now(UTC)):
            return _unknown("the process that sent it ended before the answer came")
        if wait := self._blocked.wait(job.lane.account):
            return wait
        return await self._sender.send(job)

    async def _put_off(self, job: Job, later: Later) -> Outcome | timedelta:
        """How long to wait; or the end, where that would be too long."""
        pause = later.after or self._pace.pause(job.lane.tries)
        if later.code == "throttled":
            self._slow_down(job, later, pause)
        why = Failure(code=later.code, detail=later.detail)
        await patiently(
            self._ledger.put_off, job.lane, job.order, job.entry.number, why=why, maybe_sent=later.maybe_sent
        )
        if datetime.now(UTC) + pause <= self._last_moment(job, later):
            return pause
        end = _unknown(later.detail) if later.maybe_sent else _failed(later.code, later.detail)
        await self._settle(job.lane, job.order, job.entry.number, _told(job, end))
        return end

    def _slow_down(self, job: Job, later: Later, pause: timedelta) -> None:
        """The lane itself waits as long; the others of its account only where the throttle is the account's."""
        THROTTLED.labels(job.channel.name, later.scope).inc()
        if later.scope == "account":
            self._blocked.block(job.lane.account, pause)

    def _last_moment(self, job: Job, later: Later) -> datetime:
        moments = [job.head.received_at + self._pace.give_up]
        if job.order.not_after:
            moments.append(job.order.not_after)
        window = job.able.idempotent_for
        if later.maybe_sent and window:
            moments.append((job.entry.first_sent_at or datetime.now(UTC)) + window)
        return min(moments)

    async def _end(self, lane: Lane, message: Order, outcome: Outcome) -> None:
        await patiently(self._ledger.end, lane, message, outcome)
        self._tell(message, outcome)

    async def _settle(self, lane: Lane, message: Order, number: int, outcome: Outcome) -> None:
        await patiently(self._ledger.settle, lane, message, number, outcome)
        self._tell(message, outcome)

    def _tell(self, message: Order, outcome: Outcome) -> None:
        if isinstance(message, Amend | HandOver):
            CHANGES.labels(message.channel, message.change, outcome.status).inc()
        else:
            SENDS.labels(message.channel, outcome.status).inc()
        if outcome.status == "sent" or (outcome.failure and outcome.failure.code == "auth"):
            self._noticed(message.channel, message.account, outcome.failure)
        self._news()


def _untouched(head: Head) -> bool:
    return all(entry.status == "queued" for entry in head.entries)


def _called_off(head: Head) -> Outcome | None:
    """Why it is not begun: it is taken back, or its time is over."""
    if head.cancelled:
        return CANCELLED
    late = head.message.not_after is not None and head.now > head.message.not_after
    return _too_late(head) if late else None


def _too_late(head: Head) -> Outcome:
    """What was tried in time has failed by what kept it; what never had its turn has expired."""
    why = next((entry.put_off for entry in head.entries if entry.put_off), None)
    if why:
        return Outcome(status="failed", failure=why)
    return Outcome(status="expired", failure=Failure(code="expired"))


def _failed(code: Code, detail: str = "") -> Outcome:
    return Outcome(status="failed", failure=Failure(code=code, detail=detail))


def _told(job: Job, outcome: Outcome) -> Outcome:
    """Of an unknown piece the report names the key by which its echo is known, which then says that it was sent."""
    return replace(outcome, join_key=job.join_key) if outcome.status == "unknown" else outcome


def _unknown(detail: str) -> Outcome:
    return Outcome(status="unknown", failure=Failure(code="unknown", detail=detail))
