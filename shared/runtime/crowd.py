"""Who is connected to an HTTP port, and how much of it one address may take before anybody knows who that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Protocol

from shared.contract.errors import Crowded, Misconfigured

CONNECTIONS: Final = 4096  # of one port
SHARE: Final = 256  # connections of one address
PROVEN: Final = 3072  # connections that count with a name that they proved; the rest of the port stays for who comes
SMALL: Final = 64 * 1024  # bytes of a body that are kept room for, whatever others have under way
LARGE: Final = 48 * 1024 * 1024  # bytes of larger bodies under way
OF_ONE: Final = 12 * 1024 * 1024  # of them, from one address

Network = IPv4Network | IPv6Network


class Guest(Protocol):
    """A connection. `waiting`: it has not yet sent what it came for."""

    address: str

    @property
    def waiting(self) -> bool: ...

    def dismiss(self) -> None: ...


def place_of(address: str) -> str:
    """What counts as one address: IPv4, IPv4 mapped into IPv6, and of IPv6 the /64 that one household is given (RFC 6177)."""
    found = read_address(address)
    if found is None:
        return address or "unknown"
    return str(ip_network((int(found), 64), strict=False).network_address) if found.version == 6 else str(found)


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Of `203.0.113.5`, `2001:db8::1`, and of both with a port behind them, as some proxies write them (RFC 7239 §6); what is
    mapped into IPv6 as IPv4. None for what is no address.
    """
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def networks(setting: str, name: str = "PARLEY_TRUSTED_PROXIES") -> tuple[Network, ...]:
    """The networks of a setting, which has this name. Raises Misconfigured."""
    try:
        return tuple(ip_network(part.strip()) for part in setting.split(",") if part.strip())
    except ValueError as error:
        raise Misconfigured(f"{name}: {error}.") from error


def sender(peer: str, forwarded: Sequence[str], trusted: Iterable[Network]) -> str:
    """Who asks: the peer; where that is a trusted proxy, the last hop of X-Forwarded-For that is none."""
    hops = [*(hop.strip() for line in forwarded for hop in line.split(",")), peer]
    known = tuple(trusted)
    while len(hops) > 1 and is_within(hops[-1], known):
        hops.pop()
    return place_of(hops[-1])


def is_within(address: str, known: Iterable[Network]) -> bool:
    """Whether one of the networks has the address; what is none is in none."""
    found = read_address(address)
    return found is not None and any(found in network for network in known)


class Crowd:
    """Connections by address. Who comes when an address, or the port, has its share takes the place of one that waits.

    A proxy that is trusted brings many people, so it has no share; what they send is counted by their own addresses.
    """

    def __init__(self, trusted: Sequence[Network] = (), *, connections: int = CONNECTIONS, share: int = SHARE) -> None:
        self._trusted, self._most, self._share = tuple(trusted), connections, share
        self._guests: dict[str, dict[Guest, None]] = {}  # the oldest first
        self._count = 0
        self._proven: set[Guest] = set()

    def sender(self, peer: str, forwarded: Sequence[str]) -> str:
        return sender(peer, forwarded, self._trusted)

    def admit(self, guest: Guest) -> bool:
        """Whether there is room for this connection; it must `leave`."""
        own = self._guests.get(guest.address, {})
        if len(own) >= self._share and not is_within(guest.address, self._trusted) and not self._free_one(own):
            return False
        if self._count >= self._most and not self._free_one(self._largest()):
            return False
        self._guests.setdefault(guest.address, {})[guest] = None
        self._count += 1
        return True

    def vouch(self, guest: Guest, name: str) -> bool:
        """It has proved its name, with whose connections it counts from now on: its address, which may be that of a proxy
        that nobody has named, is free for others. False: as many have as may, and it stays with its address.
        """
        own = self._guests.get(guest.address, {})
        if guest not in own or len(self._proven) >= PROVEN:
            return False
        self.leave(guest)
        guest.address = name
        self._guests.setdefault(name, {})[guest] = None
        self._count += 1
        self._proven.add(guest)
        return True

    def leave(self, guest: Guest) -> None:
        self._proven.discard(guest)
        own = self._guests.get(guest.address, {})
        if guest in own:
            del own[guest]
            self._count -= 1
            if not own:
                del self._guests[guest.address]

    def _largest(self) -> dict[Guest, None]:
        return max(self._guests.values(), key=len, default={})

    def _free_one(self, guests: Iterable[Guest]) -> bool:
        for guest in tuple(guests):
            if guest.waiting:
                guest.dismiss()
                self.leave(guest)
                return True
        return False


class Budget:
    """Bytes of bodies that are under way: small ones always, larger ones within a share of their address and of all."""

    def __init__(self, *, large: int = LARGE, of_one: int = OF_ONE) -> None:
        self._large, self._of_one = large, of_one
        self._by: Counter[str] = Counter()
        self._all = 0

    @contextmanager
    def open(self, address: str) -> Iterator[Held]:
        """For one body; what it has taken is given back at the end."""
        held = Held(self, address)
        try:
            yield held
        finally:
            self._move(address, -held.counted)

    def may(self, address: str, more: int) -> bool:
        return self._all + more <= self._large and self._by[address] + more <= self._of_one

    def _move(self, address: str, size: int) -> None:
        self._all += size
        self._by[address] += size
        if not self._by[address]:
            del self._by[address]


class Held:
    """What one body has taken. `counted`: all of it, once it is no longer small."""

    def __init__(self, budget: Budget, address: str) -> None:
        self._budget, self._address = budget, address
        self.size = self.counted = 0

    def take(self, more: int) -> None:
        """Raises Crowded."""
        self.size += more
        if self.size <= SMALL:
            return
        wanted = self.size - self.counted
        if not self._budget.may(self._address, wanted):
            raise Crowded("too many large bodies are under way")
        self._budget._move(self._address, wanted)
        self.counted += wanted
