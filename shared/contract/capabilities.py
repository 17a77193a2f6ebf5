"""What a channel can show, by which everything that is sent is cut and refused early."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from shared.contract.deliveries import Change
from shared.contract.envelope import PUBLIC, MediaKind, Model, Surface, Way
from shared.contract.requests import Control
from shared.contract.text import Unit

Level = Literal["full", "degraded", "refused"]


class Capabilities(Model):
    """What a channel can show. Degraded: sent as text; refused: the reply is refused early. Limits count in `unit`.

    `option_id`: the longest name of an option that is pressed, in units of its own; a longer one is refused early.
    `linked`: options of a question that has links among them, at most, and `link_text`: the characters of its words; where it
    does not fit, links stand in the words. `question`: the words above options, at most; a longer one goes as a list. `grows`: how often at the most an answer may be shown that is still written, where it
    can be. `starts`: what may be sent to someone who has not written. `attachments`: files that one send carries beside its text.
    `album`: pictures that one send carries, without words. `option_title_unit`: what titles count in, where it is not `unit`.
    `comment`: what a public comment or mention can show, where that is something else. `private_reply`: it may be answered in private.
    `changes`: what can be done to a message that stands at the provider, and for how long after it was sent; None: for ever.
    `reactions`: the only emoji that can be shown as one, where not any; `one_reaction`: a new one stands in place of the last.
    `handovers`: what can be asked of who has the thread, where several answer there.
    """

    text: int
    unit: Unit = "code_points"
    caption: int = 0
    media: dict[MediaKind, Level] = {}
    media_bytes: int = 20 * 1024 * 1024
    choices: Level = "degraded"
    question: int | None = None
    options: int = 10
    option_title: int = 20
    option_title_unit: Unit | None = None
    option_id: int | None = None
    option_id_unit: Unit = "code_points"
    linked: int | None = None
    link_text: int | None = None
    location: Level = "degraded"
    contact: Level = "degraded"
    template: Level = "refused"
    reply_to: bool = False
    typing: bool = False
    grows: timedelta | None = None
    starts: Literal["free_text", "template", "nothing"] = "free_text"
    attachments: int = 0
    album: int = 0
    comment: Capabilities | None = None
    private_reply: bool = False
    changes: dict[Change, timedelta | None] = {}
    reactions: tuple[str, ...] = ()
    one_reaction: bool = True
    handovers: tuple[Control, ...] = ()
    pieces: int = 20
    per_second: float = 20.0
    per_peer_second: float = 1.0
    idempotent_for: timedelta | None = None

    def reaction(self, emoji: str) -> str | None:
        """The emoji as the channel writes it; None where it cannot show it."""
        if not self.reactions:
            return emoji
        return next((one for one in self.reactions if _bare(one) == _bare(emoji)), None)

    def shown(self, surface: Surface, way: Way) -> Capabilities:
        """What can be shown there: a private answer to a comment is an ordinary message, but only one, in words of its own."""
        if way == "private":
            return self.model_copy(update={"pieces": 1, "template": "refused"})
        return self.comment if self.comment and surface in PUBLIC else self


def _bare(emoji: str) -> str:
    """Without the sign that asks for its coloured form, which some write and some leave out."""
    return emoji.replace("\ufe0f", "")
