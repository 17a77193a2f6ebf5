"""Whether a program answers for somebody who is away, and until when, if it says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

LOOKED_AT: Final = 4000  # characters
# A subject that only programs write, before the subject that they answer.
ANSWER: Final = re.compile(
    r"\s*(?:auto(?:matic|mated)?[- ]?(?:re(?:ply|sponse|sponder)|answer|antwort)|auto:|out of (?:the )?office|ooo\b|vacation (?:reply|response|message|notice)|away (?:from|until)|i am (?:currently )?(?:away|out of)"
    r"|abwesenheit|automatische (?:antwort|reactie)|automatisch antwoord|r[ée]ponse automatique|respuesta autom[áa]tica|resposta autom[áa]tica|risposta automatica|automatiskt? svar|autosvar|otomatik yan[ıi]t|автоматический ответ|автоответ|автоматична відповідь|autoodpowied|odpowied[zź] automatyczna"
    r"|自動(?:返信|応答|回复|回覆)|自动(?:回复|答复)|자동 ?(?:응답|회신)|ការឆ្លើយតបស្វ័យប្រវត្តិ|ตอบกลับอัตโนมัติ|trả lời tự động|balasan otomatis)",
    re.IGNORECASE,
)
AWAY: Final = re.compile(
    r"out of (?:the )?office|\booo\b|\baway (?:from|until|till|on|for)|(?:i am|i'm|i will be|currently) (?:away|out)\b|on (?:annual |sick |parental |maternity )?leave|on (?:vacation|holidays?)|vacation|holiday|absen(?:t|ce)|not in the office|back (?:in the office )?on"
    r"|abwesen|nicht im (?:b[üu]ro|haus)|urlaub|en cong[ée]s?|en vacances|vacaciones|fuera de (?:la )?oficina|in ferie|fuori ufficio|afwezig|fora do escrit|férias|frånvar|semester|nieobecn|urlop|отпуск|отсутств|відпустк"
    r"|tatilde|不在|休暇|外出|出張|休假|부재|휴가|អវត្តមាន|ឈប់សម្រាក|ลาพักร้อน|vắng mặt|cuti",
    re.IGNORECASE,
)
MONTHS: Final = (
    "jan", "feb|fév|fev", "mar|mär|mrz|maa", "apr|avr|abr", "ma[iyjg]|mei", "jun|juin|giu", "jul|juil|lug|lip",
    "aug|aoû|aou|ago", "sep|set", "o[ckt]t|ott", "nov", "de[cz]|déc|dic",
)  # fmt: skip
MONTH: Final = "|".join(f"(?P<m{number}>{names})" for number, names in enumerate(MONTHS, 1))
UNTIL: Final = re.compile(
    r"(?:until|till|through|thru|to|back|return(?:ing)?|again|bis(?: zum)?|ab(?: dem)?|zurück|wieder|jusqu'?\s?(?:au|à)|retour|hasta(?: el)?|fino al|rientro|tot(?: en met)?|до|t\.?o\.?m\.?|até|まで|至)",
    re.IGNORECASE,
)
DATES: Final = re.compile(
    r"(?P<iso>\d{4})[-/.年](?P<isom>\d{1,2})[-/.月](?P<isod>\d{1,2})"
    rf"|(?P<d>\d{{1,2}})(?:st|nd|rd|th|er|\.|º)?(?: of| de)?[ -](?:{MONTH})[a-zûéäç]*\.?,?(?: de)?(?:[ -](?P<y>\d{{4}}))?"
    r"|(?P<dotd>\d{1,2})\.(?P<dotm>\d{1,2})\.(?P<doty>\d{4})?",
    re.IGNORECASE,
)
ENGLISH: Final = re.compile(
    rf"(?:{MONTH})[a-z]*\.? (?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<y>\d{{4}}))?", re.IGNORECASE
)
NEAR: Final = 40  # characters between the word and the date
FAR: Final = 366  # days: a later date is none of a return


def is_answer(subject: str) -> bool:
    """Whether its subject is that of a program's answer."""
    return bool(ANSWER.match(subject))


def is_away(subject: str, text: str) -> bool:
    """Whether it says that somebody is away."""
    return bool(AWAY.search(subject) or AWAY.search(text[:LOOKED_AT]))


def until(subject: str, text: str, now: datetime) -> datetime | None:
    """The last date that stands behind a word such as "until" and is not past; a day of no year is the next of its kind."""
    words = f"{subject}\n{text[:LOOKED_AT]}"
    found = [day for one in UNTIL.finditer(words) if (day := _date(words[one.end() : one.end() + NEAR], now))]
    return max((day for day in found if 0 <= (day - now).days + 1 <= FAR), default=None)


def _date(words: str, now: datetime) -> datetime | None:
    found = min(filter(None, (DATES.search(words), ENGLISH.search(words))), key=lambda one: one.start(), default=None)
    if found is None:
        return None
    told = found.groupdict()
    month = next((number for number in range(1, 13) if told.get(f"m{number}")), 0)
    month = month or int(told.get("isom") or told.get("dotm") or 0)
    day = int(told.get("d") or told.get("isod") or told.get("dotd") or 0)
    year = int(told.get("y") or told.get("iso") or told.get("doty") or 0)
    try:
        at = datetime(year or now.year, month, day, tzinfo=UTC)
        return at if year or at.date() >= now.date() else at.replace(year=now.year + 1)
    except ValueError:
        return None
