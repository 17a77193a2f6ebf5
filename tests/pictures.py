"""The smallest picture."""

from __future__ import annotations

from typing import Final

# One transparent pixel: https://www.w3.org/TR/png-3/
PIXEL: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645"
    "400000000049454e44ae426082"
)
