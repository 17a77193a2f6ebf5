"""The profile worker: asks a provider who someone is, where messages do not say it, once for many of them and after them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog

from shared.bus import cloudevents
from shared.bus.cloudevents import In, Out
from shared.contract.deliveries import ProfileUpdate
from shared.contract.envelope import Party, derive, scrub
from shared.contract.errors import DatabaseUnavailable, ParleyError, SendFailed
from shared.contract.records import inbound_topic
from shared.enrich import profilejobs
from shared.enrich.profilejobs import Answer, ProfileJob
from shared.provider import calls
from shared.provider.parts import Parts
from shared.provider.workers import Blocked, Workers
from shared.runtime.lasting import keep
from shared.runtime.observe import PROFILES

log = structlog.get_logger(__name__)

AT_ONCE: Final = 2  # people of one account that one process asks about; they share its rate with what is sent
KNOWN: Final = timedelta(days=7)  # until someone who writes is asked about again
NOT_TOLD: Final = timedelta(hours=6)  # the same, where the provider did not say who it is
GIVE_UP: Final = timedelta(days=1)
LONGEST: Final = 600.0  # seconds between two tries
SWEEP: Final = 3600.0  # seconds
PASSING: Final = frozenset({"throttled", "unreachable", "unknown"})
TELLING: Final = frozenset({"name", "phone", "email", "locale", "time_zone"})  # beside the address, which was known


class ProfileWorker:
    """The errand of names (shared.enrich.afterwards). An answer becomes a `profile` record with the message's key."""

    def __init__(self, parts: Parts, *, first_pause: float = 2.0, give_up: timedelta = GIVE_UP) -> None:
        self._topic = parts.settings.topic(inbound_topic(parts.family))
        self._source = f"/adapter/{parts.family}/profiles"
        self._parts, self._pool, self._producer = parts, parts.pool, parts.producer
        self._first_pause, self._give_up = first_pause, give_up
        self._asked = {name.encode() for name, channel in parts.channels.items() if channel.profile}
        self._blocked = Blocked()
        self._workers = Workers(
            "profiles",
            parts,
            claim=partial(profilejobs.claim, parts.pool),
            work=self._work,
            at_once=AT_ONCE,
            blocked=self._blocked,
        )

    def wants(self, record: Any) -> bool:
        """Whether it is of a channel that can be asked: its name stands in the record's key."""
        place = (record.key or b"").split(b"|", 2)
        return len(place) > 1 and place[1] in self._asked

    async def note(self, records: Sequence[In]) -> None:
        """A job for everyone who is not known, of the channels that can be asked."""
        if await profilejobs.add(self._pool, [one for one in records if one.model.channel.encode() in self._asked]):
            self._workers.wake()

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                keep(group, self._workers.run(), "profiles")
                keep(group, self._sweep(), "profiles sweep")
        finally:
            await self._workers.finish(0)

    async def _work(self, job: ProfileJob) -> None:
        try:
            answer = job.answer or await self._ask(job)
            if answer is None:
                await self._not_told(job, "nothing")
            else:
                await self._tell(job, answer)
        except SendFailed as failed:
            await self._quietly(self._failed(job, failed))
        except DatabaseUnavailable as error:
            log.warning("profile.left", error=str(error))
        except ParleyError as error:
            if error.retry:
                await self._quietly(profilejobs.put_off(self._pool, job, self._pause(job)))
            else:
                await self._quietly(self._not_told(job, error.code))
        except Exception:
            log.exception("profile.broke", channel=job.account[0])
            await self._quietly(self._not_told(job, "unknown"))

    async def _ask(self, job: ProfileJob) -> Answer | None:
        """The answer, kept; None where the provider says nothing of them."""
        channel, account = self._parts.route(job.tenant, *job.account) or (None, None)
        if channel is None or account is None or channel.profile is None:
            raise SendFailed("unknown_account", "the account is no longer in the accounts file")
        principal = calls.Principal(channel=channel, account=account, traceparent=job.traceparent)
        found = await self._parts.drive(partial(channel.profile, account, job.address, job.peer), principal)
        told = scrub(found.model_dump(exclude_none=True))
        if TELLING.isdisjoint(told):
            return None
        return await profilejobs.keep(self._pool, job, Party.model_validate(told))

    async def _tell(self, job: ProfileJob, answer: Answer) -> None:
        """On the bus first, then done: a crash between them tells it twice, with the same id."""
        channel, account = job.account
        update = ProfileUpdate(
            tenant=job.tenant,
            channel=channel,
            account=account,
            peer=job.peer,
            party=answer.party,
            occurred_at=answer.at,
        )
        await self._producer.send(self._record(job, update))
        PROFILES.labels(channel, "told").inc()
        await profilejobs.finish(self._pool, job, good_for=KNOWN)

    def _record(self, job: ProfileJob, update: ProfileUpdate) -> Out:
        headers = cloudevents.headers(
            "profile",
            source=self._source,
            id=str(derive("profile", *job.row, update.occurred_at)),
            time=update.occurred_at,
            tenant=job.tenant,
            subject="/".join(job.account),
            traceparent=cloudevents.next_span(job.traceparent),
        )
        return Out(topic=self._topic, key=job.key, value=cloudevents.encode(update), headers=headers)

    async def _failed(self, job: ProfileJob, failed: SendFailed) -> None:
        """What passes is tried again; any other no stands for a while. What the provider said may name the person."""
        pause = failed.retry_after or self._pause(job)
        if failed.reason not in PASSING or datetime.now(UTC) + pause > job.noted_at + self._give_up:
            log.info("profile.refused", channel=job.account[0], account=job.account[1], code=failed.reason)
            await self._not_told(job, failed.reason)
            return
        if failed.reason == "throttled" and failed.scope == "account":
            self._blocked.block(job.account, pause)
        PROFILES.labels(job.account[0], "put_off").inc()
        await profilejobs.put_off(self._pool, job, pause)

    def _pause(self, job: ProfileJob) -> timedelta:
        return timedelta(seconds=min(LONGEST, self._first_pause * 2.0**job.tries) * random.uniform(0.75, 1.25))

    async def _not_told(self, job: ProfileJob, why: str) -> None:
        PROFILES.labels(job.account[0], why).inc()
        await profilejobs.finish(self._pool, job, good_for=NOT_TOLD)

    async def _quietly(self, step: Awaitable[None]) -> None:
        """PostgreSQL away: the lease expires, and the job is done again."""
        try:
            await step
        except DatabaseUnavailable as error:
            log.warning("profile.left", error=str(error))

    async def _sweep(self) -> None:
        while True:
            await self._quietly(profilejobs.prune(self._pool))
            await asyncio.sleep(SWEEP)
