"""A message into pieces that a channel can show, or a refusal with its reason, before anything is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from shared.contract.channel import Capabilities, Level
from shared.contract.envelope import Choices, Contact, Location, Media, Model, Option, Part, Template, Text
from shared.contract.errors import Refusal
from shared.contract.text import fits, split

ONLY_INBOUND: Final = frozenset(
    {"reaction", "choice", "edit", "deletion", "visibility", "call", "notice", "unsupported"}
)
CUT: Final = 200_000  # characters of a text that is looked through for places to cut it, in 50 ms


class Bundle(Model):
    """A part and the files that travel with it in one send."""

    kind: Literal["bundle"] = "bundle"
    part: Text | Media = Field(discriminator="kind")
    files: tuple[Media, ...]


Sendable = Annotated[Part | Bundle, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is sent, one part per send, in order; `notes` say what was split or degraded, in sentences for people."""

    pieces: tuple[Part | Bundle, ...]
    notes: tuple[str, ...] = ()


def fit(parts: Iterable[Part], capabilities: Capabilities) -> Fitted:
    """The parts as a channel of these capabilities can show them. Pure; what already fits comes back untouched.

    Raises Refusal: `malformed` (nothing to send), `unsupported` (the channel cannot, not even degraded), `too_long`
    (a file beyond `media_bytes`, an option's id beyond `option_id`, more than `pieces` pieces).
    """
    fitted = [_fit(part, capabilities) for part in parts]
    pieces = tuple(_bundled((piece for one in fitted for piece in one.pieces), capabilities))
    if not pieces:
        raise Refusal("malformed", "The message is empty.")
    if len(pieces) > capabilities.pieces:
        raise Refusal("too_long", f"It would take {len(pieces)} pieces; the channel allows {capabilities.pieces}.")
    return Fitted(pieces, tuple(note for one in fitted for note in one.notes))


def _bundled(pieces: Iterable[Part | Bundle], capabilities: Capabilities) -> Iterator[Part | Bundle]:
    """Texts and files that one send can carry together, together: the texts as paragraphs of one; pictures alone as an album."""
    texts: list[Text] = []
    files: list[Media] = []
    for piece in pieces:
        match piece:
            case Text() if capabilities.attachments and (not texts or _joins([*texts, piece], capabilities)):
                texts.append(piece)
            case Media() if _takes(files, piece, capabilities):
                files.append(piece)
            case Text() | Media() if capabilities.attachments or _is_shown(piece, capabilities):
                yield from _bundle(texts, files)
                texts, files = ([piece], []) if isinstance(piece, Text) else ([], [piece])
            case _:
                yield from _bundle(texts, files)
                texts, files = [], []
                yield piece
    yield from _bundle(texts, files)


def _joins(texts: list[Text], capabilities: Capabilities) -> bool:
    return fits(_paragraphs(texts), capabilities.text, capabilities.unit)


def _takes(files: list[Media], file: Media, capabilities: Capabilities) -> bool:
    if capabilities.album:
        return _is_shown(file, capabilities) and len(files) < capabilities.album
    together = sum(one.size or 0 for one in (*files, file))
    return len(files) < capabilities.attachments and together <= capabilities.media_bytes


def _is_shown(part: Part | Bundle, capabilities: Capabilities) -> bool:
    """Whether it is one for an album, which has no words."""
    return bool(capabilities.album) and isinstance(part, Media) and part.media == "image" and not part.caption


def _bundle(texts: list[Text], files: list[Media]) -> Iterator[Part | Bundle]:
    """One send, if there is anything to send: a part alone stays as it is."""
    if texts:
        text = texts[0] if len(texts) == 1 else Text(text=_paragraphs(texts))
        yield Bundle(part=text, files=tuple(files)) if files else text
    elif files:
        yield Bundle(part=files[0], files=tuple(files[1:])) if len(files) > 1 else files[0]


def _paragraphs(texts: Iterable[Text]) -> str:
    return "\n\n".join(text.text for text in texts)


def _fit(part: Part, capabilities: Capabilities) -> Fitted:
    match part:
        case Text():
            return _text(part, capabilities)
        case Media():
            return _media(part, capabilities)
        case Choices():
            return _choices(part, capabilities)
        case Location():
            return _in_words(part, capabilities.location, where(part), capabilities)
        case Contact():
            return _in_words(part, capabilities.contact, _who(part), capabilities)
        case Template() if capabilities.template == "full":
            return Fitted((part,))
        case _:
            reason = "only ever received" if part.kind in ONLY_INBOUND else "not supported by the channel"
            raise Refusal("unsupported", f"A {part.kind} is {reason}.")


def _text(part: Text, capabilities: Capabilities) -> Fitted:
    pieces = _split(part.text, capabilities)
    if len(pieces) == 1:
        return Fitted((part,) if pieces[0] == part.text else _texts(pieces))
    return Fitted(_texts(pieces), (f"The text is split into {len(pieces)} pieces.",))


def _split(text: str, capabilities: Capabilities, limit: int | None = None) -> tuple[str, ...]:
    if not text or text.isspace():
        raise Refusal("malformed", "The text is empty.")
    most = limit or capabilities.text
    if len(text) > CUT and not fits(text, most, capabilities.unit):
        raise Refusal("too_long", f"A text of {len(text)} characters is too long to be cut; {CUT} are the most.")
    return split(text, most, capabilities.unit)


def _texts(pieces: Iterable[str]) -> tuple[Text, ...]:
    return tuple(Text(text=piece) for piece in pieces)


