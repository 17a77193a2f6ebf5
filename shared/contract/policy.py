"""What is done with an account's conversations: its table [accounts.CHANNEL.NAME.policy], told on the account's state."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from shared.contract.envelope import PURPOSES, Model
from shared.contract.whereabouts import holidays_in, is_zone

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = "|".join(DAYS)
OPEN: Final = re.compile(rf"({_DAY})(?:-({_DAY}))? ([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
CAP: Final = re.compile(r"([a-z]+) ([1-9]\d{0,3})/(day|week)")
WITHIN: Final = {"day": timedelta(days=1), "week": timedelta(weeks=1)}
LONGEST: Final = max(WITHIN.values())
A_DAY: Final = 24 * 60

Minutes = tuple[int, int]  # of a day, from and until
Week = tuple[tuple[Minutes, ...], ...]  # of each day, Monday first; in order, none touches another


class Cap(NamedTuple):
    """So many of this purpose within any such time."""

    purpose: str
    most: int
    within: timedelta


@lru_cache(maxsize=512)
def week_of(lines: tuple[str, ...]) -> Week:
    """When it is open; a line of which nothing is known says nothing."""
    days: list[list[Minutes]] = [[] for _ in DAYS]
    for weekday, found in (one for line in lines for one in _read(line) or ()):
        days[weekday].append(found)
    return tuple(map(_joined, days))


def _read(line: str) -> list[tuple[int, Minutes]] | None:
    """Weekdays, each with its minutes. None: it says none."""
    if not (said := OPEN.fullmatch(line)):
        return None
    begin, end = int(said[3]) * 60 + int(said[4]), int(said[5]) * 60 + int(said[6])
    if not begin < end <= A_DAY:
        return None
    first = DAYS.index(said[1])
    days = (DAYS.index(said[2] or said[1]) - first) % len(DAYS) + 1
    return [((first + day) % len(DAYS), (begin, end)) for day in range(days)]


def _joined(found: Sequence[Minutes]) -> tuple[Minutes, ...]:
    joined: list[Minutes] = []
    for begin, end in sorted(found):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return tuple(joined)


@lru_cache(maxsize=512)
def caps_of(lines: tuple[str, ...]) -> tuple[Cap, ...]:
    """What may be sent at the most; a line of which nothing is known says nothing."""
    said = filter(None, map(CAP.fullmatch, lines))
    return tuple(Cap(one[1], int(one[2]), WITHIN[one[3]]) for one in said)


def ascending(minutes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(minutes)))


class Policy(Model):
    """As it travels: what a later version adds is passed over."""

    reopen_days: Annotated[
        int,
        Field(
            ge=0,
            le=3650,
            description="for how many days after it was closed a message reopens a conversation; one that comes later "
            "opens a new one, which names it (`linked`); 0: every message does",
        ),
    ] = 14
    close_after_hours: Annotated[
        int | None,
        Field(
            ge=1,
            le=24 * 3650,
            description="after how many hours without a message a conversation in which nobody waits is closed",
        ),
    ] = None
    waiting_minutes: Annotated[
        tuple[Annotated[int, Field(ge=1, le=60 * 24 * 365)], ...],
        Field(
            max_length=10,
            description="after how many minutes each `conversation.waiting` tells that somebody still waits for an answer",
        ),
        AfterValidator(ascending),
    ] = ()
    turn_seconds: Annotated[
        int | None,
        Field(
            ge=1,
            le=3600,
            description="after how many seconds without another message `conversation.turn` tells that a person's turn is over",
        ),
    ] = None
    zone: Annotated[
        str | None,
        Field(
            exclude_if=operator.not_,
            description="the time zone of `business_hours`, and of people of whom nobody knows where they are: `Asia/Phnom_Penh`",
        ),
    ] = None
    holidays: Annotated[
        str | None,
        Field(
            exclude_if=operator.not_,
            description="whose public holidays are no business days and not decent: a country, or a part of one (ISO 3166: "
            "`KH`, `DE-BY`); of a person whose phone number is another country's, that country's are not decent",
        ),
    ] = None
    decent_hours: Annotated[
        tuple[str, ...],
        Field(
            max_length=50,
            exclude_if=operator.not_,
            description="when people may be written to who have not asked (notifications and marketing), where they are: "
            '`["mon-fri 08:00-21:00", "sat 09:00-18:00"]`; at other times it waits, unless it is urgent; none: at any time',
        ),
    ] = ()
    business_hours: Annotated[
        tuple[str, ...],
        Field(
            max_length=50,
            exclude_if=operator.not_,
            description="when somebody answers, written in the same way; `waiting_minutes` are minutes of these then, and response "
            "times are told in them too; none: always",
        ),
    ] = ()
    caps: Annotated[
        tuple[str, ...],
        Field(
            max_length=20,
            exclude_if=operator.not_,
            description="how much of a purpose one person is sent at the most, within any day or week and by all accounts that "
            'have such a cap: `["marketing 1/day", "marketing 3/week"]`; what is more is refused (`capped`)',
        ),
    ] = ()

    @property
    def reopens_within(self) -> timedelta:
        return timedelta(days=self.reopen_days)


class PolicySettings(Policy):
    """As it is written: an unknown name is a mistake and refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, name: str | None) -> str | None:
        if name is not None and not is_zone(name):
            raise ValueError(f"{name!r} is no time zone: write one of the IANA database, like Asia/Phnom_Penh")
        return name

    @field_validator("holidays")
    @classmethod
    def _has_holidays(cls, place: str | None) -> str | None:
        if place is not None and holidays_in(place, 2000) is None:
            raise ValueError(
                f"nobody knows the public holidays of {place!r}: write a country of ISO 3166, like KH or DE-BY"
            )
        return place

    @field_validator("decent_hours", "business_hours")
    @classmethod
    def _are_hours(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        for line in lines:
            if _read(line) is None:
                raise ValueError(f'{line!r}: write days and hours like "mon-fri 08:00-17:30"; a night is two lines')
        return lines

    @field_validator("caps")
    @classmethod
    def _are_caps(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        for line in lines:
            said = CAP.fullmatch(line)
            if not said or said[1] not in PURPOSES:
                raise ValueError(f'{line!r}: write a purpose ({", ".join(PURPOSES)}) and how often: "marketing 3/week"')
        return lines

    @model_validator(mode="after")
    def _is_somewhere(self) -> PolicySettings:
        if (self.decent_hours or self.business_hours) and not self.zone:
            raise ValueError('hours without a zone: write where they are, zone = "Asia/Phnom_Penh"')
        return self
