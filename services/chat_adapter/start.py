"""The chat adapter's parts, put together: what every adapter has, and web chat, which Parley itself provides."""

from __future__ import annotations

from services.chat_adapter.registry import CHANNELS
from services.chat_adapter.webchat import server
from services.chat_adapter.webchat.live import Live
from services.chat_adapter.webchat.retention import Retention
from services.chat_adapter.webchat.transcript import Transcript
from shared.adapter.parts import Parts, open_parts, serve
from shared.runtime.lifecycle import Life


async def start(life: Life) -> None:
    parts = await open_parts(life, "chat", CHANNELS)
    written = Transcript(parts.pool)
    serve_webchat(parts, written)
    if life.settings.retention:
        life.spawn(Retention(life.settings, parts.pool, parts.accounts).run(), "retention")
    await serve(
        parts,
        senders={"webchat": written.send},
        amenders={"webchat": written.amend},
        typers={"webchat": written.typing},
        followers=[written],
    )


def serve_webchat(parts: Parts, written: Transcript) -> None:
    """The widget's server."""
    life = parts.life
    live = Live(written, life.settings.database)
    chat = server.WebChat(
        accounts=parts.accounts, intake=parts.intake, blobs=parts.blobs, transcript=written, live=live
    )
    life.routes(server.routes(chat))

    async def dismiss(_app: object) -> None:
        live.dismiss()

    life.app.on_shutdown.append(dismiss)
    life.spawn(live.run(), "webchat")
