"""Shares of a port: who comes late takes the place of one that waits, and large bodies have room of their own."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from shared.contract.errors import Crowded, Misconfigured
from shared.runtime import crowd as crowd_module
from shared.runtime.crowd import Budget, Crowd, networks, place_of, sender

PROXIES = networks("10.0.0.0/8, fd00::/8")


@dataclass(eq=False)
class Guest:
    address: str
    waiting: bool = True
    dismissed: bool = False

    def dismiss(self) -> None:
        self.dismissed = True


def come(crowd: Crowd, *guests: Guest) -> list[bool]:
    return [crowd.admit(guest) for guest in guests]


def test_the_oldest_that_waits_gives_its_place_to_the_next_of_its_address() -> None:
    crowd = Crowd(share=2)
    working, waiting, next_one = Guest("a", waiting=False), Guest("a"), Guest("a")
    assert come(crowd, working, waiting, next_one) == [True, True, True]
    assert [guest.dismissed for guest in (working, waiting, next_one)] == [False, True, False]


def test_an_address_whose_whole_share_is_at_work_gets_no_more_and_others_do() -> None:
    crowd = Crowd(share=2)
    assert come(crowd, *(Guest("a", waiting=False) for _ in range(3)), Guest("b")) == [True, True, False, True]


def test_a_place_that_was_left_is_free() -> None:
    crowd = Crowd(share=1)
    first = Guest("a", waiting=False)
    crowd.admit(first)
    crowd.leave(first)
    crowd.leave(first)
    assert crowd.admit(Guest("a", waiting=False))


def test_a_full_port_takes_from_the_address_that_has_most() -> None:
    crowd = Crowd(connections=4, share=9)
    many, one = [Guest("a") for _ in range(3)], Guest("b")
    assert come(crowd, *many, one, Guest("c")) == [True] * 5
    assert [guest.dismissed for guest in (*many, one)] == [True, False, False, False]


def test_who_has_proved_a_name_takes_nothing_from_its_address_and_gives_its_place_back() -> None:
    crowd = Crowd(share=1)
    known = [Guest("a", waiting=False) for _ in range(3)]
    for guest in known:
        assert crowd.admit(guest)
        assert crowd.vouch(guest, "ann")
    assert come(crowd, Guest("a", waiting=False), Guest("a", waiting=False)) == [True, False]
    for guest in known:
        crowd.leave(guest)
    assert crowd._count == 1


def test_who_is_proven_leaves_room_on_the_port_and_who_has_left_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd_module, "PROVEN", 1)
    crowd = Crowd(share=9)
    first, second = Guest("a", waiting=False), Guest("a", waiting=False)
    come(crowd, first, second)
    assert [crowd.vouch(guest, "ann") for guest in (first, second)] == [True, False]
    crowd.leave(first)
    assert not crowd.vouch(first, "ann")
    assert crowd.vouch(second, "ann")


def test_a_trusted_proxy_brings_as_many_as_it_likes() -> None:
    assert all(come(Crowd(PROXIES, share=2), *(Guest("10.1.2.3", waiting=False) for _ in range(5))))


@pytest.mark.parametrize(
    ("peer", "forwarded", "wanted"),
    [
        ("203.0.113.5", ["198.51.100.1"], "203.0.113.5"),  # no proxy of ours: it may say what it likes
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["9.9.9.9, 198.51.100.1"], "198.51.100.1"),  # what stands before it was said by the stranger
        ("10.0.0.1", ["9.9.9.9", "198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("::ffff:10.0.0.1", ["2a00:1450:4001:81b::200e"], "2a00:1450:4001:81b::"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["nonsense"], "nonsense"),
        ("10.0.0.1", ["198.51.100.1:50123, 10.9.9.9:80"], "198.51.100.1"),  # some proxies name the port too
        ("10.0.0.1", ["[2a00:1450:4001:81b::200e]:443"], "2a00:1450:4001:81b::"),
        ("10.0.0.1", ["[::ffff:198.51.100.1]:443"], "198.51.100.1"),
    ],
)
def test_who_asks_is_the_last_hop_that_is_no_proxy_of_ours(peer: str, forwarded: list[str], wanted: str) -> None:
    assert sender(peer, forwarded, PROXIES) == wanted


def test_a_household_s_ipv6_addresses_are_one_and_a_mapped_one_is_its_ipv4() -> None:
    assert place_of("2a00:1450:4001:81b::1") == place_of("2a00:1450:4001:81b:ffff::2") == "2a00:1450:4001:81b::"
    assert place_of("::ffff:203.0.113.5") == "203.0.113.5"
    assert place_of("fe80::1%eth0") == "fe80::"


def test_networks_that_are_none_are_told_by_the_setting() -> None:
    with pytest.raises(Misconfigured, match="PARLEY_TRUSTED_PROXIES"):
        networks("10.0.0.0/8, somewhere")


def test_large_bodies_have_a_share_and_small_ones_always_room() -> None:
    budget = Budget(large=300_000, of_one=200_000)
    with budget.open("a") as first, budget.open("a") as second, budget.open("b") as other, budget.open("a") as small:
        first.take(150_000)
        small.take(60_000)
        with pytest.raises(Crowded):
            second.take(100_000)
        other.take(100_000)
        with pytest.raises(Crowded):
            other.take(100_000)
    with budget.open("a") as again:
        again.take(200_000)
