"""SMS and MMS as all their providers have them: senders, what fits, and the words that stop and start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar, Final, Literal

from pydantic import Field as Described

from shared.contract import channel
from shared.contract.channel import Capabilities, Message, Piece, SendFailed
from shared.contract.envelope import SYSTEM, Assessment, Media, Notice, Part, Party, Proof, Text, Unsupported, kind_of
from shared.contract.identities import proved

Word = Literal["stop", "start", "help"]

SEGMENTS: Final = 10  # of one message, as carriers put them together again
FILES: Final = 10  # of one MMS
PIECE: Final = "piece"  # in the address to which statuses come: what an answer that was lost is known by

# What stands alone in a message is an order that the provider carries out and answers itself (CTIA, Messaging Principles §5.1.3).
WORDS: Final[Mapping[str, Word]] = {
    **dict.fromkeys(
        ("STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "ARRET", "ARRÊT"),
        "stop",
    ),
    **dict.fromkeys(("START", "UNSTOP", "YES"), "start"),
    **dict.fromkeys(("HELP", "INFO"), "help"),
}
ANSWERED: Final = Assessment(may_auto_answer=False, reasons=("the provider answers this word",))


class Numbered(channel.Account):
    """Whom people reach, and are known by, by phone number."""

    proves_phone: bool = Described(
        default=False,
        description="whether a number that writes is proved to be its owner's everywhere: channels that know it too are one "
        "person's then; who sends an SMS or calls can forge a number",
    )


def proves(account: Numbered, sender: Party) -> tuple[Proof, ...]:
    """Their number, where the account's owner believes in it."""
    return proved("phone", sender.phone, by="provider") if account.proves_phone else ()


class Sender(Numbered):
    """A number, a short code or a name that SMS are sent from."""

    called_by: ClassVar[str] = "number"
    number: str = Described(
        pattern=r"^(\+[1-9][0-9]{6,14}|[0-9]{3,8}|[0-9 ]{0,10}[A-Za-z][A-Za-z0-9 ]{0,10})$",
        max_length=16,
        description="what sends: a number (+85512345678), a short code, or a name of at most 11 letters, which nobody can answer",
    )
    mms: bool = Described(default=False, description="whether it sends files; else they are refused early")
    segments: int = Described(
        default=SEGMENTS, ge=1, le=SEGMENTS, description="segments of one message, each of which is paid"
    )


def capabilities(*, media_bytes: int) -> Capabilities:
    """Of a sender that takes files, together at most so many bytes."""
    return Capabilities(
        text=SEGMENTS,
        unit="segments",
        caption=SEGMENTS,
        media={"image": "full", "audio": "full", "video": "full", "file": "full", "sticker": "degraded"},
        media_bytes=media_bytes,
        attachments=FILES,
        per_second=1.0,
    )


def of(sender: Sender, able: Capabilities) -> Capabilities:
    """What this one can."""
    files = {} if sender.mms else {"caption": 0, "media": {}, "attachments": 0}
    own = {"text": sender.segments, "caption": sender.segments}
    return able.model_copy(update={**own, **files})


def content_of(piece: Piece) -> tuple[str, tuple[Media, ...]]:
    """Its words and its files."""
    match piece.part:
        case Text(text=text):
            return text, piece.attachments
        case Media() as file:
            return file.caption or "", (file, *piece.attachments)
        case other:
            raise SendFailed("unsupported", f"an SMS takes no {other.kind}")


def person(number: str) -> Party:
    return Party(address=number, phone=number if number.startswith("+") else None, verified="signature")


def parts_of(text: str, files: Iterable[tuple[str, str | None]]) -> tuple[Part, ...]:
    """The words, then the files: the address and type of each."""
    media = [Media(media=kind_of(kind), handle=address, mime_type=kind) for address, kind in files]
    return (*([Text(text=text)] if text else ()), *media) or (Unsupported(type="empty"),)


def told(message: Message, word: Word | None) -> Iterator[Message]:
    """The message, and what the word in it orders: to stop is a block until the person starts again, or writes."""
    yield replace(message, assessment=ANSWERED) if word in {"stop", "help"} else message
    if word in {"stop", "start"}:
        yield replace(
            message,
            event_key=f"{message.event_key}/{word}",
            external_id=None,
            parts=(Notice(type="blocked" if word == "stop" else "unblocked"),),
            assessment=SYSTEM,
        )


def word_of(text: str) -> Word | None:
    return WORDS.get(" ".join(text.upper().split())) if len(text) < 40 else None
