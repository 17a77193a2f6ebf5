"""What is said about voicemail in the accounts file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field as Described

from shared.dialects import sms, twilio


class App(twilio.App):
    """One Twilio account, and what its callers hear."""

    greeting: str = Described(
        default="Nobody can take your call now. Please leave a message after the tone.",
        max_length=1000,
        description="the words that are spoken to a caller",
    )
    goodbye: str = Described(default="Thank you.", max_length=1000, description="what is spoken after a message")
    language: str = Described(
        default="en-US",
        pattern=r"^[a-z]{2,3}-[A-Z]{2}$",
        description="the language in which they are spoken, as Twilio names it; it has no Khmer: let greeting_url play a recording",
    )
    greeting_url: str = Described(
        default="", pattern=r"^(https://\S+)?$", description="a sound (MP3, WAV) that is played instead of the greeting"
    )
    longest: int = Described(default=120, ge=2, le=3600, description="seconds of a message")
    transcribe: bool = Described(
        default=False,
        description="whether Twilio writes down what was said: English only, messages of 2 to 120 seconds, paid",
    )


class Account(twilio.Sender, sms.Sender):
    """One number that is called; answers go out from it."""

    answer_by: Literal["sms", "call"] = Described(
        default="sms", description="whether a text is sent as an SMS, or spoken in a call"
    )
