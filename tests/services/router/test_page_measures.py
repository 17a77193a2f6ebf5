"""The page counts a text as the services do, in every unit."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from shared.contract.text import Unit, measure
from tests.chromium import browser

LIMITS = Path(__file__).parents[3] / "services/router/console/limits.js"
GSM = [
    "",
    "a" * 160,
    "a" * 161,
    "a" * 306,
    "a" * 1531,
    "€" * 81,
    "€" * 153,
    "`" * 71,
    "a" * 159 + "`",
    "{}[]~^|\\\f" * 30,
    "é@£\n\"'" * 60,
]
UCS2 = ["ខ" * 70, "ខ" * 71, "ខ" * 134, "😀" * 36, "😀" * 67, "á" * 71, "a\tb" * 30, "👨‍👩‍👧‍👦 ស្ត្រី"]
X = [
    "Test https://test.com test HTTPS://test.com/a/b?c=d. test.com test",
    "a.bc-" * 9 + " xhttps://a.com @a.com e.g. 3.14",
    "👨‍👩‍👧‍👦🙋🏽🇰🇭1️⃣©️© 🏴󠁧󠁢󠁿 ☺ café क़ 저찀 “”…",
]


async def test_the_page_counts_as_the_services_do() -> None:
    code = LIMITS.read_text("utf-8").replace("export function", "function")
    async with browser() as chromium:
        page = await chromium.new_page()
        for unit in get_args(Unit):
            found = await page.evaluate(f"([texts, unit]) => {{ {code}; return texts.map((one) => measure(one, unit)); }}",
                                        [GSM + UCS2 + X, unit])  # fmt: skip
            assert found == [measure(text, unit) for text in GSM + UCS2 + X], unit