def _media(part: Media, capabilities: Capabilities) -> Fitted:
    if not (part.blob or part.handle) or part.state == "unavailable":
        raise Refusal("malformed", f"There are no bytes behind the {part.media}.")
    if part.size is not None and part.size > capabilities.media_bytes:
        raise Refusal("too_long", f"The {part.media} has {part.size} bytes; {capabilities.media_bytes} are allowed.")
    shown, notes = _shown_media(part, capabilities)
    if not part.caption or fits(part.caption, capabilities.caption, capabilities.unit):
        return Fitted((shown,), notes)
    caption = _texts(_split(part.caption, capabilities))
    return Fitted((shown.model_copy(update={"caption": None}), *caption), (*notes, "The caption follows as text."))


def _shown_media(part: Media, capabilities: Capabilities) -> tuple[Media, tuple[str, ...]]:
    """A kind that the channel only degrades to goes as a plain file, where it takes files."""
    level = capabilities.media.get(part.media, "refused")
    if level == "full":
        return part, ()
    if level == "degraded" and capabilities.media.get("file") == "full":
        return part.model_copy(update={"media": "file"}), (f"The {part.media} goes as a file.",)
    raise Refusal("unsupported", f"The channel does not take media of the kind {part.media}.")


def _choices(part: Choices, capabilities: Capabilities) -> Fitted:
    if capabilities.choices == "refused":
        raise Refusal("unsupported", "The channel cannot offer choices.")
    _check_options(part.options)
    if capabilities.choices == "full" and _pressable(part.options, capabilities) and _is_short(part, capabilities):
        _check_lengths(part.options, capabilities)
        return _question(part, capabilities)
    return Fitted(_texts(_split(_numbered(part), capabilities)), ("The choices go as a numbered list.",))


def _check_options(options: tuple[Option, ...]) -> None:
    """Raises Refusal: what is pressed is known by its id, so each needs one of its own."""
    ids = [option.id for option in options if not option.url]
    if not all(name.strip() for name in ids) or not all(option.title.strip() for option in options):
        raise Refusal("malformed", "An option has no id or no title.")
    if twice := next((name for name, count in Counter(ids).items() if count > 1), None):
        raise Refusal("malformed", f"Two options have the id {twice!r}; give each its own.")


def _check_lengths(options: tuple[Option, ...], capabilities: Capabilities) -> None:
    limit, unit = capabilities.option_id, capabilities.option_id_unit
    for option in options:
        if limit is not None and not option.url and not fits(option.id, limit, unit):
            counted = unit.replace("_", " ")
            raise Refusal("too_long", f"The id of an option has at most {limit} {counted}; shorten {option.id[:80]!r}.")


def _question(part: Choices, capabilities: Capabilities) -> Fitted:
    """The words are measured as they will stand there: with the links that no button can show."""
    links = [option for option in part.options if option.url]
    beside = capabilities.linked is None or len(part.options) <= capabilities.linked
    limit = (
        min(capabilities.text, capabilities.link_text or capabilities.text) if links and beside else capabilities.text
    )
    notes: tuple[str, ...] = ()
    text, options = part.text, part.options
    if links and not beside:
        text = _lines([text, *(f"{option.title}: {option.url}" for option in links)])
        options = tuple(option for option in options if not option.url)
        notes = ("The links stand in the text.",)
    *before, question = _split(text, capabilities, limit)
    if before:
        notes = (*notes, "The question is split; the last piece carries the choices.")
    last = part.model_copy(update={"text": question, "options": options}) if options else Text(text=question)
    return Fitted((*_texts(before), last), notes)


def _is_short(part: Choices, capabilities: Capabilities) -> bool:
    """Where words above options are fewer than others, there is no room for links among them either."""
    most = capabilities.question
    return most is None or (fits(part.text, most, capabilities.unit) and not any(one.url for one in part.options))


def _pressable(options: tuple[Option, ...], capabilities: Capabilities) -> bool:
    return len(options) <= capabilities.options and all(
        fits(option.title, capabilities.option_title, capabilities.option_title_unit or capabilities.unit)
        for option in options
    )


def _numbered(part: Choices) -> str:
    lines = (f"{number}. {_choice(option)}" for number, option in enumerate(part.options, 1))
    return _lines([part.text, "", *lines])


def _choice(option: Option) -> str:
    return " – ".join(filter(None, (option.title, option.description, option.url)))


def _in_words(part: Part, level: Level, words: str, capabilities: Capabilities) -> Fitted:
    if level == "full":
        if not fits(words, capabilities.text, capabilities.unit):  # a channel may have to put it into words
            raise Refusal("too_long", f"The {part.kind} is longer than {capabilities.text} characters.")
        return Fitted((part,))
    if level == "refused":
        raise Refusal("unsupported", f"The channel does not take a {part.kind}.")
    return Fitted(_texts(_split(words, capabilities)), (f"The {part.kind} goes as text.",))


def where(part: Location) -> str:
    """Name, address and a geo URI (RFC 5870), which names no third party's map."""
    place = f"geo:{_degrees(part.latitude)},{_degrees(part.longitude)}"
    return _lines(filter(None, (part.name, part.address, place)))


def _degrees(value: float) -> str:
    """Plain decimals; RFC 5870 allows no exponent, and six places are a hand's breadth."""
    return f"{round(value, 6) + 0.0:.6f}".rstrip("0").rstrip(".")


def _who(part: Contact) -> str:
    return _lines((part.name, *part.phones, *part.emails))


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)
