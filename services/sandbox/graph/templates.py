"""Message templates as Meta keeps them — https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/overview."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]
PLACE: Final = re.compile(r"\{\{(\d+)\}\}")


@dataclass(frozen=True, slots=True)
class Approved:
    """A template's body, with {{1}}, {{2}} … where its parameters go, and its quick replies."""

    name: str
    language: str
    body: str
    replies: tuple[str, ...] = ()
    status: str = "APPROVED"

    @property
    def places(self) -> int:
        return len(set(PLACE.findall(self.body)))

    def filled(self, values: Sequence[str]) -> str:
        """The body with these values, as many as it has places."""
        return PLACE.sub(lambda place: values[int(place[1]) - 1], self.body)

    def as_json(self, number: int) -> Json:
        components: list[Json] = [{"type": "BODY", "text": self.body}]
        if self.replies:
            buttons = [{"type": "QUICK_REPLY", "text": reply} for reply in self.replies]
            components.append({"type": "BUTTONS", "buttons": buttons})
        about = {"name": self.name, "language": self.language, "status": self.status, "category": "UTILITY"}
        return {"id": str(10**15 + number), **about, "components": components}


def listed(templates: Sequence[Approved]) -> Json:
    """The answer of GET /{account}/message_templates."""
    return {"data": [template.as_json(number) for number, template in enumerate(templates)], "paging": {}}


def approved(templates: Sequence[Approved], content: Json) -> Approved | None:
    """The one that the `template` of a message names, in its language; None where there is none, or it is in review."""
    named = (content.get("name"), (content.get("language") or {}).get("code"), "APPROVED")
    return next((one for one in templates if (one.name, one.language, one.status) == named), None)


def parameters(content: Json) -> list[str]:
    """What fills the places of the body."""
    body: Json = next((one for one in content.get("components", ()) if one.get("type") == "body"), {})
    return [str(one.get("text", "")) for one in body.get("parameters", ())]
