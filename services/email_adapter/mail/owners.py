"""Which domains are one owner's, by the list of public suffixes (https://publicsuffix.org), which lies in the package."""

from __future__ import annotations

from functools import lru_cache

from publicsuffixlist import PublicSuffixList


def owner(domain: str) -> str:
    """The domain that its owner registered (RFC 7489 §3.2); itself where it is a suffix. `domain`: in ASCII, lower case."""
    return suffixes().privatesuffix(domain) or domain


@lru_cache(maxsize=1)
def suffixes() -> PublicSuffixList:
    """The list, read in about a tenth of a second."""
    return PublicSuffixList()
