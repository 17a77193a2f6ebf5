"""The message templates of every business account here — https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/overview."""

from __future__ import annotations

from typing import Any, Final

from services.sandbox.graph import GraphError
from services.sandbox.graph.templates import Approved, approved, parameters

Json = dict[str, Any]

TEMPLATES: Final = (
    Approved("hello_world", "en_US", "Hello from the sandbox: this is a template that everyone has."),
    Approved("order_ready", "km", "សួស្តី {{1}}! ការកម្ម៉ង់ {{2}} របស់អ្នករួចរាល់ហើយ។", ("មកយក", "ដឹកជូន")),
    Approved("order_ready", "en", "Hello {{1}}, your order {{2}} is ready.", ("Pick up", "Deliver")),
    Approved("appointment_reminder", "en", "We expect you on {{1}}. Answer to change it."),
    Approved("still_in_review", "en", "Nobody has approved this yet.", status="PENDING"),
)


def rendered(content: Json) -> Json:
    """A `template` of a message as a view. Raises GraphError: 132001 not approved in this language, 132000 other parameters."""
    found = approved(TEMPLATES, content)
    if found is None:
        name, language = content.get("name"), (content.get("language") or {}).get("code")
        details = f"template name ({name}) does not exist in {language}"
        raise _no(132001, 404, "Template name does not exist in the translation", details)
    values = parameters(content)
    if len(values) != found.places:
        details = f"body: number of localizable_params ({len(values)}) does not match the expected number of params ({found.places})"
        raise _no(132000, 400, "Number of parameters does not match the expected number of params", details)
    view: Json = {"template": found.name, "text": found.filled(values)}
    if found.replies:
        view["choices"] = [{"id": reply, "title": reply} for reply in found.replies]
    return view


def _no(code: int, status: int, message: str, details: str) -> GraphError:
    return GraphError(code, message, status=status, details=details, product="whatsapp")
