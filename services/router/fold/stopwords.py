"""The words by which people say that they want to be sent nothing more, or want it again: all that a message says, in any language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from services.router.fold.mails import is_forged
from shared.contract.envelope import Envelope, Text
from shared.dialects.sms import word_of as order_of

Word = Literal["stop", "start"]

# What means something else to a bot's menu (cancel, end, quit, yes) is an order by SMS only, where carriers and providers take it
# for one (CTIA, Messaging Principles §5.1.3).
STOP: Final[Mapping[str, str]] = {
    "ar": "توقف|إيقاف|إلغاء الاشتراك",
    "de": "stopp|abmelden|abbestellen",
    "en": "stop|stop all|stopall|unsubscribe|opt out|optout|opt-out|no more messages",
    "es": "alto|baja|darme de baja",
    "fr": "arret|arrêt|arrêter|désabonner|se désabonner",
    "id": "berhenti|berhenti langganan",
    "ja": "停止|配信停止",
    "km": "ឈប់|បញ្ឈប់|ឈប់ផ្ញើ|ឈប់ផ្ញើសារ|កុំផ្ញើទៀត|កុំផ្ញើសារទៀត|ឈប់ជាវ|បោះបង់ការជាវ",
    "ko": "수신거부|중지",
    "lo": "ຢຸດ|ຢຸດສົ່ງ",
    "pt": "parar|sair|cancelar inscrição",
    "ru": "стоп|отписаться",
    "th": "หยุด|หยุดส่ง|เลิกรับ|ยกเลิกการรับข่าวสาร",
    "vi": "dừng|ngừng|hủy đăng ký|huỷ đăng ký",
    "zh": "退订|退訂|停止发送",
}
START: Final[Mapping[str, str]] = {
    "de": "anmelden",
    "en": "start|unstop|subscribe|opt in|optin|opt-in|resubscribe",
    "es": "alta",
    "fr": "s'abonner|reprendre",
    "km": "ចាប់ផ្តើម|ចាប់ផ្ដើម|ជាវ|ផ្ញើម្តងទៀត|ទទួលម្តងទៀត",
    "th": "เริ่ม|สมัครรับ",
    "vi": "bắt đầu|đăng ký",
    "zh": "订阅|訂閱",
}
LONGEST: Final = 40  # characters of a message that may be such a word
AROUND: Final = " \t\r\n\u200b.,!?;:\"'()[]«»“”‘’…។៕。！？、"


def _words() -> dict[str, Word]:
    tables: tuple[tuple[Word, Mapping[str, str]], ...] = (("start", START), ("stop", STOP))
    return {one: word for word, table in tables for words in table.values() for one in words.split("|")}


WORDS: Final[Mapping[str, Word]] = _words()
BY_NUMBER: Final = frozenset({"sms", "telnyx"})


def word_in(found: Envelope) -> Word | None:
    """The order that this message is; None for any other. In a group or under a post it is said to somebody else; a mail whose
    sender nothing proves may stop what they get, and start nothing; one that its domain disowns does neither.
    """
    match found.parts:
        case (Text(text=text),) if len(text) <= LONGEST and found.direction == "inbound" and found.container is None:
            pass
        case _:
            return None
    if found.assessment.kind not in {"human", "unknown"} or is_forged(found):
        return None
    if found.channel in BY_NUMBER and (order := order_of(text)) in {"stop", "start"}:
        return "stop" if order == "stop" else "start"
    word = WORDS.get(" ".join(text.replace("\u200b", "").casefold().strip(AROUND).split()))
    return None if word == "start" and found.surface == "email" and found.sender.verified is None else word
