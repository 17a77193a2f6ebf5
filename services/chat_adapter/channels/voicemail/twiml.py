"""What a caller hears, in TwiML — https://www.twilio.com/docs/voice/twiml."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

from services.chat_adapter.channels.voicemail.settings import App
from shared.dialects import twilio

NOTHING: Final = "<Response/>"
ENDED_BY: Final = "#"  # any key would end the message otherwise


def greeting(app: App, hook: str, form: twilio.Form) -> str:
    """The greeting, then a recording, of which we are told when it can be had, whose call it was standing in the address."""
    heard = f"<Play>{escape(app.greeting_url)}</Play>" if app.greeting_url else _say(app.greeting, app.language)
    whose = urlencode({"from": form["From"], "to": form["To"]})
    told = f"{hook}?{whose}{twilio.AGAIN}"
    record = {
        "maxLength": str(app.longest),
        "finishOnKey": ENDED_BY,
        "action": f"{hook}?over=1",
        "recordingStatusCallback": told,
        **({"transcribe": "true", "transcribeCallback": told} if app.transcribe else {}),
    }
    attributes = " ".join(f"{name}={quoteattr(value)}" for name, value in record.items())
    return f"<Response>{heard}<Record {attributes}/></Response>"


def goodbye(words: str, language: str) -> str:
    return f"<Response>{_say(words, language)}<Hangup/></Response>" if words else "<Response><Hangup/></Response>"


def spoken(words: str, sounds: Iterable[str]) -> str:
    """What somebody hears whom we call: the words, then the sounds."""
    said = f"<Say>{escape(words)}</Say>" if words else ""
    return f"<Response>{said}{''.join(f'<Play>{escape(sound)}</Play>' for sound in sounds)}</Response>"


def _say(words: str, language: str) -> str:
    return f"<Say language={quoteattr(language)}>{escape(words)}</Say>"
