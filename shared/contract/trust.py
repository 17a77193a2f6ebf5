"""Where a token may be shown: an address that a provider's answer or a message names is not yet the provider's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

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
