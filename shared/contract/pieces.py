"""What goes out: pieces of messages, changes of those that stand there, and what the provider calls them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field as Described

from shared.contract.bodies import AesCtr
from shared.contract.calls import Http
from shared.contract.deliveries import Cost
from shared.contract.envelope import ExternalId, Media, Model, Part, Surface, Text, Way
from shared.contract.errors import SendFailed
from shared.contract.requests import Control


class Piece(Model):
    """What goes out in one send: one part that fits, and the files that go along. `id` is the same however often it is tried.

    `reply_to`: the message answered, where the request named one. `references`: the conversation's first and newest
    external ids, oldest first. `thread_token`: our signed name of the conversation. `automatic`: a program wrote it.
    `grown`: what already shows the answer that this piece is the whole of, by the name that `grow` gave it.
    `handle`, `handles`: what the provider calls the part and each of the attachments, where the channel uploads first.
    `route`: what came with the message that is answered, while it is good (shared.contract.envelope.Route); where the provider says
    that it is not, the channel raises RouteGone, and the piece comes again without it.
    """

    id: str
    to: str
    part: Part
    attachments: tuple[Media, ...] = ()
    surface: Surface = "direct"
    way: Way = "free_text"
    reply_to: str | None = None
    thread_key: str | None = None
    subject: str | None = None
    references: tuple[ExternalId, ...] = ()
    thread_token: str | None = None
    handle: str | None = None
    handles: tuple[str | None, ...] = ()
    route: Annotated[str | None, Described(repr=False)] = None
    grown: str | None = None
    automatic: bool = False

    @property
    def text(self) -> str:
        """Its words, where only words can stand. Raises SendFailed."""
        return _text(self.part, *self.attachments)

    @property
    def files(self) -> tuple[Media, ...]:
        """All that it carries: the part itself, where it is one, and what goes along."""
        return (self.part, *self.attachments) if isinstance(self.part, Media) else self.attachments


def _text(part: Part, *others: Part) -> str:
    if not isinstance(part, Text) or others:
        raise SendFailed("unsupported", "only words can stand there")
    return part.text


class Alteration(Model):
    """What is to be otherwise at the provider. It is asked for again until there is an answer, so a channel's request must be safe
    to repeat: what is so already is a success (AlreadySent).

    `id`: ours, the same however often it is tried.
    """

    id: str = ""
    to: str


class PieceChange(Alteration):
    """One piece is to change, by what it is called there.

    `external_id`: its first name, `external_ids`: all of them. `surface`, `way`, `thread_key`: where it stands.
    """

    external_id: ExternalId
    external_ids: tuple[ExternalId, ...] = ()
    surface: Surface = "direct"
    way: Way = "free_text"
    thread_key: str | None = None


class EditPiece(PieceChange):
    """Our piece reads otherwise from now on: `part` is of the kind that stands there; of a file only the caption is another."""

    change: Literal["edit"] = "edit"
    part: Part

    @property
    def text(self) -> str:
        """As of a piece."""
        return _text(self.part)


class DeletePiece(PieceChange):
    """Our piece is taken back."""

    change: Literal["delete"] = "delete"


class React(PieceChange):
    """Show a reaction at a message, theirs or `ours`. No `emoji`: all of ours are taken back; `removed`: this one is."""

    change: Literal["react"] = "react"
    emoji: str | None = None
    removed: bool = False
    ours: bool = False


class MarkSeen(PieceChange):
    """The customer's message, and all before it, are read. `read_mark`: what came with it for that."""

    change: Literal["seen"] = "seen"
    read_mark: str | None = None


Amendment = Annotated[EditPiece | DeletePiece | React | MarkSeen, Described(discriminator="change")]


class ThreadControl(Alteration):
    """The thread is to be somebody else's (`target`, where the channel lets one choose; `note`: words for them), ours, or nobody's."""

    change: Literal["handover"] = "handover"
    action: Control
    target: str | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TypingMark:
    """Someone is about to answer this person. `reply_to`: the customer's newest message; `thread_key`: the topic of a group."""

    to: str
    reply_to: str | None = None
    thread_key: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What the provider calls the piece. No id at once, and a `join_key` that its echo will carry, where it tells only later.

    `cost`: what it is billed as, where that is known with the answer.
    """

    external_ids: tuple[str, ...] = ()
    join_key: str | None = None
    cost: Cost | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Handle:
    """Media at the provider, uploaded once per account and kept by the service until it expires."""

    value: str
    expires_in: timedelta | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """The request that gives the bytes, streamed by the service; `decrypt`: what they are encrypted with."""

    request: Http
    decrypt: AesCtr | None = None
    mime_type: str | None = None
    name: str | None = None

    @classmethod
    def of(cls, media: Media, request: Http, *, decrypt: AesCtr | None = None) -> Self:
        """Of what is told of the file already."""
        return cls(request=request, decrypt=decrypt, mime_type=media.mime_type, name=media.name)
