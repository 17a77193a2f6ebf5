"""When it is open: decent hours wherever a person may be, business hours, clocks that are set, public holidays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from services.router.fold.hours import Calendar, after, closing, open_time, opening
from shared.contract.policy import week_of

DAYTIME = ("mon-sun 08:00-21:00",)
OFFICE = ("mon-fri 08:00-12:00", "mon-fri 13:30-17:30")
ALWAYS = ("mon-sun 00:00-24:00",)
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Asia/Phnom_Penh",
    "Australia/Lord_Howe",
    "America/Havana",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Etc/GMT+12",
    "+07:00",
    "-03:30",
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def there(text: str, zone: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("lines", "zone", "asked", "opens"),
    [
        pytest.param(DAYTIME, "Asia/Phnom_Penh", "2026-03-02T03:00", "2026-03-02T03:00", id="now"),
        pytest.param(DAYTIME, "Asia/Phnom_Penh", "2026-03-02T14:00", "2026-03-03T01:00", id="at nine in the evening"),
        pytest.param(DAYTIME, "+07:00", "2026-03-02T14:00", "2026-03-03T01:00", id="a distance from UTC"),
        pytest.param(OFFICE, "Asia/Phnom_Penh", "2026-03-06T10:30", "2026-03-09T01:00", id="behind the weekend"),
        pytest.param(OFFICE, "Asia/Phnom_Penh", "2026-03-02T05:00", "2026-03-02T06:30", id="behind noon"),
        pytest.param(ALWAYS, "America/Havana", "2026-11-01T05:30", "2026-11-01T05:30", id="always"),
        # clocks are set: the day after has another distance from UTC
        pytest.param(DAYTIME, "Europe/Berlin", "2026-03-28T20:30", "2026-03-29T06:00", id="forward in Berlin"),
        pytest.param(DAYTIME, "Europe/Berlin", "2026-10-24T20:30", "2026-10-25T07:00", id="back in Berlin"),
        pytest.param(DAYTIME, "America/New_York", "2026-03-08T02:30", "2026-03-08T12:00", id="forward in New York"),
        pytest.param(DAYTIME, "America/New_York", "2026-11-01T02:30", "2026-11-01T13:00", id="back in New York"),
        pytest.param(DAYTIME, "Australia/Lord_Howe", "2026-04-04T12:00", "2026-04-04T21:30", id="half an hour back"),
        # what no clock shows is the first after it; of what it shows twice the later begins
        pytest.param(("sun 02:30-04:00",), "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T01:00", id="jumped over"),
        pytest.param(("sun 02:30-04:00",), "Europe/Berlin", "2026-10-24T12:00", "2026-10-25T01:30", id="twice"),
        pytest.param(("sun 02:10-04:00",), "Australia/Lord_Howe", "2026-10-03T12:00", "2026-10-03T15:30", id="half"),
        pytest.param(("fri 08:00-17:00",), "Pacific/Apia", "2011-12-24T12:00", None, id="no such Friday"),
    ],
)
def test_the_first_open_instant_is_by_the_clock_of_its_own_day(
    lines: tuple[str, ...], zone: str, asked: str, opens: str | None
) -> None:
    within = timedelta(days=7) if opens is None else timedelta(days=14)
    assert opening([Calendar(lines, zone)], utc(asked), within=within) == (opens and utc(opens))


def test_holidays_are_those_of_the_place() -> None:
    """Khmer New Year of 2026 is from the 14th to the 16th of April; in Bavaria the 6th of January is one, in Berlin it is none."""
    khmer = Calendar(DAYTIME, "Asia/Phnom_Penh", "KH")
    assert opening([khmer], there("2026-04-13T21:00", "Asia/Phnom_Penh")) == there(
        "2026-04-17T08:00", "Asia/Phnom_Penh"
    )
    for place, day in (("DE-BY", "07"), ("DE-BE", "06")):
        there_ = Calendar(DAYTIME, "Europe/Berlin", place)
        opens = opening([there_], there("2026-01-05T22:00", "Europe/Berlin"))
        assert opens == there(f"2026-01-{day}T08:00", "Europe/Berlin")


def test_where_somebody_may_be_in_several_zones_it_is_decent_in_all_of_them() -> None:
    both = [Calendar(DAYTIME, zone) for zone in ("Europe/Berlin", "Asia/Phnom_Penh")]
    assert opening(both, utc("2026-03-02T02:00")) == utc("2026-03-02T07:00")
    assert closing(both, utc("2026-03-02T07:00")) == utc("2026-03-02T14:00")
    never = [Calendar(("mon-sun 09:00-17:00",), zone) for zone in ("+00:00", "+12:00")]
    assert opening(never, utc("2026-03-02T02:00")) is None


def test_what_is_always_open_has_no_end() -> None:
    assert closing([Calendar(ALWAYS, "America/Havana")], utc("2026-10-31T12:00")) is None
    assert closing([], utc("2026-10-31T12:00")) is None


@pytest.mark.parametrize(
    ("calendar", "since", "until", "hours"),
    [
        pytest.param(Calendar(OFFICE, "+07:00"), "2026-03-06T10:00", "2026-03-09T02:00", 1.5, id="a weekend"),
        pytest.param(Calendar(OFFICE, "+07:00"), "2026-03-07T10:00", "2026-03-08T02:00", 0, id="only a weekend"),
        pytest.param(Calendar(ALWAYS, "Europe/Berlin"), "2026-03-28T23:00", "2026-03-29T22:00", 23, id="a short day"),
        pytest.param(Calendar(ALWAYS, "America/Havana"), "2026-11-01T04:00", "2026-11-02T05:00", 25, id="a long day"),
        pytest.param(
            Calendar(ALWAYS, "Pacific/Apia"), "2011-12-30T00:00", "2011-12-31T00:00", 24, id="a day that was not"
        ),
        pytest.param(
            Calendar(("mon 08:00-12:00", "mon 10:00-14:00"), "UTC"),
            "2026-03-02T00:00",
            "2026-03-03T00:00",
            6,
            id="twice said",
        ),
        pytest.param(Calendar(ALWAYS, "UTC"), "1970-01-01T00:00", "2026-03-03T00:00", 366 * 24, id="a clock that lies"),
        pytest.param(None, "2026-03-06T10:00", "2026-03-06T12:00", 2, id="no hours"),
        pytest.param(None, "2026-03-06T12:00", "2026-03-06T10:00", 0, id="turned round"),
    ],
)
def test_open_time_is_what_passes_on_the_clock_that_runs(
    calendar: Calendar | None, since: str, until: str, hours: float
) -> None:
    assert open_time(calendar, utc(since), utc(until)) == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("since", "minutes", "when"),
    [
        ("2026-03-06T10:00", 30, "2026-03-06T10:30"),
        ("2026-03-06T10:00", 31, "2026-03-09T01:01"),
        ("2026-03-08T10:00", 300, "2026-03-09T07:30"),
    ],
)
def test_minutes_pass_while_it_is_open(since: str, minutes: int, when: str) -> None:
    assert after(Calendar(OFFICE, "+07:00"), utc(since), timedelta(minutes=minutes)) == utc(when)


def test_what_takes_for_ever_ends_after_ten_years() -> None:
    since = utc("2026-03-06T10:00")
    assert after(Calendar(("mon 08:00-08:01",), "UTC"), since, timedelta(days=365)) == since + 10 * timedelta(days=366)


# any hours anywhere ----------------------------------------------------------------------------------------------------


def is_open(calendar: Calendar, moment: datetime) -> bool:
    """Looked at otherwise: what the clock there shows, by the minute. Of what it shows twice this knows nothing."""
    zone = calendar.zone
    sign, distance = -1 if zone[0] == "-" else 1, zone[1:].split(":")
    if zone[0] in "+-":
        shown = moment + sign * timedelta(hours=int(distance[0]), minutes=int(distance[1]))
    else:
        shown = moment.astimezone(ZoneInfo(zone))
    minute = shown.hour * 60 + shown.minute
    return any(begin <= minute < end for begin, end in week_of(calendar.lines)[shown.weekday()])


def is_shown_twice(calendar: Calendar, moment: datetime) -> bool:
    """Within a day of a clock's being set back, where the later of two begins and the earlier ends."""
    if calendar.zone[0] in "+-":
        return False
    zone = ZoneInfo(calendar.zone)
    before, later = ((moment + timedelta(days=days)).astimezone(zone).utcoffset() for days in (-1, 1))
    return before is not None and later is not None and later < before


