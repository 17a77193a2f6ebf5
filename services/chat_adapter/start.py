"""The chat adapter's parts, put together: what every adapter has, and web chat, which Parley itself provides."""

from __future__ import annotations

from services.chat_adapter.registry import CHANNELS
from services.chat_adapter.webchat import server, transcript
from services.chat_adapter.webchat.live import Live
from shared.adapter import Parts, open_parts, serve
from shared.consume import Reader
from shared.lifecycle import Life
from shared.records import TRANSCRIPT_GROUP, inbound_topic


async def start(life: Life) -> None:
    parts = await open_parts(life, "chat", CHANNELS)
    written = transcript.Transcript(parts.pool)
    serve_webchat(parts, written)
    await serve(parts, senders={"webchat": written.send}, typers={"webchat": written.typing})


def serve_webchat(parts: Parts, written: transcript.Transcript) -> None:
    """The widget's server, and the projection of inbound messages that its history is read from."""
    life = parts.life
    live = Live(written, life.settings.database)
    projection = Reader(
        settings=life.settings,
        topics=[inbound_topic("chat")],
        group=TRANSCRIPT_GROUP,
        owner=written,
        producer=parts.producer,
        health=life.health,
        wanted=transcript.wanted,
        hurried=False,
    )
    chat = server.WebChat(
        accounts=parts.accounts, intake=parts.intake, blobs=parts.blobs, transcript=written, live=live
    )
    life.routes(server.routes(chat))

    async def dismiss(_app: object) -> None:
        live.dismiss()

    life.app.on_shutdown.append(dismiss)
    life.on_stop(projection.stop)
    projection.begin(life.spawn(projection.run(), "transcript"))
    life.spawn(live.run(), "webchat")
