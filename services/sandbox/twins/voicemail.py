"""Twilio's calls in small — https://www.twilio.com/docs/voice/twiml/record.

What a person sends as a sound is what they leave after the tone; their words are spoken, so that they are what is written down of it.
"""

from __future__ import annotations

import io
import secrets
import wave
from collections.abc import Iterator
from typing import Any, Final
from xml.etree import ElementTree as ET

from aiohttp import ClientError, web

from services.sandbox.chats import Chat
from services.sandbox.said import words_of
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twilio import AT, Twilio
from services.sandbox.twins.twin import TIMEOUT, Call, First

Json = dict[str, Any]
SECONDS: Final = 2  # of a recording of words, in which nothing is heard


class Voicemail(Twilio):
    channel = "voicemail"
    name = "Voicemail"
    can = ("media", "caption")
    hook_field = "VoiceUrl"
    writes = False

    @classmethod
    def first(cls) -> First:
        found = super().first()
        return First(found.account, {**found.app, "transcribe": True})

    def calls(self) -> Iterator[web.RouteDef]:
        yield from self.numbers()
        yield self.call("GET", f"{AT}/Recordings/{{id}}.mp3", self.serve)
        yield self.call("POST", f"{AT}/Messages.json", self._text, sends=True)
        yield self.call("POST", f"{AT}/Calls.json", self._call_back, sends=True)

    def new_id(self, chat: Chat) -> str:
        return f"CA{secrets.token_hex(16)}"

    def said(self, chat: Chat, view: Json) -> Iterator[Json]:
        file = view["media"]["id"] if "media" in view else None
        file = file or self.files.keep(silence(), owner=chat.account, mime_type="audio/wav", name="call.wav").id
        yield {
            "call": {"CallSid": view["id"], "From": chat.user, "To": chat.account},
            "file": file,
            "words": words_of(view),
        }

    async def deliver(self, seat: Seat, event: Json) -> bool:
        """The call, and what its answer asks for: after the tone, and when the recording and its words are there."""
        if "url" in event:
            return await self._post(self.form(seat, event["url"], event["fields"]))
        return await self._rings(seat, event, {**event["call"], "Direction": "inbound", "CallStatus": "ringing"})

    async def _rings(self, seat: Seat, event: Json, called: dict[str, str]) -> bool:
        post = self.form(seat, "", called)
        try:
            async with self.client.post(post.url, data=post.body, headers=post.headers, timeout=TIMEOUT) as answer:
                record = ET.fromstring(await answer.text()).find("Record") if answer.status == 200 else None  # noqa: S314 our own adapter's answer
        except (ClientError, TimeoutError, OSError, ET.ParseError):
            return False
        if record is None:
            return False
        sound = f"{seat.account['api']}{AT.format(sid=seat.account['sid'])}/Recordings/{event['file']}"
        name = {"CallSid": called["CallSid"], "RecordingSid": f"RE{event['file']}", "RecordingUrl": sound}
        told = {**name, "RecordingStatus": "completed", "RecordingDuration": str(SECONDS)}
        written = {**name, "TranscriptionSid": f"TR{event['file']}", "TranscriptionStatus": "completed"}
        posts = [
            self.form(seat, record.attrib["action"], called | {"CallStatus": "completed", "RecordingUrl": sound}),
            self.form(seat, record.attrib["recordingStatusCallback"], told),
        ]
        if event["words"] and "transcribeCallback" in record.attrib:
            words = {**written, "TranscriptionText": event["words"]}
            posts.append(self.form(seat, record.attrib["transcribeCallback"], words))
        return all([await self._post(post) for post in posts])

    def _text(self, call: Call) -> web.Response:
        fields = call.values
        chat = self.reached(call, fields["To"], self.no("no_number"))
        sid = f"SM{secrets.token_hex(16)}"
        self.show(chat, {"id": sid, "text": fields["Body"]})
        self._tell(chat, fields, {"MessageSid": sid, "MessageStatus": "delivered"})
        return web.json_response({"sid": sid, "status": "queued"}, status=201)

    async def _call_back(self, call: Call) -> web.Response:
        fields = call.values
        chat = self.reached(call, fields["To"], self.no("no_number"))
        heard = ET.fromstring(fields["Twiml"])  # noqa: S314 our own adapter's words
        sid = f"CA{secrets.token_hex(16)}"
        files = [await self.fetched(chat, sound.text or "", "audio") for sound in heard.iter("Play")]
        self.show_files(chat, {"id": sid, "text": " ".join(said.text or "" for said in heard.iter("Say"))}, files)
        self._tell(chat, fields, {"CallSid": sid, "CallStatus": "completed", "Direction": "outbound-api"})
        return web.json_response({"sid": sid, "status": "queued"}, status=201)

    def _tell(self, chat: Chat, fields: Json, about: dict[str, str]) -> None:
        if url := fields.get("StatusCallback"):
            self.tell(chat, {"url": url, "fields": {**about, "From": chat.account, "To": chat.user}})


def silence() -> bytes:
    """A sound in which nothing is heard (WAV, 8 kHz)."""
    written = io.BytesIO()
    with wave.open(written, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(bytes([128]) * 8000 * SECONDS)
    return written.getvalue()
