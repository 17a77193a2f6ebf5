"""Mail — https://www.rfc-editor.org/rfc/rfc5322."""

from __future__ import annotations

from services.email_adapter.mail.inbound import read
from services.email_adapter.mail.limits import SIZE
from services.email_adapter.mail.names import Account, App
from services.email_adapter.mail.outbound import outbound
from services.email_adapter.mail.outcomes import outcome
from shared.contract.channel import Capabilities, Channel

TEXT_BYTES = 384 * 1024  # with its quotes and line ends in JSON, and the rest of the record, within what the bus takes
MEDIA_BYTES = 18 * 1024 * 1024  # 25 MB in base64, what most servers take

CHANNEL = Channel(
    name="email",
    docs="https://www.rfc-editor.org/rfc/rfc5322",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=TEXT_BYTES,
        unit="bytes",
        caption=TEXT_BYTES,
        media={"image": "full", "audio": "full", "video": "full", "file": "full", "sticker": "full"},
        media_bytes=MEDIA_BYTES,
        choices="degraded",
        location="degraded",
        contact="degraded",
        reply_to=True,
        starts="free_text",
        attachments=10,
    ),
    body_limit=SIZE,
    mail=read,
    outbound=outbound,
    outcome=outcome,
)
