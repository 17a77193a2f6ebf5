"""When it is open: the decent hours of a person wherever they may be, and the hours in which an account answers.

What is asked is always an instant, in the local time of its own day: today's distance from UTC says nothing of tomorrow's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from services.router.fold import identity
from services.router.fold.facts import Facts, Hint
from shared.contract.envelope import Party, utc
from shared.contract.errors import Refusal
from shared.contract.policy import Policy, week_of
from shared.contract.requests import Reply, Send
from shared.contract.whereabouts import holidays_in, is_zone, whereabouts_of

AHEAD: Final = timedelta(days=14)  # what may not be sent by then expires
LASTS: Final = timedelta(days=2)  # what is open for longer has no end that matters
LONGEST: Final = timedelta(days=366)  # over which hours are summed; a customer's clock may say 1970
DAY: Final = timedelta(days=1)
SECOND: Final = timedelta(seconds=1)

Span = tuple[datetime, datetime]  # from and until, both UTC


class Calendar(NamedTuple):
    """`lines`: of a policy's hours. `zone`: of the IANA database, or a distance from UTC. `holidays`: whose; "": nobody's."""

    lines: tuple[str, ...]
    zone: str
    holidays: str = ""


@lru_cache(maxsize=4096)
def open_on(calendar: Calendar, day: date) -> tuple[Span, ...]:
    """A day's hours as instants, in order."""
    if calendar.holidays and day in (holidays_in(calendar.holidays, day.year) or ()):
        return ()
    zone = _zone(calendar.zone)
    midnight = datetime.combine(day, time())
    spans = (
        (
            _instant(zone, midnight + timedelta(minutes=begin), begins=begin > 0),
            _instant(zone, midnight + timedelta(minutes=end)),
        )
        for begin, end in week_of(calendar.lines)[day.weekday()]
    )
    return tuple(span for span in spans if span[0] < span[1])


def _instant(zone: tzinfo, wall: datetime, *, begins: bool = False) -> datetime:
    """When a clock there shows it. What it never shows: the moment in which it jumps over it. What it shows twice: the later
    where hours begin, the earlier where they end, or a day does.
    """
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return second if begins else first
    before, after = second, first
    while after - before > SECOND:
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            after = middle
    return after


def _zone(name: str) -> tzinfo:
    if name[0] in "+-":
        distance = timedelta(hours=int(name[1:3]), minutes=int(name[4:]))
        return timezone(-distance if name[0] == "-" else distance)
    return ZoneInfo(name)


def opening(calendars: Sequence[Calendar], at: datetime, *, within: timedelta = AHEAD) -> datetime | None:
    """The first instant, `at` or later, that is open in all of them. None: none within that time."""
    moment, last = at, at + within
    while moment <= last:
        opens = max((_opens(calendar, moment, last) for calendar in calendars), default=moment)
        if opens == moment:
            return moment
        moment = opens
    return None


def _opens(calendar: Calendar, moment: datetime, last: datetime) -> datetime:
    """The first open instant of one; behind `last`, where there is none up to it."""
    day = moment.astimezone(_zone(calendar.zone)).date() - DAY
    while (found := next((span for span in open_on(calendar, day) if span[1] > moment), None)) is None:
        day += DAY
        if datetime.combine(day - DAY, time(), UTC) > last + DAY:
            return last + DAY
    return max(moment, found[0])


def closing(calendars: Sequence[Calendar], at: datetime) -> datetime | None:
    """Until when it stays open in all of them. None: it does for days."""
    ends = [end for calendar in calendars if (end := _closes(calendar, at)) is not None]
    return min(ends, default=None)


def _closes(calendar: Calendar, at: datetime) -> datetime | None:
    end = at
    for begin, until in _spans_until(calendar, at, at + LASTS):
        if begin > end:
            break
        end = max(end, until)
    return end if end < at + LASTS else None


def _spans_until(calendar: Calendar, since: datetime, until: datetime) -> Iterator[Span]:
    """All that is open between the two, in order."""
    zone = _zone(calendar.zone)
    day, last = since.astimezone(zone).date() - DAY, until.astimezone(zone).date() + DAY
    while day <= last:
        yield from (span for span in open_on(calendar, day) if span[1] > since and span[0] < until)
        day += DAY


def open_time(calendar: Calendar | None, since: datetime, until: datetime) -> timedelta:
    """How much of the time between is open: all, without a calendar; of more than a year the last year's."""
    if calendar is None:
        return max(until - since, timedelta())
    since = max(since, until - LONGEST)
    spans = _spans_until(calendar, since, until)
    return sum((min(end, until) - max(begin, since) for begin, end in spans), timedelta())


