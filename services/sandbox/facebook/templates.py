"""The utility templates of every page here.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/utility-messages
"""

from __future__ import annotations

from typing import Any, Final

from services.sandbox.graph import invalid
from services.sandbox.graph.templates import Approved, approved, parameters

Json = dict[str, Any]

TEMPLATES: Final = (
    Approved("shop_moved", "km", "ហាងយើងខ្ញុំបានប្តូរទីតាំងហើយ។"),
    Approved("order_ready", "km", "ការកម្ម៉ង់ {{1}} របស់អ្នករួចរាល់ហើយ។"),
    Approved("order_ready", "en", "Your order {{1}} is ready."),
    Approved("appointment_reminder", "en", "We expect you on {{1}} at {{2}}. Answer to change it."),
    Approved("still_in_review", "en", "Nobody has approved this yet.", status="PENDING"),
)


def rendered(content: object) -> Json:
    """`template` of a message as a view. Raises GraphError; which code Meta gives is not documented, 100 is its general one."""
    found = approved(TEMPLATES, content) if isinstance(content, dict) else None
    if not isinstance(content, dict) or found is None:
        raise invalid("Param message[template] must name an approved template of this page, in its language")
    values = parameters(content)
    if len(values) != found.places:
        raise invalid(f"Param message[template][components] must fill {found.places} places of the body")
    return {"template": found.name, "text": found.filled(values)}
