"""Where a token may be shown: an address that a provider's answer or a message names is not yet the provider's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from shared.contract.calls import Http

UNSEEN: Final = re.compile(r"[\x00-\x20\x7f\\]")  # what some readers of addresses pass over, and others not


def is_trusted(url: str, home: str, hosts: Iterable[str], *, scheme: str = "https") -> bool:
    """Whether a token may go there: to where the account's API is (`home`), or by TLS and on its own port to one of `hosts`,
    of which `.slack.com` is whatever stands below it. A name before the host, or a host that is only like one, is not.
    """
    if UNSEEN.search(url):
        return False
    try:
        there, here = urlsplit(url), urlsplit(home)
    except ValueError:  # half an IPv6 address
        return False
    if (there.scheme, there.netloc) == (here.scheme, here.netloc):
        return True
    host = there.netloc.lower()
    known = (host == one or (one.startswith(".") and host.endswith(one) and "@" not in host) for one in hosts)
    return there.scheme == scheme and any(known)


def file_at(url: str, home: str, hosts: Iterable[str] = (), *, headers: Mapping[str, str] = {}) -> Http:
    """What asks for a file by its address, which somebody else names: with `headers` (a token) where they may go, elsewhere a
    stranger's.
    """
    if is_trusted(url, home, hosts):
        return Http(method="GET", url=url, headers=headers)
    return Http(method="GET", url=url, stranger=True)
