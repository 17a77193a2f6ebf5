"""The message templates of every business account here — https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/overview."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from services.sandbox.graph import GraphError

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

    def as_json(self, number: int) -> Json:
        components: list[Json] = [{"type": "BODY", "text": self.body}]
        if self.replies:
            buttons = [{"type": "QUICK_REPLY", "text": reply} for reply in self.replies]
            components.append({"type": "BUTTONS", "buttons": buttons})
        about = {"name": self.name, "language": self.language, "status": self.status, "category": "UTILITY"}
        return {"id": str(10**15 + number), **about, "components": components}


TEMPLATES: Final = (
    Approved("hello_world", "en_US", "Hello from the sandbox: this is a template that everyone has."),
    Approved("order_ready", "km", "សួស្តី {{1}}! ការកម្ម៉ង់ {{2}} របស់អ្នករួចរាល់ហើយ។", ("មកយក", "ដឹកជូន")),
    Approved("order_ready", "en", "Hello {{1}}, your order {{2}} is ready.", ("Pick up", "Deliver")),
    Approved("appointment_reminder", "en", "We expect you on {{1}}. Answer to change it."),
    Approved("still_in_review", "en", "Nobody has approved this yet.", status="PENDING"),
)


def listed() -> Json:
    """The answer of GET /{waba}/message_templates."""
    return {"data": [template.as_json(number) for number, template in enumerate(TEMPLATES)], "paging": {}}


def rendered(content: Json) -> Json:
    """A `template` of a message as a view. Raises GraphError: 132001 not approved in this language, 132000 other parameters."""
    name, language = content.get("name"), (content.get("language") or {}).get("code")
    found = next(
        (one for one in TEMPLATES if (one.name, one.language, one.status) == (name, language, "APPROVED")), None
    )
    if found is None:
        raise _no(
            132001,
            404,
            "Template name does not exist in the translation",
            f"template name ({name}) does not exist in {language}",
        )
    values = _parameters(content)
    if len(values) != found.places:
        details = f"body: number of localizable_params ({len(values)}) does not match the expected number of params ({found.places})"
        raise _no(132000, 400, "Number of parameters does not match the expected number of params", details)
    view: Json = {"template": found.name, "text": PLACE.sub(lambda place: values[int(place[1]) - 1], found.body)}
    if found.replies:
        view["choices"] = [{"id": reply, "title": reply} for reply in found.replies]
    return view


def _parameters(content: Json) -> list[str]:
    body: Json = next((one for one in content.get("components", ()) if one.get("type") == "body"), {})
    return [str(one.get("text", "")) for one in body.get("parameters", ())]


def _no(code: int, status: int, message: str, details: str) -> GraphError:
    return GraphError(code, message, status=status, details=details, product="whatsapp")
