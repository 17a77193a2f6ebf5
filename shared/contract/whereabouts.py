"""What language somebody reads and what time it may be where they are, by what a record says of them: hints, never more."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import phonenumbers
from icu4py.locale import Locale
from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_number

from shared.contract.envelope import Party
from shared.contract.identities import PHONE

OFFSET: Final = re.compile(r"[+-](?:0\d|1[0-4]):[0-5]\d")
LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,4}")


class Whereabouts(NamedTuple):
    """`language`: ISO 639. `region`: ISO 3166. `zones`: of the IANA database, or the distance from UTC (+07:00): the one that the
    provider tells; else all that the phone number's region has, in each of which it must be a decent hour.
    """

    language: str | None = None
    region: str | None = None
    zones: tuple[str, ...] = ()


def whereabouts_of(party: Party) -> Whereabouts:
    """A proved number says more than one that was typed, and a number more than the region of a locale, which devices come with."""
    language, country = _read_locale(party.locale or "")
    numbers = (*(proof.value for proof in party.proofs if proof.kind == PHONE), *filter(None, (party.phone,)))
    region, zones = next(filter(any, map(_of_number, numbers)), (None, ()))
    told = party.time_zone if party.time_zone and is_zone(party.time_zone) else None
    return Whereabouts(language, region or country, (told,) if told else zones)


@lru_cache(maxsize=512)
def is_zone(name: str) -> bool:
    """Whether a time of day can be told by it."""
    if OFFSET.fullmatch(name):
        return True
    try:
        return bool(ZoneInfo(name).key)
    except (KeyError, OSError, ValueError):  # none of this name; a folder's; one that leads out of the database
        return False


@lru_cache(maxsize=512)
def holidays_in(place: str, year: int) -> frozenset[date] | None:
    """The public holidays of a country, or of a part of one (ISO 3166: KH, DE-BY), with the days that stand in for them. None: not known."""
    import holidays  # half a second, for those only who have a use for it

    country, _, part = place.partition("-")
    try:
        return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))
    except NotImplementedError:
        return None


@lru_cache(maxsize=512)
def _read_locale(name: str) -> tuple[str | None, str | None]:
    if not LOCALE.fullmatch(name):
        return None, None
    read = Locale(name)
    country = read.country or ""
    return read.language or None, country if len(country) == 2 else None


@lru_cache(maxsize=1024)
def _of_number(number: str) -> tuple[str | None, tuple[str, ...]]:
    """Of a number in E.164; of what is none nothing."""
    try:
        read = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None, ()
    zones = tuple(zone for zone in time_zones_for_number(read) if zone != UNKNOWN_TIMEZONE)
    return phonenumbers.region_code_for_number(read), zones