def after(calendar: Calendar | None, since: datetime, lasts: timedelta) -> datetime:
    """When so much open time has passed since then; where that takes more than ten years, then."""
    if calendar is None:
        return since + lasts
    left = lasts
    for begin, end in _spans_until(calendar, since, since + 10 * LONGEST):
        passes = end - max(begin, since)
        if passes >= left:
            return max(begin, since) + left
        left -= passes
    return since + 10 * LONGEST


# a person's ------------------------------------------------------------------------------------------------------------


def decent_at(facts: Facts, asked: Send, at: datetime) -> datetime | None:
    """The first instant, `at` or later, in which this may be sent: a decent hour wherever its person may be. None: none in two weeks."""
    return opening(_decent(facts, asked), at)


def put_off(facts: Facts, asked: Reply | Send) -> datetime | None:
    """Until when it waits for a decent hour. None: it need not, being an answer, urgent, or of a service. Raises Refusal where there
    is none before it expires.
    """
    if not isinstance(asked, Send) or asked.urgent:
        return None
    due = decent_at(facts, asked, facts.now)
    if due == facts.now:
        return None
    if due is None or (asked.expires_at is not None and asked.expires_at <= due):
        ends = f"it expires at {utc(asked.expires_at)}" if due and asked.expires_at else f"within {AHEAD.days} days"
        raise Refusal("expired", f"no decent hour where they are ({_zones(facts, asked)}): {ends}")
    return due


def last_moment(facts: Facts, asked: Reply | Send) -> datetime | None:
    """Until when it may leave: as long as it is decent, and has not expired."""
    ends = None if not isinstance(asked, Send) or asked.urgent else closing(_decent(facts, asked), facts.now)
    return min(filter(None, (ends, asked.expires_at)), default=None)


def overridden(facts: Facts, asked: Reply | Send) -> Mapping[str, str]:
    """What the event says of a message that leaves at another time, because it is urgent."""
    indecent = isinstance(asked, Send) and asked.urgent and decent_at(facts, asked, facts.now) != facts.now
    return {"despite": "decent_hours"} if indecent else {}


def check_zone(asked: Reply | Send) -> None:
    zone = asked.time_zone if isinstance(asked, Send) else None
    if zone is not None and not is_zone(zone):
        raise Refusal("malformed", f"time_zone: {zone!r} is none; write one of the IANA database, like Asia/Phnom_Penh")


def _zones(facts: Facts, asked: Send) -> str:
    return ", ".join(sorted({calendar.zone for calendar in _decent(facts, asked)}))


def _decent(facts: Facts, asked: Send) -> tuple[Calendar, ...]:
    """In all of which it must be decent to write to this person; none, where nobody minds."""
    policy = facts.policy(asked.tenant, asked.channel, asked.account)
    if asked.purpose == "service" or not policy.decent_hours:
        return ()
    person = facts.customers[identity.at(asked.tenant, asked.channel, asked.account, asked.address)]
    return _calendars(policy, frozenset(facts.hints.get(person, ())), asked.time_zone)


@lru_cache(maxsize=1024)
def _calendars(policy: Policy, hints: frozenset[Hint], told: str | None) -> tuple[Calendar, ...]:
    """By what says most of where they are: their providers; whoever asks; the regions of their numbers, every zone of them;
    else the account's own. A locale says what somebody reads, not where they are.
    """
    numbers = [whereabouts_of(Party(address=hint.number, phone=hint.number)) for hint in hints if hint.number]
    zones = (
        {hint.zone for hint in hints if hint.zone and is_zone(hint.zone)}
        or ({told} if told and is_zone(told) else set[str]())
        or {zone for found in numbers for zone in found.zones}
        or {zone for zone in (policy.zone,) if zone and is_zone(zone)}
        or {"UTC"}
    )
    own = policy.holidays or ""
    regions = {found.region for found in numbers if found.region} if own else set[str]()
    holidays = {own if own.startswith(region) else region for region in regions} or {own}
    return tuple(Calendar(policy.decent_hours, zone, place) for zone in sorted(zones) for place in sorted(holidays))


# an account's ----------------------------------------------------------------------------------------------------------


def business(policy: Policy) -> Calendar | None:
    """When somebody answers. None: always."""
    if not policy.business_hours or not policy.zone or not is_zone(policy.zone):
        return None
    return Calendar(policy.business_hours, policy.zone, policy.holidays or "")
