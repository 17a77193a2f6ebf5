"""Long texts that are hard to cut: Khmer without a space, and right-to-left script between emoji of many code points."""

from __future__ import annotations

from itertools import accumulate
from typing import Final

PROVINCES: Final = (
    "កណ្តាល", "តាកែវ", "កំពត", "កែប", "ព្រះសីហនុ", "កោះកុង", "កំពង់ស្ពឺ", "កំពង់ឆ្នាំង", "ពោធិ៍សាត់", "បាត់ដំបង", "ប៉ៃលិន",
    "បន្ទាយមានជ័យ", "ឧត្តរមានជ័យ", "សៀមរាប", "ព្រះវិហារ", "កំពង់ធំ", "កំពង់ចាម", "ត្បូងឃ្មុំ", "ក្រចេះ", "ស្ទឹងត្រែង", "រតនគិរី",
    "មណ្ឌលគិរី", "ព្រៃវែង", "ស្វាយរៀង",
)  # fmt: skip
GOODS: Final = (
    "អង្ករផ្ការំដួល", "ម្រេចកំពត", "ទឹកត្រី", "ស្ករត្នោត", "ក្រមាសូត្រ", "កន្ទេលស្មៅ", "សៀវភៅសិក្សា", "ទឹកឃ្មុំ", "តែម្លិះ", "ត្រីងៀត", "គ្រឿងម្ហូប",
)  # fmt: skip
OPENING: Final = (
    "សួស្តីបងខ្ញុំឈ្មោះសុខដារ៉ារស់នៅរាជធានីភ្នំពេញខ្ញុំសូមសរសេរសំបុត្រនេះដើម្បីរៀបរាប់អំពីការបញ្ជាទិញរបស់ខ្ញុំ"
    "ហើយសូមឱ្យក្រុមការងាររបស់បងជួយពិនិត្យមើលម្តងទៀតមុនពេលដឹកជញ្ជូន"
)
CLOSING: Final = "សូមអរគុណបងច្រើនសូមជូនពរឱ្យបងនិងក្រុមគ្រួសារមានសុខភាពល្អ"


def khmer(number: int, characters: int) -> str:
    """An order of at least so many code points, without a space or any other sign between its words; another number, another order, to its
    last words.
    """
    found, line = [f"{OPENING}លេខ{digits(number)}"], 0
    while sum(map(len, found)) + len(CLOSING) < characters:
        line += 1
        found.append(order(number + line))
    return "".join([*found, CLOSING, digits(number)])


def order(line: int) -> str:
    province, goods = PROVINCES[line % len(PROVINCES)], GOODS[line % len(GOODS)]
    return (
        f"សម្រាប់ខេត្ត{province}យើងត្រូវការ{goods}ចំនួន{digits(3 * line)}គីឡូក្រាមដោយសូមដឹកជញ្ជូនមកដល់ផ្ទះមុនម៉ោង{digits(7 + line % 5)}ព្រឹក"
        "ហើយសូមទូរស័ព្ទមកខ្ញុំជាមុនព្រោះផ្លូវទៅភូមិនោះពិបាកធ្វើដំណើរនៅរដូវវស្សា"
    )


def digits(number: int) -> str:
    """In Khmer's own digits."""
    return "".join(chr(ord("០") + int(digit)) for digit in str(number))


# Each is one cluster for its reader (UAX #29), though up to eleven UTF-16 code units.
CLUSTERS: Final = ("👨‍👩‍👧‍👦", "🇰🇭", "👍🏽", "5️⃣", "🏳️‍🌈", "👩🏾‍💻", "❤️‍🔥", "ក្រុំ", "é", "🇸🇦", "שָׁ")
ARABIC: Final = "مرحبا، وصلت الطلبية أمس ولكن القطعة اليسرى مكسورة"
HEBREW: Final = "שלום, ההזמנה הגיעה אתמול והרמקול השמאלי שבור"


def mixed(number: int, characters: int) -> list[str]:
    """Its grapheme clusters, of at least so many code points together: two sentences read from the right, then emoji without a
    space, between them numbers that no other text has.
    """
    found = [*ARABIC, " ", *HEBREW, " "]
    while sum(map(len, found)) < characters:
        found += [*digits(number), *digits(len(found)), *CLUSTERS]
    return [*found, *digits(number)]


def ends(clusters: list[str]) -> set[int]:
    """Where in the joined text a cluster ends: nowhere else may it be cut."""
    return {0, *accumulate(map(len, clusters))}
