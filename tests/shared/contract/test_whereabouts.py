"""Language, region and time of day by what a record says: as sure as it is, and nothing of what is nonsense."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contract.envelope import Party, Proof
from shared.contract.whereabouts import Whereabouts, is_zone, whereabouts_of


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({}, ()),
        ({"locale": "km-KH"}, ("km", "KH")),
        ({"locale": "zh_Hant_TW"}, ("zh", "TW")),
        ({"locale": "en-US", "phone": "+85512345678"}, ("en", "KH", ("Asia/Phnom_Penh",))),
        ({"phone": "+85512345678", "time_zone": "Europe/Berlin"}, (None, "KH", ("Europe/Berlin",))),
        ({"time_zone": "+07:00"}, (None, None, ("+07:00",))),
        ({"phone": "012 345 678"}, ()),
        ({"phone": "9" * 5000, "locale": "x" * 5000, "time_zone": "../../etc/passwd"}, ()),
        ({"locale": "!!", "time_zone": "Asia/Nowhere"}, ()),
        ({"locale": "es-419"}, ("es",)),
    ],
)
def test_what_is_said_is_taken_for_what_it_is_worth(told: dict[str, Any], found: tuple[Any, ...]) -> None:
    assert whereabouts_of(Party(address="1", **told)) == Whereabouts(*found)


def test_a_number_of_many_zones_is_in_any_of_them() -> None:
    zones = whereabouts_of(Party(address="1", phone="+79161234567")).zones
    assert {"Europe/Moscow", "Asia/Kamchatka"} < {*zones}
    assert all(map(is_zone, zones))


def test_a_proved_number_says_more_than_one_that_was_typed() -> None:
    proof = Proof(kind="phone", value="+85512345678", by="provider")
    assert whereabouts_of(Party(address="1", phone="+4930123456", proofs=(proof,))).region == "KH"


@pytest.mark.parametrize("name", ["", "/", "Asia", "Asia/", "+7", "+15:00", "07:00", "a" * 5000, "Asia/Phnom\x00Penh"])
def test_what_is_no_zone_tells_no_time(name: str) -> None:
    assert not is_zone(name)
