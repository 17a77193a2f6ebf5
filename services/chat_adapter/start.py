"""The chat adapter's parts, put together: what every adapter has, and web chat, which Parley itself provides."""

from __future__ import annotations

from services.chat_adapter.registry import CHANNELS
from services.chat_adapter.webchat import server
from services.chat_adapter.webchat.live import Live
from services.chat_adapter.webchat.retention import Retention
from services.chat_adapter.webchat.transcript import Transcript
from shared.adapter.adapter import Adapter, open_adapter, serve
from shared.runtime.lifecycle import Life


async def start(life: Life) -> None:
    adapter = await open_adapter(life, "chat", CHANNELS)
    written = Transcript(adapter.pool)
    if adapter.serves("webchat"):
        serve_webchat(adapter, written)
    if life.settings.retention:
        life.spawn(Retention(life.settings, adapter.pool, adapter.accounts).run(), "retention")
    await serve(
        adapter,
        senders={"webchat": written.send},
        amenders={"webchat": written.amend},
        showers={"webchat": written},
        followers=[written],
        forgets=[written.forget],
    )


def serve_webchat(adapter: Adapter, written: Transcript) -> None:
    """The widget's server."""
    life = adapter.life
    live = Live(written, life.settings.database)
    chat = server.WebChat(
        accounts=adapter.accounts, intake=adapter.intake, blobs=adapter.blobs, transcript=written, live=live
    )
    life.routes(server.routes(chat))

    async def dismiss(_app: object) -> None:
        live.dismiss()

    life.app.on_shutdown.append(dismiss)
    life.spawn(live.run(), "webchat")