LINES = st.builds(
    lambda day, begin, lasts: (
        f"{day} {begin // 60:02}:{begin % 60:02}-{(begin + lasts) // 60:02}:{(begin + lasts) % 60:02}"
    ),
    st.sampled_from(["mon-fri", "sat-sun", "mon-sun", "wed"]),
    st.integers(0, 22 * 60),
    st.integers(1, 2 * 60),
) | st.sampled_from([*DAYTIME, *OFFICE, *ALWAYS])
CALENDARS = st.builds(Calendar, st.lists(LINES, min_size=1, max_size=3).map(tuple), st.sampled_from(ZONES))
MOMENTS = st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: utc("2025-06-01") + timedelta(minutes=minutes))


@settings(max_examples=60, deadline=None)
@given(st.lists(CALENDARS, min_size=1, max_size=3), MOMENTS)
def test_the_answer_is_open_everywhere_and_nothing_before_it_is(calendars: list[Calendar], asked: datetime) -> None:
    within = timedelta(days=1)
    found = opening(calendars, asked, within=within)
    last = found or asked + within
    grid = [asked + timedelta(minutes=minutes) for minutes in range(int((last - asked).total_seconds()) // 60)]
    twice = any(is_shown_twice(calendar, moment) for calendar in calendars for moment in (asked, last))
    assert twice or not any(all(is_open(one, moment) for one in calendars) for moment in grid)
    if found:
        assert all(is_open(one, found) for one in calendars)
        ends = closing(calendars, found)
        if ends and not twice:
            assert not all(is_open(one, ends) for one in calendars)
            assert all(is_open(one, ends - timedelta(minutes=1)) for one in calendars)


@settings(max_examples=50, deadline=None)
@given(CALENDARS, MOMENTS, st.integers(1, 100))
def test_so_many_minutes_later_so_many_minutes_have_passed(calendar: Calendar, since: datetime, minutes: int) -> None:
    waited = timedelta(minutes=minutes)
    assert open_time(calendar, since, after(calendar, since, waited)) == waited


def test_hours_that_touch_are_one() -> None:
    assert week_of(("fri-mon 08:00-12:00", "sat 12:00-24:00", "nonsense"))[4:] == (
        ((480, 720),),
        ((480, 1440),),
        ((480, 720),),
    )
